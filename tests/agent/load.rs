//! `container-tracker load`: one fleet by several programs, what each says, and what all of them say together.

#![cfg(all(feature = "lab", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use crate::cloud::Emulator;
use crate::support::agent::PATIENCE;

fn load(emulator: &Emulator, arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    for variable in ["JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID", "NOMAD_ALLOC_INDEX"] {
        program.env_remove(variable);
    }
    program.current_dir(emulator.path(""));
    program.arg("load").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn merge(emulator: &Emulator, files: &[&str]) -> (Option<i32>, Value) {
    let output = load(emulator, &[&["merge", "-o", "json"], files].concat()).output().unwrap();
    let value = serde_json::from_slice(&output.stdout);
    (output.status.code(), value.unwrap_or_else(|_| panic!("{}", text(&output))))
}

fn summary(path: &Path) -> Value {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn problems(merged: &Value) -> String {
    merged["problems"].to_string()
}

/// Waits until the hub has a connection of this device.
fn until_online(emulator: &Emulator, device: &str) {
    let is_online = || {
        let output = emulator.run(&["device", "show", "-d", device]);
        String::from_utf8_lossy(&output.stdout).contains("\"Connected\"")
    };
    let begun = std::time::Instant::now();
    while !is_online() {
        assert!(begun.elapsed() < PATIENCE, "{device} does not come");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn two_shards_of_a_fleet_are_played_and_added_up_and_nothing_is_lost() {
    let emulator = Emulator::start(&["--hub", "east", "--hub", "west"]);
    let fleet =
        ["--devices", "200", "--interval", "0.5", "--duration", "1", "--seed", "7", "--methods", "20"];
    let one = load(&emulator, &[&fleet[..], &["--shard", "1/2"]].concat()).spawn().unwrap();
    // As an array of Slurm starts the second of two tasks.
    let array =
        [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "2")];
    let other = load(&emulator, &fleet).envs(array).spawn().unwrap();
    for part in [one, other] {
        let output = part.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    let files = ["load-1-of-2.json", "load-2-of-2.json"];
    let (code, merged) = merge(&emulator, &files);
    assert_eq!((code, problems(&merged)), (Some(0), "[]".into()), "{merged}");
    for (pointer, expected) in [
        ("/devices/planned", 200),
        ("/devices/online", 200),
        ("/devices/finished", 200),
        ("/devices/failed", 0),
        ("/messages/acknowledged", 400),
        ("/received/distinct", 400),
        ("/received/devices", 200),
        ("/traffic/dpsConnections", 200),
        ("/latencies/provisioning/count", 200),
        ("/latencies/twin/count", 200),
        ("/latencies/puback/count", 400),
    ] {
        assert_eq!(merged.pointer(pointer), Some(&expected.into()), "{pointer}: {merged}");
    }
    assert!(merged["latencies"]["method"]["count"].as_u64().is_some_and(|count| count > 0), "{merged}");
    let table = text(&load(&emulator, &[&["merge"], &files[..]].concat()).output().unwrap());
    assert!(table.contains("all that was sent was received"), "{table}");
    // The CAs of the parts may let nobody in any more.
    for noun in ["enrollment-group", "certificate"] {
        assert_eq!(emulator.json(&[noun, "list"]), serde_json::json!([]));
    }

    let (code, merged) = merge(&emulator, &files[..1]);
    assert!(code == Some(1) && problems(&merged).contains("missing: shard 2/2"), "{merged}");
    fs::copy(emulator.path(files[0]), emulator.path("again.json")).unwrap();
    fs::copy(emulator.path("emulator.json"), emulator.path("strange.json")).unwrap();
    let (code, merged) = merge(&emulator, &[&files[..], &["again.json", "strange.json"]].concat());
    let found = problems(&merged);
    assert!(code == Some(1) && found.contains("are both of shard 1/2"), "{found}");
    assert!(
        found.contains("strange.json is no summary of `load`") && !found.contains("SharedAccess"),
        "{found}"
    );
}

/// What a part tells Prometheus, at the address that it names.
fn metrics(part: &mut Child) -> String {
    let mut lines = BufReader::new(part.stdout.take().unwrap()).lines().map_while(Result::ok);
    let url = lines
        .by_ref()
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .find(|line| line["event"] == "metrics")
        .and_then(|line| line["text"].as_str()?.rsplit_once("http://").map(|(_, url)| url.to_owned()));
    // Whoever prints wants to be read.
    std::thread::spawn(move || lines.for_each(drop));
    let url = url.unwrap();
    let mut stream = TcpStream::connect(url.strip_suffix("/metrics").unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn every_profile_is_played_to_its_end_and_happens_to_all_devices() {
    let emulator = Emulator::start(&[]);
    // What each makes of four devices: registrations, connections with the hub, messages, and devices that came back.
    let profiles = [
        ("voyage", 4, 8, None, 0),
        ("reconnect-storm", 4, 8, Some(120), 4),
        ("reprovision", 8, 8, Some(120), 4),
        ("roll-certificates", 8, 8, Some(120), 4),
        ("alarm-storm", 4, 4, Some(160), 0),
    ];
    let mut begun = profiles.map(|expected| {
        let profile = expected.0;
        let (prefix, file) = (format!("{profile}-"), format!("{profile}.json"));
        let fleet = ["--devices", "4", "--interval", "0.1", "--duration", "3", "--source", "127.0.0.0/29"];
        let own = ["--profile", profile, "--prefix", &prefix, "--summary", &file, "--metrics", "127.0.0.1:0"];
        (expected, load(&emulator, &[&fleet[..], &own].concat()).spawn().unwrap())
    });
    let answer = metrics(&mut begun[4].1);
    assert!(answer.contains("container_tracker_load_messages_sent_total"), "{answer}");
    for ((profile, registrations, connections, messages, back), part) in begun {
        let output = part.wait_with_output().unwrap();
        let said = summary(&emulator.path(&format!("{profile}.json")));
        assert!(output.status.success(), "{profile}: {} {said}", text(&output));
        let number = |pointer: &str| said.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        assert_eq!(number("/traffic/dpsConnections"), registrations, "{profile}: {said}");
        assert!(number("/traffic/hubConnections") >= connections, "{profile}: {said}");
        let sent = number("/messages/acknowledged");
        assert!(sent == number("/messages/planned") && messages.is_none_or(|all| sent == all), "{said}");
        let recovery = said["latencies"]["recovery"].as_array().cloned().unwrap_or_default();
        let recovered: u64 = recovery.iter().filter_map(|bucket| bucket[1].as_u64()).sum();
        assert_eq!(recovered, back, "{profile}: {said}");
    }
}

#[test]
fn a_provisioning_service_that_is_named_by_a_configuration_is_used_as_azures() {
    let emulator = Emulator::start(&[]);
    emulator.enroll(&[]);
    let file = emulator.file();
    let config = format!(
        "[dps]\nid_scope = {}\n[identity]\ncertificate = \"none.pem\"\nkey = \"none.key\"\n[connection]\nroots = \
         \"server-ca.pem\"\ngateway = {}\n",
        file["idScope"], file["address"]
    );
    fs::write(emulator.path("tracker.toml"), config.replace("127.0.0.1", "localhost")).unwrap();
    let fleet = ["--config", "tracker.toml", "--registrations-per-minute", "6000", "--devices", "3"];
    let ca =
        ["--ca", "intermediate.pem", "--ca-key", "intermediate.key", "--interval", "0.1", "--duration", "1"];
    let output = load(&emulator, &[&fleet[..], &ca].concat()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let (code, merged) = merge(&emulator, &["load.json"]);
    assert_eq!((code, &merged["messages"]["acknowledged"]), (Some(0), &30.into()), "{merged}");
    assert!(merged["remarks"].to_string().contains("Azure does not tell by device"), "{merged}");
}

#[test]
fn a_part_that_is_killed_or_stopped_leaves_a_summary_and_one_that_is_started_twice_is_named() {
    let emulator = Emulator::start(&[]);
    let fleet = ["--devices", "2", "--interval", "1", "--duration", "600"];
    let part = |shard: &'static str| [&fleet[..], &["--shard", shard]].concat();
    let mut killed = load(&emulator, &part("1/2")).spawn().unwrap();
    until_online(&emulator, "load-0000000");
    signal(&killed, "-KILL");
    killed.wait().unwrap();
    let first = load(&emulator, &part("2/2")).spawn().unwrap();
    until_online(&emulator, "load-0000001");
    // They take the device from each other, until the one that was cut off three times gives up.
    let twice = load(&emulator, &[&part("2/2")[..], &["--summary", "twice.json"]].concat()).spawn().unwrap();
    let first = first.wait_with_output().unwrap();
    let said = text(&first);
    assert!(first.status.code() == Some(1) && said.contains("was a shard started twice, or does"), "{said}");
    assert_eq!(summary(&emulator.path("load-2-of-2.json"))["devices"]["takenOver"], 1, "{said}");
    signal(&twice, "-INT");
    assert_eq!(twice.wait_with_output().unwrap().status.code(), Some(1));
    let (code, merged) = merge(&emulator, &["load-1-of-2.json", "twice.json"]);
    let found = problems(&merged);
    assert!(code == Some(1) && found.contains("load-1-of-2.json: shard 1/2 was cut off"), "{found}");
    assert!(found.contains("twice.json: shard 2/2 was stopped"), "{found}");
}

#[test]
fn what_a_part_lacks_before_it_begins_is_a_sentence_and_in_its_summary() {
    let emulator = Emulator::start(&[]);
    let ca = emulator.path("root.pem");
    let ca = ca.to_str().unwrap();
    let refused = |arguments: &[&str], sentence: &str| {
        let output = load(&emulator, arguments).output().unwrap();
        let said = text(&output);
        assert!(output.status.code() == Some(1) && said.contains(sentence), "{arguments:?}: {said}");
        assert!(!said.contains("PRIVATE KEY"), "{said}");
    };
    refused(&["--ca", ca, "--ca-key", "/nowhere.key"], "/nowhere.key");
    let written = summary(&emulator.path("load.json"));
    assert_eq!(written["state"], "not-begun");
    assert!(written["why"].as_str().unwrap().contains("/nowhere.key"), "{written}");
    let (code, merged) = merge(&emulator, &["load.json"]);
    assert!(code == Some(1) && problems(&merged).contains("has not begun: "), "{merged}");
    refused(&["--emulator", "nowhere"], "there is no nowhere/emulator.json");
    refused(&["--emulator", "localhost:1"], "say with --server-ca");
    refused(&["--shards", "4"], "say --shard I/4");
    refused(&["--summary", "nowhere/load.json"], "can't write the summary nowhere/load.json");
    refused(&["--source", "192.0.2.1", "--devices", "1"], "192.0.2.1 is no address of this machine");
    let few = "ulimit -n 200 && exec \"$0\" load --devices 300";
    let program = env!("CARGO_BIN_EXE_container-tracker");
    let output =
        Command::new("sh").args(["-c", few, program]).current_dir(emulator.path("")).output().unwrap();
    let said = text(&output);
    assert!(output.status.code() == Some(1) && said.contains("300 devices need 364 open files"), "{said}");
}
