//! The agent as a Linux service: readiness, state, reload, stop, log.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use support::service::{Installation, Manager};

#[test]
fn says_when_it_is_ready_and_feeds_the_watchdog_and_stops() {
    let installation = Installation::new();
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    let before = manager.hear("READY=1");
    assert!(
        before.iter().any(|message| message.starts_with("STATUS=asking DPS for a hub")),
        "the state is told in words: {before:?}"
    );
    assert!(installation.path("state/journal.db").exists(), "ready means that the journal is open");
    for _ in 0..3 {
        manager.hear("WATCHDOG=1");
    }
    let status = fs::read_to_string(installation.path("run/status.json")).unwrap();
    assert!(status.contains("\"state\": \"registering\""), "{status}");

    service.stop();
    manager.hear("STOPPING=1");
    assert!(!installation.path("run/status.json").exists(), "nobody runs whose status it would be");
}

#[test]
fn a_hangup_reloads_and_says_what_it_can_not() {
    let installation = Installation::new();
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    manager.hear("READY=1");

    installation.configure("[telemetry]\ninterval = 7\n");
    service.signal("-HUP");
    let reloading = manager.hear("RELOADING=1");
    let reloading = reloading.last().unwrap();
    #[cfg(target_os = "linux")]
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading:?}");
    manager.hear("READY=1");
    service.wait_for_words("taking in the configuration and the certificates anew");

    // A configuration with a mistake changes nothing, and is told.
    fs::write(&installation.config, "[dps]\n").unwrap();
    service.signal("-HUP");
    manager.hear("RELOADING=1");
    manager.hear("READY=1");
    service.wait_for_words("the configuration in force stays: the configuration ");
    service.wait_for_words("missing field `id_scope`");

    installation.configure("");
    let elsewhere = fs::read_to_string(&installation.config).unwrap().replace("\"state\"", "\"elsewhere\"");
    fs::write(&installation.config, elsewhere).unwrap();
    service.signal("-HUP");
    manager.hear("READY=1");
    service.wait_for_words("state.directory can't be changed while the agent runs; to change it, restart");
    assert!(!installation.path("elsewhere").exists());

    installation.configure("");
    // Files that can't be used change nothing either, also where the device has been online.
    let stored =
        r#"{"hub": "h", "deviceId": "sensor-thl-001", "thumbprint": "t", "idScope": "s", "dpsHost": "g"}"#;
    fs::write(installation.path("state/assignment.json"), stored).unwrap();
    for (name, words) in
        [("server-ca.pem", "can't read the root certificates"), ("chain.pem", "holds no certificate")]
    {
        let good = fs::read(installation.path(name)).unwrap();
        fs::write(installation.path(name), "").unwrap();
        if name == "server-ca.pem" {
            fs::remove_file(installation.path(name)).unwrap();
        }
        let starts = service.log().matches(" starts").count();
        service.signal("-HUP");
        service.wait_for_words(words);
        manager.hear("READY=1");
        assert_eq!(service.log().matches(" starts").count(), starts, "{name}: {}", service.log());
        fs::write(installation.path(name), good).unwrap();
    }

    // A new certificate is taken at the next reload at the latest.
    let other = installation.factory.device("sensor-thl-002");
    fs::copy(other.chain, installation.path("chain.pem")).unwrap();
    fs::copy(other.key, installation.path("device.key")).unwrap();
    service.signal("-HUP");
    service.wait_for_words("device=\"sensor-thl-002\"");
    service.stop();
}

/// A file as the journal that systemd hands to a service, and the program with it.
fn journal(installation: &Installation) -> (PathBuf, Command) {
    let log = installation.path("journal.log");
    let file = File::create(&log).unwrap();
    let metadata = file.metadata().unwrap();
    let mut program = installation.program("run");
    program.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino())).stderr(file);
    (log, program)
}

#[test]
fn journald_gets_levels_and_no_second_time() {
    let installation = Installation::new();
    let manager = Manager::listen(installation.directory.path());
    let (log, mut program) = journal(&installation);
    let mut child = program.env("NOTIFY_SOCKET", &manager.path).spawn().unwrap();
    manager.hear("READY=1");
    let wait_for = |words: &str| {
        let deadline = std::time::Instant::now() + support::service::PATIENCE;
        while !fs::read_to_string(&log).unwrap().contains(words) {
            assert!(std::time::Instant::now() < deadline, "{}", fs::read_to_string(&log).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("nobody listens there");
    installation.configure("[telemetry]\nintervall = 7\n");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    wait_for("unknown field `intervall`");
    child.kill().unwrap();
    child.wait().unwrap();
    let log = fs::read_to_string(&log).unwrap();
    let line = |words: &str| log.lines().find(|line| line.contains(words)).unwrap_or_default();
    let started = line("starts");
    assert!(started.starts_with("<6>container-tracker ") && started.ends_with("device=\"sensor-thl-001\""));
    assert!(line("nobody listens there").starts_with("<4>no hub from DPS: "), "{log}");
    let refused = line("unknown field `intervall`");
    assert!(
        refused.starts_with("<4>the configuration in force stays: the configuration ")
            && refused.contains(": line "),
        "{log}"
    );
    assert!(refused.ends_with("device=\"sensor-thl-001\""), "one line, and the field at its end: {log}");
}

#[test]
fn why_it_does_not_start_is_an_error_in_every_line() {
    let installation = Installation::new();
    installation.configure("[telemetry]\nintervall = 7\n");
    let (log, mut program) = journal(&installation);
    assert_eq!(program.status().unwrap().code(), Some(1));
    let log = fs::read_to_string(&log).unwrap();
    assert!(
        log.starts_with("<3>container-tracker: the configuration ") && log.contains("intervall"),
        "{log}"
    );
    assert!(log.lines().all(|line| line.starts_with("<3>")), "{log}");
}
