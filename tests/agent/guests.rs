//! A fleet beside an emulator, one that comes to it as a guest, and voyages that go on after a restart.

#![cfg(all(feature = "lab", unix))]
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

fn program(directory: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    program.current_dir(directory);
    program
}

/// A program that is interrupted when it is not needed any more.
struct Running(Child);

impl Running {
    fn start(directory: &Path, arguments: &[&str]) -> (Self, impl Iterator<Item = Value> + use<>) {
        let mut child = program(directory).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        (Self(child), lines.map(|line| serde_json::from_str(&line).unwrap()))
    }

    fn interrupt(mut self) {
        assert!(Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for an event of a device.
fn wait(lines: &mut impl Iterator<Item = Value>, device: &str, event: &str) -> Value {
    lines.find(|line| line["device"] == device && line["event"] == event).unwrap()
}

fn moment(page: &Value, name: &str) -> DateTime<Utc> {
    page[name].as_str().unwrap().parse().unwrap()
}

/// A fleet that can't be had says why, and what helps.
fn is_refused(directory: &Path, arguments: &[&str], expected: &str) {
    let refused =
        program(directory).arg("simulate").args(arguments).args(["--devices", "1"]).output().unwrap();
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && why.contains(expected) && why.contains("--prefix"), "{why}");
}

#[test]
fn an_emulator_plays_a_fleet_and_has_guests_whose_voyages_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let arguments = ["emulator", "--port", "0", "--retry-after", "0", "--no-rsa", "--devices", "1", "--json"];
    let (emulator, mut shown) = Running::start(directory, &arguments);
    assert!(wait(&mut shown, "sensor-thl-001", "telemetry")["body"]["seq"].is_u64());

    let guests = [
        "simulate",
        "--emulator",
        ".",
        "--prefix",
        "box-",
        "--devices",
        "1",
        "--directory",
        "kept",
        "--json",
    ];
    let (fleet, mut told) = Running::start(directory, &guests);
    let command = told.find(|line| line["event"] == "try").unwrap();
    assert!(
        command["command"].as_str().unwrap().contains("cloud twin update -d box-001 --desired "),
        "{command}"
    );
    let voyage = wait(&mut told, "box-001", "voyage");
    wait(&mut told, "box-001", "delivered");
    wait(&mut shown, "box-001", "telemetry");
    fleet.interrupt();
    let page = || -> Value {
        serde_json::from_str(&fs::read_to_string(directory.join("kept/box-001/state/voyage.json")).unwrap())
            .unwrap()
    };
    let before = page();
    assert_eq!(before["voyage"], voyage["voyage"]);

    let (fleet, mut told) = Running::start(directory, &guests);
    assert_eq!(wait(&mut told, "box-001", "voyage")["voyage"], voyage["voyage"]);
    wait(&mut told, "box-001", "delivered");
    fleet.interrupt();
    let after = page();
    let hours = |page: &Value| moment(page, "time") - moment(page, "start");
    assert!(hours(&after) > hours(&before), "{before} {after}");
    // It is the same voyage: what passed while nobody played is no part of it.
    assert!(
        (moment(&after, "start") - moment(&before, "start")).abs() < TimeDelta::seconds(2),
        "{before} {after}"
    );

    // Others are not touched: this one is somebody's.
    let enrollment = [
        "cloud",
        "enrollment",
        "create",
        "--enrollment-id",
        "crate-001",
        "--attestation-type",
        "symmetrickey",
    ];
    assert!(program(directory).args(enrollment).output().unwrap().status.success());
    is_refused(directory, &["--emulator", ".", "--prefix", "crate-"], "crate-001 is enrolled already");
    emulator.interrupt();

    let nobody = program(directory).args(["simulate", "--emulator", "."]).output().unwrap();
    assert_eq!(
        (nobody.status.code(), nobody.stdout),
        (Some(1), Vec::new()),
        "nothing is told before it is known"
    );
}

#[test]
fn a_simulation_is_operated_by_its_own_hint_and_goes_on_in_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let arguments = ["simulate", "--directory", "sea", "--devices", "1", "--json", "--no-console"];
    let (fleet, mut told) = Running::start(directory, &arguments);
    let hint = told.find(|line| line["event"] == "try").unwrap()["command"].as_str().unwrap().to_owned();
    let first = wait(&mut told, "sensor-thl-001", "telemetry");
    let tried = Command::new("sh").args(["-e", "-c", &hint]).current_dir(directory).output().unwrap();
    assert!(tried.status.success(), "{hint}: {}", String::from_utf8_lossy(&tried.stderr));
    let is_taken =
        |line: &Value| line["property"] == "telemetryInterval" && line["acknowledgement"]["value"] == 2;
    assert!(told.any(|line| is_taken(&line)), "it is obeyed");
    // It is in the twin from the first fix on.
    let ask = |arguments: &[&str]| -> Value {
        let mut program = program(directory);
        program.arg("cloud").args(arguments).args(["--emulator", "sea", "-o", "json"]);
        serde_json::from_slice(&program.output().unwrap().stdout).unwrap()
    };
    let rows = std::iter::repeat_with(|| ask(&["fleet"])[0].clone());
    let row = rows.take(1000).find(|row| row["lat"].is_number()).unwrap();
    assert!(row["at"].is_string() && row["temperature"].is_number(), "{row}");
    let diagnosis = ask(&["diagnose", "-d", "sensor-thl-001"]);
    assert_eq!(
        (&diagnosis["outcome"], &diagnosis["answer"]["status"]["state"]),
        (&"answered".into(), &"online".into())
    );
    assert_eq!(diagnosis["registration"]["status"], "assigned");
    // Whom a group has let in is not taken over by a guest.
    is_refused(directory, &["--emulator", "sea"], "sensor-thl-001 has registered already");
    fleet.interrupt();

    let again = [&arguments[..], &["--interval", "3"]].concat();
    let (fleet, mut told) = Running::start(directory, &again);
    assert_eq!(
        told.find(|line| line["event"] == "interval").unwrap()["devices"],
        1,
        "it is set anew, and said"
    );
    let next = wait(&mut told, "sensor-thl-001", "telemetry");
    let taken = |line: &Value| moment(&line["body"], "time");
    assert!(taken(&next) > taken(&first) + TimeDelta::minutes(10), "it goes on: {first} {next}");
    fleet.interrupt();
}
