//! `provision` and `check` on the built program against the local Azure.

#![cfg(all(feature = "lab", unix))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::io::Write;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tracker_emulator::{AttestationMechanism, Emulator, EmulatorBuilder, EnrollmentGroup};

use crate::support::openssl::Factory;
use crate::support::pseudo_terminal;
use crate::support::service::{Installation, Manager, PATIENCE};

const HUB: &str = "cheese-hub.azure-devices.net";
const GROUP: &str = "container-trackers";

/// An emulator that has enrolled the factory's intermediate CA, and a device that knows its way there.
async fn cloud(installation: &Installation) -> Emulator {
    cloud_with(installation, Emulator::builder(), None).await
}

/// As [`cloud`], and it issues certificates.
async fn issuing_cloud(installation: &Installation) -> Emulator {
    let builder = Emulator::builder().certificate_policy("monthly", Duration::from_hours(720));
    cloud_with(installation, builder, Some("monthly")).await
}

async fn cloud_with(installation: &Installation, builder: EmulatorBuilder, policy: Option<&str>) -> Emulator {
    let emulator = builder.port(0).hubs([HUB]).start().await.unwrap();
    let factory: &Factory = &installation.factory;
    emulator.dps().certificates().upload_verified("root", &factory.pem("root")).unwrap();
    let attestation = AttestationMechanism::signing_certificate(factory.pem("intermediate"));
    let mut group = EnrollmentGroup::new(GROUP, attestation);
    group.terms.certificate_policy_name = policy.map(Into::into);
    emulator.dps().groups().create(group).unwrap();
    fs::write(installation.path("server-ca.pem"), emulator.server_ca_pem()).unwrap();
    let config = fs::read_to_string(&installation.config).unwrap();
    let config = config
        .replace("localhost:1", &format!("localhost:{}", emulator.port()))
        .replace("0ne00000001", emulator.id_scope());
    fs::write(&installation.config, config).unwrap();
    emulator
}

async fn ask(installation: &Installation, command: &str, arguments: &[&str]) -> Output {
    let mut program = installation.program(command);
    program.args(arguments);
    tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_provisioned_once_and_the_agent_goes_straight_to_its_hub() {
    let installation = Installation::new();
    let emulator = cloud(&installation).await;

    let dry = ask(&installation, "provision", &["--dry-run", "--json"]).await;
    assert_eq!((dry.status.code(), &json(&dry)["stored"]), (Some(0), &false.into()));
    assert!(!installation.path("state/assignment.json").exists());

    let output = ask(&installation, "provision", &[]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, format!("sensor-thl-001 is assigned to {HUB} (stored)\n"));
    assert_eq!(output.status.code(), Some(0));

    let report = json(&ask(&installation, "check", &["--json"]).await);
    let text = |id: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["id"] == id).unwrap()["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(report["failed"], 0, "{report:#}");
    assert!(
        text("dps").contains("takes a connection as sensor-thl-001; whether that is enrolled, only"),
        "{}",
        text("dps")
    );
    assert_eq!(text("assignment"), format!("sensor-thl-001 at {HUB}"));
    assert!(
        text("tls").starts_with("TLS 1.3 with localhost, whose certificate leads to CN="),
        "{}",
        text("tls")
    );

    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    let heard = tokio::task::spawn_blocking(move || manager.hear(&format!("STATUS=online at {HUB}")));
    heard.await.unwrap();
    assert!(!service.log().contains("asking DPS"), "{}", service.log());
    tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_asked_for_with_the_registration_and_a_dry_run_throws_it_away() {
    let installation = Installation::new();
    let (emulator, config) = (cloud(&installation).await, fs::read_to_string(&installation.config).unwrap());
    fs::write(&installation.config, config + "[identity.operational]\nissuer = \"dps\"\n").unwrap();
    let none = ask(&installation, "provision", &["--json"]).await;
    assert_eq!((none.status.code(), &json(&none)["outcome"]), (Some(3), &"notIssued".into()));
    let text = json(&none)["text"].as_str().unwrap().to_owned();
    assert!(
        text.contains("issued no certificate, although one was asked for (identity.operational)"),
        "{text}"
    );
    assert!(!installation.path("state/assignment.json").exists());

    emulator.shutdown().await;
    let installation = Installation::new();
    let emulator = issuing_cloud(&installation).await;
    let config = fs::read_to_string(&installation.config).unwrap();
    fs::write(&installation.config, config + "[identity.operational]\nissuer = \"dps\"\n").unwrap();
    let dry = ask(&installation, "provision", &["--dry-run"]).await;
    let text = String::from_utf8(dry.stdout).unwrap();
    assert!(
        text.contains(" (not stored); a certificate for the hub was asked for and issued, until "),
        "{text}"
    );
    assert!(!installation.path("state/operational").exists());
    let output = ask(&installation, "provision", &["--json"]).await;
    let (report, code) = (json(&output), output.status.code());
    assert_eq!((code, &report["issued"]["certificates"][0]["slot"]), (Some(0), &"next".into()), "{report}");
    let text = report["text"].as_str().unwrap();
    assert!(
        text.contains(" (stored); issued for the hub: next until ") && text.contains("renewal due"),
        "{text}"
    );

    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    let heard = tokio::task::spawn_blocking(move || manager.hear(&format!("STATUS=online at {HUB}")));
    heard.await.unwrap();
    assert!(!service.log().contains("asking DPS"), "{}", service.log());
    let begun = std::time::Instant::now();
    while !installation.path("state/operational/current.pem").exists() {
        assert!(begun.elapsed() < PATIENCE, "the hub has taken it, and nobody knows:\n{}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_tells_the_class_of_the_outcome() {
    let installation = Installation::new();
    let emulator = cloud(&installation).await;
    let config = fs::read_to_string(&installation.config).unwrap();
    fs::write(&installation.config, config.replace(emulator.id_scope(), "0ne0BAD")).unwrap();
    let report = json(&ask(&installation, "check", &["--json"]).await);
    let checks = report["checks"].as_array().unwrap();
    let dps = checks.iter().find(|check| check["id"] == "dps").unwrap();
    assert!(
        dps["text"].as_str().unwrap().ends_with("is the ID scope 0ne0BAD right (dps.id_scope)?"),
        "{dps}"
    );
    assert_eq!(ask(&installation, "provision", &[]).await.status.code(), Some(3));
    fs::write(&installation.config, config).unwrap();

    emulator.dps().groups().disable(GROUP).unwrap();
    let refused = ask(&installation, "provision", &["--json"]).await;
    assert_eq!((refused.status.code(), &json(&refused)["outcome"]), (Some(3), &"refused".into()));
    let why = json(&refused)["text"].as_str().unwrap().to_owned();
    assert!(why.starts_with("DPS refuses this device: the enrollment of this device, or its group"), "{why}");

    emulator.shutdown().await;
    let unreachable = ask(&installation, "provision", &[]).await;
    assert_eq!(unreachable.status.code(), Some(5));
    let text = String::from_utf8(unreachable.stdout).unwrap();
    assert!(text.starts_with("no hub from DPS: "), "{text}");

    fs::remove_file(installation.path("device.key")).unwrap();
    let broken = ask(&installation, "provision", &[]).await;
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8(broken.stderr).unwrap().contains("can't read the private key"));
}

/// A factory line without the time from the internet, and a receiver with a fix.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn gps_tells_the_time_where_nobody_else_does() {
    let installation = Installation::new();
    let emulator = cloud(&installation).await;
    let (mut receiver, port) = pseudo_terminal();
    let gps = format!("[sensors.gps]\nenabled = true\nport = \"{}\"\n", port.display());
    let config = fs::read_to_string(&installation.config).unwrap();
    let config = config.replace("[sensors.gps]\nenabled = false\n", &gps);
    assert!(config.contains(&gps), "{config}");
    let config = config.replace("trust_system = true", "trust_system = false");
    fs::write(&installation.config, config).unwrap();
    std::thread::spawn(move || {
        loop {
            let sentence = container_tracker::platform::clock::system_time()
                .format("GPRMC,%H%M%S.00,A,5157.6,N,00430.0,E,0.0,0.0,%d%m%y,,,A")
                .to_string();
            let checksum = sentence.bytes().fold(0, |sum, byte| sum ^ byte);
            if receiver.write_all(format!("${sentence}*{checksum:02X}\r\n").as_bytes()).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    let output = ask(&installation, "provision", &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    emulator.shutdown().await;
}
