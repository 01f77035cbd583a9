//! What the commands say of certificates that Azure has issued, and that they are forgotten with the rest.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::fs;

use container_tracker::config::Config;
use container_tracker::identity::operational::Pairs;
use serde_json::Value;
use support::issuer::renew;
use support::service::{Installation, Manager};

const DEVICE: &str = "sensor-thl-001";

fn pairs(installation: &Installation) -> Pairs {
    Config::load(&installation.config).unwrap().pairs().unwrap().unwrap()
}

fn configured() -> Installation {
    let installation = Installation::new();
    let config = fs::read_to_string(&installation.config).unwrap();
    fs::write(&installation.config, config + "[identity.operational]\nissuer = \"dps\"\n").unwrap();
    fs::create_dir_all(installation.path("state")).unwrap();
    installation
}

/// Verdict and text of the check of them.
fn check(installation: &Installation) -> Option<(String, String)> {
    let output = installation.ask("check", &["--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == "operational")?;
    Some((check["verdict"].as_str().unwrap().to_owned(), check["text"].as_str().unwrap().to_owned()))
}

#[test]
fn check_tells_how_they_stand_and_nothing_where_there_are_to_be_none() {
    assert_eq!(check(&Installation::new()), None);
    let installation = configured();
    let (verdict, text) = check(&installation).unwrap();
    assert_eq!((&*verdict, &*text), ("pass", "none yet: the agent asks for one when it registers"));
    let mut pairs = pairs(&installation);
    renew(&mut pairs, DEVICE);
    let first = pairs.candidates()[0].identity.thumbprint.clone();
    let (verdict, text) = check(&installation).unwrap();
    assert!(
        verdict == "pass" && text.starts_with("next until ") && text.ends_with("not yet taken by the hub"),
        "{text}"
    );
    pairs.proved(&first).unwrap();
    renew(&mut pairs, DEVICE);
    let second = pairs.candidates()[0].identity.thumbprint.clone();
    pairs.refused(&second).unwrap();
    let (verdict, text) = check(&installation).unwrap();
    assert!(
        verdict == "pass" && text.starts_with("current until ") && text.ends_with("refused by the hub once"),
        "{text}"
    );
    fs::write(installation.path("state/operational/next.pem"), "cheese").unwrap();
    let (verdict, text) = check(&installation).unwrap();
    assert!(verdict == "warn" && text.contains("next.pem holds no certificate in PEM form"), "{text}");
    assert!(installation.path("state/operational/next.pem").exists(), "who looks changes nothing");
}

#[test]
fn status_tells_both_certificates() {
    let installation = configured();
    renew(&mut pairs(&installation), DEVICE);
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    manager.hear("READY=1");
    let shown = String::from_utf8(installation.ask("status", &[]).stdout).unwrap();
    assert!(shown.contains("certificate   sensor-thl-001, "), "{shown}");
    assert!(shown.contains("issued        next until ") && shown.contains(", renewal due "), "{shown}");
    let json: Value = serde_json::from_slice(&installation.ask("status", &["--json"]).stdout).unwrap();
    assert_eq!(json["status"]["issued"]["certificates"][0]["slot"], "next", "{json}");
    service.stop();
}

#[test]
fn deprovision_forgets_them_also_where_none_are_configured_any_more() {
    for is_configured in [true, false] {
        let installation = configured();
        renew(&mut pairs(&installation), DEVICE);
        if !is_configured {
            let config = fs::read_to_string(&installation.config).unwrap();
            let config = config.replace("[identity.operational]\nissuer = \"dps\"\n", "");
            fs::write(&installation.config, config).unwrap();
        }
        let output = installation.ask("deprovision", &["--yes"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("trip and chain, issued certificates with their keys in "), "{text}");
        assert!(!installation.path("state/operational").exists());
        assert!(installation.path("device.key").exists() && installation.path("chain.pem").exists());
        let output = installation.ask("deprovision", &["--yes"]);
        assert!(!String::from_utf8(output.stdout).unwrap().contains("issued"));
    }
}
