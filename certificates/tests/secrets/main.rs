//! No message shows a part of a key, whatever has happened to its file, and wherever it is put by mistake.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::disallowed_methods)]

mod mangled;
mod secret;

use std::fmt::Write as _;
use std::process::Command;
use std::sync::OnceLock;

use mangled::{mangled, mishaps};
use proptest::prelude::*;
use secret::Secret;
use tracker_certificates::{Document, Fields, Key, Name, issued_by};

struct KeyFile {
    pem: String,
    secret: Secret,
}

struct Files {
    keys: Vec<KeyFile>,
    certificate: String,
}

/// Made by OpenSSL, once.
fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let directory = std::env::temp_dir().join(format!("tracker-certificates-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let run = |arguments: &str| {
            let output = Command::new("openssl").args(arguments.split(' ')).current_dir(&directory).output();
            let output = output.expect("the openssl command line is installed");
            assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let p256 = run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256");
        let p384 = "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384";
        run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa");
        let certificate = p256 + &run("req -x509 -new -key p256 -subj /CN=sensor-thl-001 -days 30");
        // Where the secret part begins, and where it ends: behind it EC keys have their public half.
        let keys = [
            (run("pkey -in p256"), 36, Some(68)),
            (run("ec -in p256"), 7, Some(39)),
            (run(p384), 35, Some(83)),
            (run("pkey -in rsa"), 299, None),
            (run("rsa -in rsa -traditional"), 273, None),
        ];
        let keys = keys.into_iter().map(|(pem, start, end)| {
            let document = Document::read(pem.as_bytes()).unwrap();
            let der = document.keys().unwrap().remove(0);
            let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            let tag = der[start - 2];
            assert!(end.is_none_or(|_| tag == 4), "the scalar follows after its header");
            let secret = Secret::new(&der, &base64, start, end.unwrap_or(der.len()));
            KeyFile { pem, secret }
        });
        let keys = keys.collect();
        std::fs::remove_dir_all(&directory).unwrap();
        Files { keys, certificate }
    })
}

/// All that can be heard of a file: as a certificate, as a chain, as a key.
fn everything_said(file: &[u8], certificate: &str) -> String {
    let mut said = String::new();
    let mut hear = |display: &dyn std::fmt::Display, debug: &dyn std::fmt::Debug| {
        writeln!(said, "{display} {debug:?}").unwrap();
    };
    let leaf = Document::read(certificate.as_bytes()).unwrap().certificates().unwrap().remove(0);
    let leaf = Fields::read(&leaf).unwrap();
    let document = match Document::read(file) {
        Ok(document) => document,
        Err(error) => {
            hear(&error, &error);
            // It may be DER as well.
            if let Err(error) = Key::read(file, leaf.public_key_info) {
                hear(&error, &error);
            }
            return said;
        }
    };
    hear(&document.instead(), &document.holds_key());
    match document.certificates() {
        Err(error) => hear(&error, &error),
        Ok(certificates) => {
            for der in &certificates {
                match Fields::read(der) {
                    Err(error) => hear(&error, &error),
                    Ok(fields) => {
                        let name = Name::read(fields.subject).map(|name| name.text(&[]));
                        hear(&"", &(name, issued_by(&fields, &leaf, 0)));
                    }
                }
            }
        }
    }
    match document.keys() {
        Err(error) => hear(&error, &error),
        Ok(keys) => {
            for key in keys {
                match Key::read(&key, leaf.public_key_info) {
                    Err(error) => hear(&error, &error),
                    Ok(key) => hear(&"", &key),
                }
            }
        }
    }
    said
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for key in &files().keys {
        assert!(key.secret.is_in(key.pem.as_bytes()));
        let shown = format!("{:?}", Document::read(key.pem.as_bytes()).unwrap().keys().unwrap());
        assert!(key.secret.is_in(shown.as_bytes()));
        assert!(!key.secret.is_in(files().certificate.as_bytes()), "the public half is no secret");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_said_shows_a_part_of_a_key(which in 0..5_usize, mishaps in mishaps()) {
        let Files { keys, certificate } = files();
        let file = mangled(&keys[which].pem, certificate, &mishaps);
        let said = everything_said(&file, certificate);
        prop_assert!(!keys[which].secret.is_in(said.as_bytes()), "{said}");
    }

    #[test]
    fn nothing_that_is_said_shows_a_part_of_a_damaged_key(
        which in 0..5_usize,
        at in any::<prop::sample::Index>(),
        by in 1..=255_u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let Files { keys, certificate } = files();
        let mut der = Document::read(keys[which].pem.as_bytes()).unwrap().keys().unwrap().remove(0);
        // Its structure is at the front, mostly.
        let at = at.index(der.len().min(60));
        der[at] ^= by;
        der.truncate(cut.index(der.len() * 3) + 1);
        let said = everything_said(&der, certificate);
        prop_assert!(!keys[which].secret.is_in(said.as_bytes()), "{said}");
        let leaf = Document::read(certificate.as_bytes()).unwrap().certificates().unwrap().remove(0);
        let leaf = Fields::read(&leaf).unwrap();
        let said = format!("{:?} {:?}", Key::read(&der, leaf.public_key_info), Fields::read(&der).err());
        prop_assert!(!keys[which].secret.is_in(said.as_bytes()), "{said}");
    }
}
