//! Hubs under their names of TLS 1.3, on the built program against the local Azure.

#![cfg(all(feature = "lab", unix))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;

use serde_json::{Value, json};
use tracker_emulator::{AttestationMechanism, Emulator, EmulatorBuilder, EnrollmentGroup, TlsVersions};

use crate::support::service::{Installation, Manager};

const HUB: &str = "cheese-hub.azure-devices.net";
const DEVICE_NAME: &str = "cheese-hub.device.azure-devices.net";

async fn cloud(builder: EmulatorBuilder, installation: &Installation) -> Emulator {
    let emulator = builder.hubs([HUB]).start().await.unwrap();
    let factory = &installation.factory;
    emulator.dps().certificates().upload_verified("root", &factory.pem("root")).unwrap();
    let attestation = AttestationMechanism::signing_certificate(factory.pem("intermediate"));
    emulator.dps().groups().create(EnrollmentGroup::new("trackers", attestation)).unwrap();
    fs::write(installation.path("server-ca.pem"), emulator.server_ca_pem()).unwrap();
    emulator
}

async fn check(installation: &Installation, id: &str) -> (String, String, String) {
    let mut program = installation.program("check");
    program.arg("--json");
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == id).unwrap();
    let part = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
    (part("verdict"), part("text"), part("mend"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_uses_the_name_that_dps_has_assigned() {
    let installation = Installation::new();
    let builder = Emulator::builder().assign_device_names().tls(TlsVersions::Split);
    let emulator = cloud(builder, &installation).await;
    let config = fs::read_to_string(&installation.config).unwrap();
    let config = config
        .replace("localhost:1", &format!("localhost:{}", emulator.port()))
        .replace("0ne00000001", emulator.id_scope());
    fs::write(&installation.config, config + "[telemetry]\ninterval = 1\n").unwrap();
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    let hub = emulator.hub(HUB).unwrap();
    let mut telemetry = hub.telemetry();
    let online = tokio::task::spawn_blocking(move || {
        manager.hear(&format!("STATUS=online at {DEVICE_NAME}"));
        manager
    });
    online.await.unwrap();
    let message = telemetry.next().await.unwrap();
    assert_eq!(message.device_id, "sensor-thl-001");
    let (verdict, text, _) = check(&installation, "assignment").await;
    assert_eq!((&*verdict, text), ("pass", format!("sensor-thl-001 at {DEVICE_NAME}")));
    let (verdict, text, _) = check(&installation, "hub").await;
    assert_eq!((&*verdict, &*text), ("skip", "the gateway is asked in its place"));
    // The roots in use are told, too.
    let mut program = installation.program("status");
    program.arg("--json");
    let output = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let root = &told["status"]["firstRootEnd"];
    assert!(
        root["name"].as_str().unwrap().starts_with("CN=container-tracker emulator server CA"),
        "{told:#}"
    );
    assert!(root["daysLeft"].as_i64().unwrap() > 20_000, "{told:#}");
    tokio::task::spawn_blocking(move || service.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_looks_at_the_hub_under_the_name_that_it_was_given() {
    let installation = Installation::new();
    let emulator = cloud(Emulator::builder(), &installation).await;
    let config = fs::read_to_string(&installation.config).unwrap();
    let config = config
        .replace("gateway = \"localhost:1\"", &format!("port = {}", emulator.port()))
        .replace("[identity]", "host = \"localhost\"\n[identity]");
    fs::write(&installation.config, config).unwrap();
    assert_eq!(check(&installation, "hub").await.1, "none is assigned yet");
    fs::create_dir_all(installation.path("state")).unwrap();
    let assign = |hub: &str| {
        let stored = json!({"hub": hub, "deviceId": "sensor-thl-001", "thumbprint": "", "idScope": "0ne00000001", "dpsHost": "localhost"});
        fs::write(installation.path("state/assignment.json"), stored.to_string()).unwrap();
    };
    assign("localhost");
    let (verdict, text, _) = check(&installation, "hub").await;
    assert!(
        verdict == "pass" && text.starts_with("TLS 1.3 with localhost, whose certificate leads to CN="),
        "{text}"
    );
    assign("gone.device.invalid");
    let (verdict, text, mend) = check(&installation, "hub").await;
    assert!(verdict == "fail" && text.starts_with("gone.device.invalid: "), "{text}");
    assert!(mend.starts_with("not every hub has a name of TLS 1.3"), "{mend}");
    assign("gone.invalid");
    let (verdict, _, mend) = check(&installation, "hub").await;
    assert!(verdict == "fail" && mend.starts_with("is there still such a hub?"), "{mend}");
    emulator.shutdown().await;
}
