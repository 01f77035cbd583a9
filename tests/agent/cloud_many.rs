//! `container-tracker cloud` for many devices at once, over two hubs: what is meant, what is so already, and what is printed.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::cloud::Emulator;

/// Two hubs with three devices each, three of them tagged; `twice` is at both.
fn two_hubs() -> Emulator {
    let emulator = Emulator::start(&["--hub", "east", "--hub", "west"]);
    for (hub, ids) in [("east", ["e-1", "e-2", "twice"]), ("west", ["w-1", "w-2", "twice"])] {
        for id in ids {
            emulator.json(&["device", "create", "-n", hub, "-d", id]);
        }
    }
    for id in ["e-1", "w-1"] {
        emulator.json(&["twin", "update", "-d", id, "--tags", "sold=true"]);
    }
    emulator
}

/// What became of each, in order.
fn outcomes(rows: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.as_array().unwrap().iter().map(|row| (text(&row["deviceId"]), text(&row["outcome"]))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(id, outcome)| ((*id).to_owned(), (*outcome).to_owned())).collect()
}

#[test]
fn a_verb_reaches_many_devices_at_all_hubs_and_does_again_only_what_is_left() {
    let emulator = two_hubs();
    let sold = ["device", "disable", "--where", "tags.sold = true", "--status-reason", "sold"];
    let dry = emulator.json(&[&sold[..], &["--dry-run"]].concat());
    assert_eq!(outcomes(&dry), pairs(&[("e-1", "would"), ("w-1", "would")]));
    assert_eq!(emulator.json(&["device", "show", "-d", "w-1"])["status"], "enabled");
    assert_eq!(outcomes(&emulator.json(&sold)), pairs(&[("e-1", "done"), ("w-1", "done")]));
    assert_eq!(emulator.json(&["device", "show", "-d", "w-1"])["statusReason"], "sold");
    let again = emulator.run(&sold);
    assert_eq!(
        outcomes(&serde_json::from_slice(&again.stdout).unwrap()),
        pairs(&[("e-1", "already"), ("w-1", "already")])
    );
    assert_eq!(String::from_utf8(again.stderr).unwrap(), "2 devices: 2 disabled already\n");

    // What is wrong with one keeps nothing from the others.
    let update =
        ["twin", "update", "-d", "e-2", "twice", "nowhere", "w-2", "--desired", "telemetryInterval=7"];
    let output = emulator.run(&update);
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = [("e-2", "done"), ("twice", "failed"), ("nowhere", "failed"), ("w-2", "done")];
    assert_eq!(outcomes(&rows), pairs(&wanted));
    assert_eq!(rows[1]["error"], "east and west have it: choose one with --hub-name");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("4 devices: 2 updated, 2 failed; the same command again does what is left"),
        "{error}"
    );
    assert_eq!(
        emulator.json(&["twin", "show", "-d", "w-2"])["properties"]["desired"]["telemetryInterval"],
        7
    );

    let file = emulator.path("ids.txt");
    fs::write(&file, "w-2\r\n\n# gone\ne-2\nnowhere\n").unwrap();
    let delete = ["device", "delete", "--from", file.to_str().unwrap()];
    let wanted = [("w-2", "done"), ("e-2", "done"), ("nowhere", "already")];
    assert_eq!(outcomes(&emulator.json(&delete)), pairs(&wanted));
    let wanted = [("w-2", "already"), ("e-2", "already"), ("nowhere", "already")];
    assert_eq!(outcomes(&emulator.json(&delete)), pairs(&wanted));

    let table = emulator.text(&["device", "enable", "-d", "e-1", "w-1", "-o", "table"]);
    assert_eq!(
        table,
        "DeviceId  Hub   Outcome\n--------  ----  -------\ne-1       east  done\nw-1       west  done\n"
    );
}

#[test]
fn a_selection_that_is_nothing_everything_or_nonsense_gets_a_sentence() {
    let emulator = two_hubs();
    let nothing = emulator.run(&["device", "delete", "--where", "tags.colour = 'red'"]);
    assert!(nothing.status.success());
    assert_eq!(
        String::from_utf8(nothing.stderr).unwrap(),
        "no device meets the condition: nothing was done\n"
    );
    let empty = emulator.path("empty.txt");
    fs::write(&empty, "\n# none\n").unwrap();
    let strange = emulator.path("strange.txt");
    fs::write(&strange, "e-1\nBad Name\n").unwrap();
    let login = "HostName=h.azure-devices.net;SharedAccessKeyName=x;SharedAccessKey=a2V5MQ==";
    for (arguments, sentence) in [
        (
            &["device", "delete", "--where", "deviceId != ''"][..],
            "about to reach every device of east, west, 6 in all",
        ),
        (&["device", "delete", "--where", " "], "--where is empty"),
        (&["device", "delete", "--where", "nonsense ="], "--where: localhost:"),
        (&["device", "delete", "--from", empty.to_str().unwrap()], "names no device: nothing was done"),
        (&["device", "delete", "--from", strange.to_str().unwrap()], "line 2 of "),
        (&["device", "delete", "--from", "/nowhere"], "--from: can't read /nowhere"),
        (&["device", "enable", "-d", "e-1", "w-1", "--etag", "AAAA"], "--etag is of one thing"),
        (&["twin", "show", "-d", "nobody"], "none of the hubs east, west has a device \"nobody\""),
        (
            &["twin", "show", "-d", "twice"],
            "east and west have a device \"twice\": choose one with --hub-name",
        ),
        (&["device", "create", "-d", "new"], "choose one with --hub-name"),
        (
            &["device", "create", "-d", "new", "-l", login, "-l", login],
            "2 of the --login name a hub; this needs one",
        ),
        (&["registration", "list", "-l", login, "-l", login], "no --login names a provisioning service"),
        (
            &["enrollment", "create", "--enrollment-id", "a", "b", "--certificate-path", "x.pem"],
            "write {id} where",
        ),
        (
            &["enrollment", "update", "--enrollment-id", "a", "b", "-d", "x"],
            "--device-id is of one enrollment",
        ),
        (&["device", "list", "--query", "[0"], "it is not JMESPath: "),
    ] {
        let error = emulator.error(arguments);
        assert!(error.contains(sentence), "{arguments:?}: {error}");
        assert!(!error.contains("a2V5MQ"), "{error}");
    }
    assert_eq!(emulator.json(&["device", "list", "--query", "length(@)"]), 6);
    emulator.text(&["device", "delete", "--where", "deviceId != ''", "--yes"]);
    assert_eq!(emulator.json(&["device", "list"]), json!([]));
}

#[test]
fn who_asks_for_the_end_is_told_what_was_done_and_what_was_not() {
    let emulator = two_hubs();
    let ledger = emulator.path("done");
    // Nobody is connected, and each call waits two seconds for that.
    let arguments = ["method", "invoke", "-d", "e-1", "e-2", "w-1", "w-2", "--method-name", "ping"];
    let more = ["--method-connect-timeout", "2", "--at-once", "1", "--done", ledger.to_str().unwrap()];
    let mut program = emulator.command(&[&arguments[..], &more].concat());
    let child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while fs::read_to_string(&ledger).unwrap_or_default().is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wanted = [("e-1", "failed"), ("e-2", "not tried"), ("w-1", "not tried"), ("w-2", "not tried")];
    assert_eq!(outcomes(&rows), pairs(&wanted));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("stopped: 4 devices: 1 failed, 3 not tried; the same command again"), "{error}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_diagnosis_of_a_device_that_can_not_be_asked_says_why_and_what_helps() {
    let emulator = two_hubs();
    let diagnose = |id: &str| {
        let output = emulator.run(&["diagnose", "-d", id, "-o", "json"]);
        assert_eq!(output.status.code(), Some(1));
        let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&format!("{id}: 1 thing is wrong")), "{error}");
        (diagnosis["outcome"].clone(), diagnosis["findings"][0]["text"].as_str().unwrap().to_owned())
    };
    assert_eq!(diagnose("e-1"), (json!("offline"), "it has never been connected".into()));
    emulator.json(&["device", "disable", "-d", "e-1", "--status-reason", "sold"]);
    let (outcome, text) = diagnose("e-1");
    assert!(outcome == "disabled" && text.starts_with("it is disabled at the hub (sold)"), "{text}");
    let table = emulator.run(&["diagnose", "-d", "w-1"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("✗ connection: it has never been connected\n→ run"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(emulator.error(&["diagnose", "-d", "nobody"]).contains("has a device \"nobody\""));
}

#[test]
fn a_method_is_called_of_many_and_a_ledger_knows_who_has_answered() {
    let emulator = two_hubs();
    let ledger = emulator.path("done");
    let invoke =
        ["method", "invoke", "-d", "e-1", "w-1", "--method-name", "ping", "--done", ledger.to_str().unwrap()];
    let output = emulator.run(&invoke);
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcomes(&rows), pairs(&[("e-1", "failed"), ("w-1", "failed")]), "nobody is connected");
    let mut text = fs::read_to_string(&ledger).unwrap();
    assert_eq!(text, "# container-tracker cloud method invoke --method-name ping\n");
    text += "e-1 done\n";
    fs::write(&ledger, text).unwrap();
    let rows: Value = serde_json::from_slice(&emulator.run(&invoke).stdout).unwrap();
    assert_eq!(outcomes(&rows), pairs(&[("e-1", "already"), ("w-1", "failed")]));
    let other = emulator.error(&["device", "delete", "-d", "e-1", "--done", ledger.to_str().unwrap()]);
    assert!(other.contains("is not of `cloud device delete`"), "{other}");
}

#[test]
fn enrollments_of_many_are_made_changed_and_taken_out_with_their_devices() {
    let emulator = two_hubs();
    let ids = ["e-1", "w-1"];
    for id in ids {
        emulator.factory.device(id);
    }
    let template = emulator.path("{id}.pem");
    let create = [
        "enrollment",
        "create",
        "--enrollment-id",
        "e-1",
        "w-1",
        "--certificate-path",
        template.to_str().unwrap(),
    ];
    let states = |rows: &Value| -> Vec<String> {
        rows.as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&emulator.json(&create)), ["done", "done"]);
    assert_eq!(states(&emulator.json(&create)), ["already", "already"]);
    let sold = ["--where", "tags.sold = true", "--provisioning-status", "disabled"];
    let update = [&["enrollment", "update"], &sold[..]].concat();
    assert_eq!(states(&emulator.json(&update)), ["done", "done"]);
    assert_eq!(states(&emulator.json(&update)), ["already", "already"]);
    assert_eq!(
        emulator.text(&[
            "enrollment",
            "list",
            "--query",
            "[].[registrationId, provisioningStatus]",
            "-o",
            "tsv"
        ]),
        "e-1\tdisabled\nw-1\tdisabled\n"
    );
    let out = emulator.json(&["deprovision", "-d", "e-1", "w-2", "nowhere"]);
    assert_eq!(outcomes(&out), pairs(&[("e-1", "done"), ("w-2", "done"), ("nowhere", "already")]));
    assert_eq!(out[0]["result"]["deleted"], "enrollment, device");
    let delete = ["enrollment", "delete", "--enrollment-id", "e-1", "w-1"];
    assert_eq!(states(&emulator.json(&delete)), ["already", "done"]);
    let left = emulator.json(&["device", "list", "--query", "[].deviceId"]);
    assert_eq!(left, json!(["e-2", "twice", "twice", "w-1"]));
}

#[test]
fn results_are_chosen_ordered_and_shown_over_all_hubs() {
    let emulator = two_hubs();
    let query = ["query", "-q", "SELECT status, deviceId FROM devices WHERE tags.sold = true"];
    let shown = |more: &[&str]| emulator.text(&[&query[..], more].concat());
    assert_eq!(
        shown(&["-o", "table"]),
        "hub   status   deviceId\n----  -------  --------\neast  enabled  e-1\nwest  enabled  w-1\n"
    );
    assert_eq!(shown(&["-o", "tsv"]), "east\tenabled\te-1\nwest\tenabled\tw-1\n");
    assert_eq!(shown(&["-o", "tsv", "--query", "[].{id: deviceId, at: hub}"]), "e-1\teast\nw-1\twest\n");
    assert_eq!(
        shown(&["-o", "table", "--query", "[].{id: deviceId, at: hub}"]),
        "id   at\n---  ----\ne-1  east\nw-1  west\n"
    );
    let fleet = emulator.json(&["fleet", "-o", "json", "--where", "tags.sold = true"]);
    assert_eq!(
        fleet,
        json!([
            {"deviceId": "e-1", "hub": "east", "connection": "Disconnected", "alarms": []},
            {"deviceId": "w-1", "hub": "west", "connection": "Disconnected", "alarms": []},
        ])
    );
    assert!(emulator.text(&["fleet", "--top", "1"]).starts_with("Device  Hub   State    Place  °C"));
}
