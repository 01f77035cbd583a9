//! The built program shows no part of a key, whatever has happened to its file, and wherever it is named by mistake.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
#[cfg(feature = "lab")]
use std::process::Command;
use std::process::Output;

use crate::support::service::{Installation, Manager};

/// What may not be seen of a PKCS#8 key on P-256: its scalar, in base64 and in hexadecimal digits.
struct Secret(Vec<Vec<u8>>);

impl Secret {
    fn of(pem: &str) -> Self {
        const SCALAR: std::ops::Range<usize> = 48..90;
        let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let scalar = base64[SCALAR].as_bytes();
        Self(scalar.windows(12).map(<[u8]>::to_vec).collect())
    }

    #[track_caller]
    fn is_not_in(&self, what: &str, text: &[u8]) {
        let found = self.0.iter().any(|part| text.windows(part.len()).any(|window| window == part));
        assert!(!found, "{what} shows a part of the key: {}", String::from_utf8_lossy(text));
    }

    #[track_caller]
    fn is_not_said(&self, what: &str, output: &Output) {
        assert!(!output.status.success(), "{what} succeeds");
        self.is_not_in(what, &[output.stdout.as_slice(), &output.stderr].concat());
    }

    /// In any file, under whatever name.
    #[track_caller]
    fn is_not_under(&self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.is_not_under(&path);
            } else {
                self.is_not_in(&path.display().to_string(), &fs::read(&path).unwrap_or_default());
            }
        }
    }
}

/// The ways of a file through shells, portals and editors.
fn mangled(key: &str) -> [(&'static str, Vec<u8>); 8] {
    let wide = key.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let on_one_line = key.replace('\n', "");
    [
        ("line feeds as two characters", key.replace('\n', "\\n").into()),
        ("in quotation marks", format!("\"{}\"", key.replace('\n', "\\n")).into()),
        ("UTF-16", wide),
        ("cut", key[..key.len() - 40].into()),
        ("without its begin", key.replacen("-----BEGIN PRIVATE KEY-----\n", "", 1).into()),
        ("four dashes", key.replacen("KEY-----\n", "KEY----\n", 1).into()),
        ("a character that is none", on_one_line.replacen('g', "*", 1).into()),
        ("as a certificate", key.replace("PRIVATE KEY", "CERTIFICATE").into()),
    ]
}

#[cfg(feature = "lab")]
fn cloud(arguments: &[&str], certificate: &Path, root: &Path) -> Output {
    let login = "HostName=localhost:1;SharedAccessKeyName=x;SharedAccessKey=a2V5MQ==";
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    program.arg("cloud").args(arguments).arg("--certificate-path").arg(certificate);
    program.args(["--login", login, "--server-ca"]).arg(root).output().unwrap()
}

#[test]
fn no_part_of_a_key_is_shown_whatever_has_happened_to_its_file() {
    let installation = Installation::new();
    let [key, chain, config] =
        ["device.key", "chain.pem", "tracker.toml"].map(|name| installation.path(name));
    let root = installation.path("server-ca.pem");
    let [good_key, good_chain, good_config] =
        [&key, &chain, &config].map(|path| fs::read_to_string(path).unwrap());
    let secret = Secret::of(&good_key);
    let key_alone = [("as it is", good_key.clone().into_bytes())];
    for (how, content) in mangled(&good_key).into_iter().chain(key_alone) {
        for (place, path) in
            [("key", &key), ("certificate", &chain), ("roots", &root), ("configuration", &config)]
        {
            if (place, how) == ("key", "as it is") {
                continue;
            }
            let before = fs::read(path).unwrap();
            fs::write(path, &content).unwrap();
            for command in ["check", "provision"] {
                secret.is_not_said(&format!("{command}, {place} {how}"), &installation.ask(command, &[]));
            }
            // It ends, as it was never online.
            secret.is_not_said(&format!("run, {place} {how}"), &installation.ask("run", &[]));
            #[cfg(feature = "lab")]
            if place == "certificate" {
                for noun in ["enrollment", "enrollment-group"] {
                    let output = cloud(
                        &[noun, "create", "--enrollment-id", "x"],
                        path,
                        &installation.path("server-ca.pem"),
                    );
                    secret.is_not_said(&format!("cloud {noun}, {how}"), &output);
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    assert!(said.contains("chain.pem"), "the file is named, {how}: {said}");
                }
            }
            fs::write(path, before).unwrap();
        }
    }
    assert_eq!(fs::read_to_string(&chain).unwrap(), good_chain);
    assert_eq!(fs::read_to_string(&config).unwrap(), good_config);
    if installation.path("state").exists() {
        secret.is_not_under(&installation.path("state"));
    }
}

#[test]
fn a_service_that_goes_on_without_its_key_tells_no_part_of_it() {
    let installation = Installation::new();
    let key = installation.path("device.key");
    let good = fs::read_to_string(&key).unwrap();
    let secret = Secret::of(&good);
    fs::write(&key, good.replace('\n', "\\n")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(installation.path("state")).unwrap();
    // Once it has been online, it goes on measuring.
    let stored = "{\"hub\": \"old-hub\", \"deviceId\": \"sensor-thl-001\", \"thumbprint\": \"00\", \
                  \"idScope\": \"0ne00000001\", \"dpsHost\": \"localhost\"}";
    fs::write(installation.path("state/assignment.json"), stored).unwrap();
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    service.wait_for_words("its line feeds are written as");
    manager.hear("READY=1");
    for arguments in [&[][..], &["--json"]] {
        let output = installation.ask("status", arguments);
        secret.is_not_in("status", &[output.stdout.as_slice(), &output.stderr].concat());
    }
    service.stop();
    fs::remove_file(&key).unwrap();
    secret.is_not_under(installation.directory.path());
}
