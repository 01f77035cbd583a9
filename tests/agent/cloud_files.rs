//! What `container-tracker cloud` makes of files: certificates, connection strings, and what is none of them.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tracker_emulator::soft_tpm::SoftTpm;

use crate::cloud::{DEVICE, Emulator, text};

/// Of a file that holds more than a certificate, nothing leaves the machine.
#[test]
fn a_file_with_a_key_in_it_stays_where_it_is() {
    let emulator = Emulator::start(&[]);
    let factory = &emulator.factory;
    let both = factory.pem("root") + &std::fs::read_to_string(emulator.path("root.key")).unwrap();
    std::fs::write(emulator.path("both.pem"), both).unwrap();
    factory.openssl(&["pkey", "-in", "root.key", "-outform", "DER", "-out", "key.der"]);
    let export = ["pkcs12", "-export", "-in", "both.pem", "-passout", "pass:", "-out", "both.pfx"];
    factory.openssl(&export);
    let glued = factory.pem("root").trim_end().to_owned() + &factory.pem("intermediate");
    std::fs::write(emulator.path("glued.pem"), glued).unwrap();
    let create = |file: &str| {
        let path = emulator.path(file);
        emulator.run(&[
            "enrollment-group",
            "create",
            "--enrollment-id",
            "x",
            "--certificate-path",
            text(&path),
        ])
    };
    for (file, sentence) in [
        ("both.pem", "both.pem holds a private key too: it stays where it is. Take the certificate out"),
        ("key.der", "key.der is not a certificate"),
        ("both.pfx", "is wanted; it is PKCS#12 (.pfx, .p12), convert it: openssl pkcs12"),
        ("glued.pem", "2 certificates where one is meant"),
    ] {
        let output = create(file);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(sentence), "{file}: {error}");
    }
    assert_eq!(emulator.json(&["enrollment-group", "list"]), json!([]));
    // What comes with a certificate as people's tools write it is left here.
    let words =
        format!("Bag Attributes\r\n  friendlyName: root\r\n{}", factory.pem("root").replace('\n', "\r\n"));
    std::fs::write(emulator.path("words.pem"), words).unwrap();
    assert!(create("words.pem").status.success());
    let shown = emulator.text(&["enrollment-group", "show", "--enrollment-id", "x"]);
    assert!(
        shown.contains("BEGIN CERTIFICATE") && !shown.contains("Bag") && !shown.contains("\\r"),
        "{shown}"
    );
}

#[test]
fn each_kind_of_enrollment_takes_its_own_kind_of_certificate() {
    let emulator = Emulator::start(&[]);
    emulator.factory.device(DEVICE);
    let [leaf, ca] = [&format!("{DEVICE}.pem"), "intermediate.pem"].map(|name| emulator.path(name));
    let create = |noun: &str, path: &Path| {
        let arguments = [noun, "create", "--enrollment-id", DEVICE, "--certificate-path", text(path)];
        let output = emulator.run(&arguments);
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (_, error) = create("enrollment-group", &leaf);
    assert!(
        error.contains("is not a CA certificate") && error.contains("`cloud enrollment create`"),
        "{error}"
    );
    let (_, error) = create("enrollment", &ca);
    assert!(error.contains("is a CA certificate and not that of sensor-thl-001"), "{error}");
    assert!(error.contains("`cloud enrollment-group create`"), "{error}");
    assert!(create("enrollment", &leaf).0 && create("enrollment-group", &ca).0);
    // As `openssl req -x509` makes one for a device.
    let own = ["-key", "sensor-thl-001.key", "-subj", "/CN=own-1", "-days", "9", "-out", "own.pem"];
    emulator.factory.openssl(&[&["req", "-x509", "-new"], &own[..]].concat());
    let own = emulator.path("own.pem");
    emulator.json(&["enrollment", "create", "--enrollment-id", "own-1", "--certificate-path", text(&own)]);

    // A TPM is enrolled by its keys: base64, or a file as its tools write it.
    let key = SoftTpm::public_alone().endorsement_key();
    let (file, base64) = (emulator.path("box-1.pub"), STANDARD.encode(&key));
    std::fs::write(&file, &key).unwrap();
    let create = ["enrollment", "create", "--enrollment-id"];
    let from_file = emulator.path("{id}.pub");
    emulator.json(&[&create[..], &["box-1", "--endorsement-key", text(&from_file)]].concat());
    let both = ["box-2", "--at", "tpm", "--ek", &base64, "--storage-root-key", &base64];
    emulator.json(&[&create[..], &both].concat());
    let shown = emulator.json(&["enrollment", "show", "--enrollment-id", "box-1"]);
    assert_eq!(shown["attestation"], json!({"type": "tpm", "tpm": {"endorsementKey": base64}}));
    let list = emulator.text(&["enrollment", "list", "--output", "table"]);
    assert!(list.lines().any(|line| line.contains("box-2") && line.contains("tpm")), "{list}");
    let update = ["enrollment", "update", "--enrollment-id"];
    emulator.json(&[&update[..], &["box-1", "--storage-root-key", &base64]].concat());
    let shown = emulator.json(&["enrollment", "show", "--enrollment-id", "box-1"]);
    assert_eq!(shown["attestation"]["tpm"], json!({"endorsementKey": base64, "storageRootKey": base64}));
    for (arguments, words) in [
        (&["enrollment", "create", "--enrollment-id", "b", "--at", "tpm"][..], "name the endorsement key"),
        (&["enrollment", "create", "--enrollment-id", "b", "--ek", "/nowhere"], "neither a file nor base64"),
        (
            &["enrollment", "create", "--enrollment-id", "b", "--at", "x509", "--ek", &base64],
            "--attestation-type tpm",
        ),
        (&["enrollment", "update", "--enrollment-id", "own-1", "--ek", &base64], "this one is \"x509\""),
        (&["enrollment", "create", "--enrollment-id", "b", "c", "--ek", &base64], "of one device"),
        (&["enrollment-group", "create", "--enrollment-id", "g", "--at", "tpm"], "a TPM is of one device"),
    ] {
        let error = emulator.error(arguments);
        assert!(error.contains(words), "{arguments:?}: {error}");
    }

    let add = ["certificate", "add", "--ca-name", "my root", "--certificate-path"];
    let error = emulator.error(&[&add[..], &[text(&emulator.path("root.pem"))]].concat());
    assert!(error.contains("1 to 64 letters, digits, '-', '.' and '_'"), "{error}");
}

#[test]
fn a_connection_string_in_a_file_is_read_as_people_write_it() {
    let emulator = Emulator::start(&[]);
    let of_hub = emulator.file()["hubs"][0]["connectionString"].as_str().unwrap().to_owned();
    let from_file = format!("@{}", text(&emulator.path("login")));
    for form in [format!("\"{of_hub}\"\n"), format!("\u{feff}{of_hub}\r\n")] {
        std::fs::write(emulator.path("login"), form).unwrap();
        assert_eq!(emulator.json(&["device", "list", "--login", &from_file]), json!([]));
    }
    // As --print-connection-strings prints them.
    std::fs::write(emulator.path("login"), format!("12:00 connectionString {of_hub}\n{of_hub}\n{of_hub}\n"))
        .unwrap();
    let error = emulator.error(&["device", "list", "--login", &from_file]);
    assert!(error.contains("there are 3 lines where one connection string is meant"), "{error}");
    std::fs::write(
        emulator.path("login"),
        of_hub.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
    )
    .unwrap();
    let error = emulator.error(&["device", "list", "--login", &from_file]);
    assert!(error.contains("it is written in UTF-16; convert it"), "{error}");
}

#[test]
fn a_file_of_the_emulator_that_was_edited_is_named_and_not_repeated() {
    let emulator = Emulator::start(&[]);
    let mut edited = emulator.file();
    let of_hub = edited["hubs"][0]["connectionString"].clone();
    let key = of_hub.as_str().unwrap().split_once("SharedAccessKey=").unwrap().1.to_owned();
    edited["provisioningService"] = of_hub;
    std::fs::write(emulator.path("emulator.json"), edited.to_string()).unwrap();
    let error = emulator.error(&["device", "list"]);
    assert!(error.contains("is not what an emulator writes, see line 1") && !error.contains(&key), "{error}");
}
