//! The program as a user starts it.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_container-tracker"))
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

/// A pipe that nobody reads.
fn deaf() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn who_hears_no_complaint_gets_the_exit_code_all_the_same() {
    let nowhere = ["cloud", "device", "list", "--emulator", "/nowhere"];
    assert_eq!(program().args(nowhere).stderr(deaf()).status().unwrap().code(), Some(1));
    let unusable = ["run", "--config", "/nowhere/tracker.toml"];
    assert_eq!(program().args(unusable).stderr(deaf()).status().unwrap().code(), Some(1));
    // With what is logged on the way.
    let played = ["simulate", "--json", "--no-console", "--duration", "3", "--interval", "1"];
    let status =
        program().args(played).env("RUST_LOG", "trace").stderr(deaf()).stdout(Stdio::null()).status();
    assert_eq!(status.unwrap().code(), Some(0));
}

#[test]
fn simulate_shows_acknowledged_telemetry_from_both_trackers_and_ends_on_ctrl_c() {
    let mut child =
        program().args(["simulate", "--json", "--interval", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut shown, mut delivered) = (HashSet::new(), HashSet::new());
    while shown.len() < 2 || delivered.len() < 2 {
        let line: Value = serde_json::from_str(&lines.next().expect("it goes on").unwrap()).unwrap();
        let device = line["device"].as_str().unwrap_or_default().to_owned();
        match line["event"].as_str().unwrap() {
            "telemetry" => {
                assert!(line["body"]["temperature"].is_f64() && line["body"]["seq"].is_u64(), "{line}");
                shown.insert(device);
            }
            "delivered" => {
                delivered.insert(device);
            }
            _ => {}
        }
    }
    assert_eq!(shown, HashSet::from(["sensor-thl-001".to_owned(), "sensor-thl-002".to_owned()]));
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let summary = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()).last().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(summary["event"], "summary", "{summary}");
    assert_eq!((&summary["devices"], &summary["lost"]), (&2.into(), &0.into()), "{summary}");
    assert_eq!(summary["acknowledged"], summary["received"], "{summary}");
}

/// Starts the program, and gives its lines.
fn start(arguments: &[&str]) -> (Child, impl Iterator<Item = String>) {
    let mut child = program().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    (child, lines)
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_simulation_counts_at_the_hub_and_loses_nothing_of_a_fleet_that_it_is_still_setting_up() {
    let (mut child, mut lines) = start(&["simulate", "--json", "--devices", "20", "--interval", "1"]);
    let mut delivered = HashSet::new();
    while delivered.len() < 20 {
        let line: Value = serde_json::from_str(&lines.next().expect("it goes on")).unwrap();
        if line["event"] == "delivered" {
            delivered.insert(line["device"].to_string());
        }
    }
    interrupt(&child);
    let summary: Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
    assert!(child.wait().unwrap().success(), "{summary}");
    assert_eq!((&summary["event"], &summary["lost"]), (&"summary".into(), &0.into()), "{summary}");
    assert!(summary["received"].as_u64() >= summary["acknowledged"].as_u64(), "{summary}");
    assert!(summary["received"].as_u64() >= Some(20), "{summary}");
}

#[test]
fn ctrl_c_does_not_wait_for_a_set_up() {
    let (mut child, mut lines) = start(&["simulate", "--json", "--devices", "5000"]);
    assert!(lines.any(|line| line.contains("\"voyage\"")));
    interrupt(&child);
    let summary: Value = serde_json::from_str(&lines.last().unwrap()).unwrap();
    assert!(child.wait().unwrap().success(), "{summary}");
    assert!(summary["notStarted"].as_u64() > Some(4000), "{summary}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_goes_ends_it_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_str().unwrap();
    // The second says nothing of its own accord once it is up.
    for arguments in [&["simulate"][..], &["emulator", "--port", "0", "--directory", directory]] {
        let (child, mut lines) = start(arguments);
        assert!(lines.next().is_some(), "{arguments:?}");
        drop(lines);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{arguments:?}");
    }
}

#[test]
fn options_are_looked_at_before_anything_is_started() {
    for arguments in [["--voyage", "nope"], ["--replay", "nofile"]] {
        let output = program().arg("simulate").args(arguments).output().unwrap();
        assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]), "{arguments:?}");
    }
}

/// Plays a story that goes as it should, and gives what it said.
fn play(scenario: &[&str]) -> Vec<Value> {
    let output = program().args(["simulate", "--json", "--scenario"]).args(scenario).output().unwrap();
    let lines = lines(&output);
    let failed: Vec<&Value> = lines.iter().filter(|line| line["asExpected"] == false).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let verdict = lines.last().unwrap();
    assert_eq!(
        (&verdict["event"], &verdict["failed"]),
        (&"verdict".into(), &serde_json::json!([])),
        "{verdict}"
    );
    assert!(verdict["steps"].as_u64() > Some(10) && output.status.success(), "{verdict}");
    lines
}

#[test]
fn the_life_of_a_fleet_goes_as_told() {
    play(&["lifecycle"]);
}

#[test]
fn a_fleet_is_managed_as_a_whole() {
    let lines = play(&["management", "--devices", "6"]);
    let seen = |number: u64| {
        let of_step = lines.iter().find(|line| line["event"] == "seen" && line["step"] == number);
        of_step.and_then(|line| line["seen"].as_str()).unwrap_or_default()
    };
    assert_eq!(seen(2), "targeted 3, applied 3, reporting it 3; 3 at sea have 3600 s");
    assert!(seen(7).starts_with("completed, 6 succeeded, 0 failed"), "{}", seen(7));
}

/// In real time, as certificates live by the calendar.
#[test]
fn a_fleet_renews_its_certificates_while_links_flap() {
    let arguments = ["simulate", "--scenario", "renewal", "--devices", "5", "--json"];
    let output = program().args(arguments).output().unwrap();
    let lines = lines(&output);
    let seen: Vec<&Value> = lines.iter().filter(|line| line["event"] == "seen").collect();
    assert_eq!((seen.len(), output.status.code()), (6, Some(0)), "{seen:#?}");
    assert!(seen.iter().all(|line| line["asExpected"] == true), "{seen:#?}");
}

#[test]
fn a_person_is_told_of_a_reefer_whose_power_fails() {
    let lines = play(&["alarm"]);
    let told: Vec<&str> = lines
        .iter()
        .filter(|line| line["event"] == "notification")
        .filter_map(|line| line["text"].as_str())
        .collect();
    let order = [
        "is in Rotterdam",
        "has left Rotterdam",
        "WARNING: MSKU9070323, temperature",
        "NOW CRITICAL: MSKU9070323, temperature",
        "OVER: MSKU9070323, temperature",
        "CRITICAL: MSKU9070323, not heard",
        "OVER: MSKU9070323, heard again",
    ];
    let places: Vec<_> =
        order.iter().map(|words| told.iter().position(|text| text.contains(words))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{told:#?}");
    assert!(told.iter().any(|text| text.contains("has reached Felixstowe")), "{told:#?}");
}

#[test]
fn a_voyage_is_told_with_places_and_ends_with_a_report_that_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let record = directory.path().join("record.jsonl");
    // A quarter of an hour a second: on a busy machine, too, it is still at home when it has been told of its places.
    let arguments = ["simulate", "--story", "--devices", "1", "--duration", "12", "--speed", "0.25"];
    let output = program().args(arguments).args(["--json", "--record"]).arg(&record).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(&output);
    let event = |name: &str| lines.iter().filter(|line| line["event"] == name).collect::<Vec<_>>();
    let is_of_place = |line: &&&Value| line["properties"]["place"] == "Woerden";
    let numbered = |line: &&Value| line["properties"]["containerNumber"] == "CHEU1000012";
    let places: Vec<_> = event("telemetry").iter().filter(is_of_place).copied().collect();
    assert!(!places.is_empty() && places.iter().all(numbered), "{places:?}");
    let trips = event("trip");
    assert_eq!((trips.len(), &trips[0]["report"]["trip"]), (1, &"woerden-tokyo-gouda-cape".into()));
    let verified = event("verified");
    assert_eq!((verified.len(), &verified[0]["good"]), (1, &true.into()), "{verified:?}");

    // Whoever has the record can look for himself, and change it.
    let verify = || program().arg("verify").arg(&record).output().unwrap().status.code();
    assert_eq!(verify(), Some(0));
    let text = std::fs::read_to_string(&record).unwrap();
    let chained =
        text.lines().rfind(|line| line.contains("\"chain\"") && line.contains("\"humidity\":")).unwrap();
    let changed = chained.replace("\"humidity\":", "\"humidity\":1");
    std::fs::write(&record, text.replace(chained, &changed)).unwrap();
    assert_eq!(verify(), Some(1));
}

#[test]
fn mistakes_get_a_sentence_and_an_exit_code() {
    let error = |arguments: &[&str]| {
        let output = program().args(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(error(&["simulate", "--voyage", "atlantis"]).contains("teawamutu-shanghai-cheddar"));
    assert!(error(&["simulate", "--speed", "-1"]).contains("--speed"));
    assert!(error(&["simulate", "--story", "--devices", "21"]).contains("20 containers at the most, not 21"));
    let record = error(&["simulate", "--story", "--record", "/nowhere/record.jsonl"]);
    assert!(record.contains("can't write /nowhere/record.jsonl"), "{record}");
    assert!(error(&["simulate", "--scenario", "alarm", "--devices", "3"]).contains("one container, not 3"));
    let of_another = ["simulate", "--scenario", "alarm", "--validity", "20"];
    assert!(error(&of_another).contains("--validity is for the scenario renewal"));
    assert!(error(&["simulate", "--scenario", "renewal", "--validity", "9"]).contains("9 is not in 10..="));
    assert!(error(&["simulate", "--scenario", "renewal", "--open"]).contains("has no page"));
    assert!(
        error(&["simulate", "--scenario", "management", "--devices", "1"]).contains("at least 2 containers")
    );
    assert!(error(&["simulate", "--replay", "/nowhere.nmea"]).contains("/nowhere.nmea"));
    let unreadable = error(&["run", "--config", "/nowhere.toml"]);
    assert!(unreadable.contains("can't read the configuration /nowhere.toml"), "{unreadable}");
    assert_eq!(unreadable.matches("No such file").count(), 1, "a cause is told once: {unreadable}");
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().to_str().unwrap();
    let emulator = ["emulator", "--port", "0", "--directory", directory, "--enroll", "/nowhere.pem"];
    assert!(error(&emulator).contains("/nowhere.pem"));
    assert!(error(&["fly"]).contains("unrecognized subcommand"));
}

#[test]
fn help_reads_well() {
    for command in [
        &["--help"][..],
        &["simulate", "--help"],
        &["emulator", "--help"],
        &["run", "--help"],
        &["cloud", "--help"],
    ] {
        let output = program().args(command).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("Usage:"), "{command:?}: {text}");
    }
}

/// An emulator in this directory, ended with the test.
struct Emulator(Child);

impl Emulator {
    /// Starts, and gives the events up to the last of the start.
    fn start(directory: &Path, options: &[&str]) -> (Self, Vec<Value>) {
        let mut child = program()
            .args(["emulator", "--json", "--port", "0", "--directory"])
            .arg(directory)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut told = Vec::new();
        while told.last().is_none_or(|line: &Value| line["event"] != "service") {
            told.push(serde_json::from_str(&lines.next().expect("it starts")).unwrap());
        }
        std::thread::spawn(move || lines.for_each(drop));
        (Self(child), told)
    }

    fn signal(&mut self, name: &str) {
        assert!(Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What an emulator says, and its error, that is to end by itself.
fn refused(options: &[&str]) -> (String, String) {
    let mut child = program()
        .args(["emulator", "--port", "0"])
        .args(options)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    // One that runs is killed, and has not failed as it should.
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.code().is_some_and(|code| code != 0), "{options:?} starts");
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_directory_belongs_to_one_emulator() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("lab");
    let (mut first, told) = Emulator::start(&directory, &[]);
    assert!(told.iter().any(|line| line["event"] == "directory"), "it says that it made one: {told:?}");
    let files =
        || ["emulator.json", "server-ca.pem"].map(|name| std::fs::read(directory.join(name)).unwrap());
    let before = files();
    let authorities = || {
        let trusted = std::fs::read_to_string(directory.join("server-ca.pem")).unwrap();
        trusted.matches("BEGIN CERTIFICATE").count()
    };
    assert_eq!(authorities(), 2, "of an ECDSA and of an RSA certificate");
    let (second, error) = refused(&["--directory", directory.to_str().unwrap()]);
    let process = format!("another emulator (process {}) runs in", first.0.id());
    assert!(error.contains(&process), "{error}");
    assert!(second.is_empty(), "nothing is said to listen: {second}");
    assert_eq!(files(), before, "the files are those of the first");

    // What a killed one has left behind keeps nobody away; one that ends takes its file along.
    first.signal("-KILL");
    let (mut next, told) = Emulator::start(&directory, &["--no-rsa"]);
    assert!(!told.iter().any(|line| line["event"] == "directory"), "{told:?}");
    assert_eq!(authorities(), 1, "of an ECDSA certificate alone");
    next.signal("-INT");
    assert!(!directory.join("emulator.json").exists());
}

#[test]
fn an_emulator_that_fails_to_start_changes_nothing_and_says_so_first() {
    let parent = tempfile::tempdir().unwrap();
    let at = |name: &str| parent.path().join(name).to_str().unwrap().to_owned();
    let nothing = at("no.pem");
    for (options, part) in [
        (vec!["--directory".to_owned(), at("a/b")], "there is no directory"),
        (
            vec!["--directory".to_owned(), at("a"), "--state-directory".to_owned(), at("b/c")],
            "--state-directory",
        ),
        (vec!["--directory".to_owned(), at("a"), "--enroll".to_owned(), nothing], "no.pem"),
        // A file that is there and holds no certificate.
        (
            vec!["--directory".to_owned(), at("a"), "--enroll".to_owned(), "Cargo.toml".to_owned()],
            "Cargo.toml",
        ),
    ] {
        let mut options = options;
        if !options.contains(&"--state-directory".to_owned()) {
            options.extend(["--state-directory".to_owned(), at("state")]);
        }
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let (told, error) = refused(&options);
        assert!(error.contains(part), "{options:?}: {error}");
        assert!(told.is_empty(), "{options:?}: {told}");
        assert!(std::fs::read_dir(parent.path()).unwrap().next().is_none(), "{options:?} has left something");
    }
}
