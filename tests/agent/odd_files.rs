//! Something else lies where a file should: the program starts or ends with a sentence, and SIGTERM ends it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::support::service::{Installation, Manager};

type Lay = fn(&Path);

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// What may lie there, and how it is called.
const KINDS: [(&str, Lay); 5] = [
    ("a FIFO", fifo),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap())),
    ("a directory", |path| fs::create_dir(path).unwrap()),
    ("a device", |path| symlink("/dev/zero", path).unwrap()),
    ("larger than", |path| File::create(path).unwrap().set_len(300 << 20).unwrap()),
];

#[test]
fn in_the_state_directory_it_is_named_and_done_without() {
    for (kind, lay) in KINDS {
        let installation = Installation::new();
        let state = installation.path("state");
        fs::create_dir(&state).unwrap();
        for name in [
            "settings.json",
            "settings.new",
            "assignment.json",
            "assignment.new",
            "journal.db",
            "journal.db-wal",
            "journal.spare",
            "journal.aside",
        ] {
            lay(&state.join(name));
        }
        lay(&installation.path("run/status.json"));
        let checked = installation.ask("check", &[]);
        let checked = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(
            checked.contains("\n! assignment: the stored assignment can't be read (it is "),
            "{kind}: {checked}"
        );

        assert!(
            kind == "larger than" || checked.contains("\n✗ journal: the journal is damaged: journal.db"),
            "{checked}"
        );

        let manager = Manager::listen(installation.directory.path());
        let service = installation.start(&manager);
        service.wait_for_words("the stored settings can't be read (");
        service.wait_for_words("the stored assignment can't be read (");
        // A directory can't be taken for a note that is older.
        if kind == "a directory" {
            service.wait_for_words("setting it aside can't be finished: ");
        } else {
            service.wait_for_words("journal.db.bad-1");
        }
        assert!(service.log().contains(kind), "{kind}: {}", service.log());
        // At least the first reading is there before it stops.
        if kind == "a directory" {
            manager.hear("READY=1");
        }
        service.stop();
        let log = fs::read_to_string(installation.path("log")).unwrap();
        let lost = log.contains(
            "stopped, 0 readings wait for the next start, and 1 are lost: the disk did not take them",
        );
        assert_eq!(lost, kind == "a directory", "{kind}: {log}");
    }
}

#[test]
fn in_the_place_of_what_the_operator_gives_it_ends_the_program() {
    for name in ["tracker.toml", "chain.pem", "device.key", "server-ca.pem", "state/lock"] {
        let installation = Installation::new();
        fs::create_dir(installation.path("state")).unwrap();
        let path = installation.path(name);
        let _ = fs::remove_file(&path);
        fifo(&path);
        // It is closed to others, as a key must be.
        assert!(Command::new("chmod").arg("600").arg(&path).status().unwrap().success());
        for command in ["run", "check"] {
            let ended = installation.ask(command, &[]);
            let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
            // No connection comes so far that the roots are needed.
            let is_not_read = command == "check" && name == "server-ca.pem";
            let is_told = said.contains("it is a FIFO") || is_not_read;
            assert!(is_told && ended.status.code() == Some(1), "{command}, {name}: {said}");
        }
    }
}

#[test]
fn a_certificate_that_becomes_a_fifo_under_the_agent_is_named() {
    let installation = Installation::new();
    let state = installation.path("state");
    fs::create_dir(&state).unwrap();
    // One that has been online goes on without its certificate.
    let assignment =
        r#"{"hub": "h", "deviceId": "sensor-thl-001", "thumbprint": "t", "idScope": "s", "dpsHost": "g"}"#;
    File::create(state.join("assignment.json")).unwrap().write_all(assignment.as_bytes()).unwrap();
    fs::remove_file(installation.path("chain.pem")).unwrap();
    fifo(&installation.path("chain.pem"));
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    service.wait_for_words("it is a FIFO");
    service.stop();
}

#[test]
fn in_the_place_of_a_device_it_holds_up_nothing() {
    let installation = Installation::new();
    let at = |name: &str| installation.path(name).display().to_string();
    for name in ["i2c", "tty", "gpio"] {
        fifo(&installation.path(name));
    }
    let config = fs::read_to_string(&installation.config)
        .unwrap()
        .replace("[sensors.bme280]\nenabled = false", &format!("[sensors.bme280]\nbus = \"{}\"", at("i2c")))
        .replace("[sensors.gps]\nenabled = false", &format!("[sensors.gps]\nport = \"{}\"", at("tty")));
    let more = format!(
        "{config}[sensors.door]\nenabled = true\nchip = \"{}\"\n[sensors.light]\nenabled = true\nbus = \"{}\"\n",
        at("gpio"),
        at("i2c")
    );
    fs::write(&installation.config, more).unwrap();
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    for name in ["bme280: ", "gps: ", "door: ", "light: "] {
        service.wait_for_words(name);
    }
    service.stop();
}
