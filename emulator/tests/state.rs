//! What outlives a restart, and who may use a state directory.

use crate::common::{Lab, service::Service};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use std::sync::Arc;
use tracker_emulator::{
    AttestationMechanism, Emulator, EnrollmentGroup, IndividualEnrollment, ManualClock, StartError,
    StateError,
};

async fn start(directory: &std::path::Path) -> Result<Emulator, StartError> {
    let timing = std::time::Duration::ZERO;
    Emulator::builder()
        .hubs(["hub-1", "hub-2"])
        .dps_timing(timing, timing)
        .state_directory(directory)
        .start()
        .await
}

/// In the time in which the state was written: the message that waits there ends an hour later.
async fn start_as_of_then(directory: &std::path::Path) -> Emulator {
    let path = directory.join("hubs/hub-2.azure-devices.net.json");
    let hub: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path).expect("it is there")).expect("JSON");
    let mut devices = hub["devices"].as_array().expect("devices").iter();
    let expires = devices.find_map(|device| device["messages"][0]["expires"].as_str());
    let expires = expires.expect("a message waits");
    let expires: DateTime<Utc> = expires.parse().expect("a time");
    let clock = Arc::new(ManualClock::new(expires - TimeDelta::hours(1)));
    let timing = std::time::Duration::ZERO;
    let emulator = Emulator::builder().hubs(["hub-1", "hub-2"]).dps_timing(timing, timing).clock(clock);
    emulator.state_directory(directory).start().await.expect("it starts")
}

#[tokio::test]
async fn everything_that_matters_outlives_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = Lab::with(start(directory.path()).await.expect("it starts"));
    let credentials = lab.credentials("d1");
    let (status, first) = lab.register("d1", &credentials).await;
    assert_eq!(status, 200);
    let hub_name = first["registrationState"]["assignedHub"].as_str().expect("a hub").to_owned();
    let hub = lab.emulator.hub(&hub_name).expect("the hub");
    hub.update_twin_desired("d1", json!({"telemetryInterval": 60})).expect("updated");
    let message = tracker_emulator::CloudToDeviceMessage {
        body: vec![0, 255],
        properties: vec![("Colour".into(), "red".into())],
        ..tracker_emulator::CloudToDeviceMessage::default()
    };
    hub.send("d1", message).expect("room");
    let other = if hub_name.starts_with("hub-1") { "hub-2" } else { "hub-1" };
    lab.emulator.dps().unlink_hub(other).expect("unlinked");
    let (ca, strings) = (lab.emulator.server_ca_pem(), lab.emulator.connection_strings());
    let twin = hub.twin("d1").expect("the twin");
    let group = lab.emulator.dps().groups().get("trackers").expect("the group");
    let Lab { emulator, root, factory } = lab;
    emulator.shutdown().await;

    let emulator = start(directory.path()).await.expect("it starts again");
    assert_eq!(emulator.server_ca_pem(), ca);
    let keys = |strings: &[tracker_emulator::ConnectionString]| -> Vec<String> {
        strings
            .iter()
            .map(|string| string.named.rsplit("SharedAccessKey=").next().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(keys(&emulator.connection_strings()), keys(&strings));
    assert_eq!(json!(emulator.dps().groups().get("trackers").expect("the group")), json!(group));
    assert_eq!(emulator.dps().linked_hubs().len(), 1);
    assert!(emulator.dps().certificates().get("lab-root").expect("the CA").is_verified);
    assert_eq!(emulator.dps().registration("d1").expect("the record").assigned_hub.as_ref(), Some(&hub_name));
    let kept = emulator.hub(&hub_name).expect("the hub").twin("d1").expect("the twin");
    assert_eq!((kept.properties, kept.version, kept.etag), (twin.properties, twin.version, twin.etag));
    // The device goes on where it was, with the trust it had.
    let lab = Lab { emulator, root, factory };
    let mut dial = lab.to_hub("d1", &credentials);
    dial.user_name = Some(format!("{hub_name}/d1/?api-version=2021-04-12"));
    let mut device = dial.connect().await.expect("the hub lets in");
    device.subscribe("devices/d1/messages/devicebound/#").await;
    let (topic, body) = device.message().await;
    assert!(topic.contains("Colour=red"), "{topic}");
    assert_eq!(body, [0, 255]);
    device.disconnect().await;
    assert_eq!(
        Service::dps(&lab.emulator).get("/enrollmentGroups/trackers?api-version=2021-10-01").await.status,
        200
    );
    lab.emulator.shutdown().await;
}

#[tokio::test]
async fn a_state_directory_has_one_user_and_a_damaged_file_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let emulator = start(directory.path()).await.expect("it starts");
    let second = start(directory.path()).await.err().expect("it is in use");
    assert!(matches!(second, StartError::State(StateError::InUse(_))), "{second}");
    emulator.shutdown().await;
    let file = directory.path().join("dps.json");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    #[allow(clippy::disallowed_methods, reason = "the file is to be damaged")]
    std::fs::write(&file, "{half").expect("written");
    let error = start(directory.path()).await.err().expect("refused").to_string();
    assert!(error.contains("dps.json") && error.contains("move it away"), "{error}");
}

/// A state directory as the emulator wrote it before enrollments shared their terms: the format stays.
#[tokio::test]
async fn a_state_directory_of_an_earlier_emulator_opens_and_is_written_in_the_same_form() {
    let kept = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/state"));
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("hubs")).expect("made");
    let files = ["dps.json", "hubs/hub-1.azure-devices.net.json", "hubs/hub-2.azure-devices.net.json"];
    for file in files {
        std::fs::copy(kept.join(file), directory.path().join(file)).expect("copied");
    }
    let emulator = start_as_of_then(directory.path()).await;
    let dps = emulator.dps();
    let groups: Vec<_> = dps.groups().list().into_iter().map(|group| group.enrollment_group_id).collect();
    assert_eq!(groups, ["custom", "keyed", "trackers"]);
    let single = json!(dps.individuals().get("single-1").expect("the enrollment"));
    assert_eq!(single["deviceId"], "berth-7");
    assert_eq!(single["optionalDeviceInformation"], json!({"note": "kept"}));
    assert_eq!(single["capabilities"], json!({"iotEdge": true}));
    assert_eq!(single["reprovisionPolicy"], json!({"updateHubAssignment": true, "migrateDeviceData": false}));
    assert_eq!(
        (&single["allocationPolicy"], &single["iotHubs"][0]),
        (&json!("static"), &json!("hub-2.azure-devices.net"))
    );
    assert_eq!(single["initialTwin"]["properties"]["desired"]["telemetryInterval"], 30);
    assert_eq!(single["registrationState"]["status"], "assigned");
    assert_eq!(json!(dps.individuals().get("keyed-1").expect("it"))["provisioningStatus"], "disabled");
    let custom = json!(dps.groups().get("custom").expect("the group"));
    assert_eq!(custom["customAllocationDefinition"]["webhookUrl"], "https://localhost/choose");
    assert_eq!(custom["iotHubHostName"], "hub-1.azure-devices.net");
    let hub = emulator.hub("hub-2").expect("the hub");
    assert!(hub.device("berth-7").expect("the device").capabilities.iot_edge);
    emulator.shutdown().await;
    for file in files {
        let text =
            |directory: &std::path::Path| std::fs::read_to_string(directory.join(file)).expect("it is there");
        let (mut written, kept) = (text(directory.path()), text(kept));
        if file.contains("hub-2") {
            // Its edge device has gained what edge devices have now: a scope, and the modules of their runtime.
            let mut hub: serde_json::Value = serde_json::from_str(&written).expect("JSON");
            let modules = hub.as_object_mut().and_then(|hub| hub.remove("modules"));
            assert_eq!(modules.and_then(|modules| modules.as_array().map(Vec::len)), Some(2));
            let scopes = hub["devices"][0]["identity"].as_object_mut().and_then(|it| it.remove("scopes"));
            assert!(scopes.is_some());
            assert_eq!(hub, serde_json::from_str::<serde_json::Value>(&kept).expect("JSON"));
            written.clone_from(&kept);
        }
        assert_eq!(written, kept, "{file}");
    }
}

/// The identity of a device is not taken out of its hub before it is sure that the next one takes it.
#[tokio::test]
async fn a_device_that_its_next_hub_refuses_stays_where_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = Lab::with(start(directory.path()).await.expect("it starts"));
    let credentials = lab.credentials("d1");
    let end = credentials.chain_pem.find("-----END CERTIFICATE-----").expect("a leaf") + 25;
    let leaf = AttestationMechanism::client_certificate(&credentials.chain_pem[..end]);
    let mut enrollment = IndividualEnrollment::new("d1", leaf);
    enrollment.terms.iot_hubs = vec!["hub-1.azure-devices.net".into()];
    lab.emulator.dps().individuals().create(enrollment).expect("created");
    assert_eq!(lab.register("d1", &credentials).await.0, 200);
    let twin = lab.emulator.hub("hub-1").expect("the hub").twin("d1").expect("the twin");
    let Lab { emulator, root, factory } = lab;
    emulator.shutdown().await;

    // By hand: such an enrollment is refused when a service writes it.
    let file = directory.path().join("dps.json");
    let text = std::fs::read_to_string(&file).expect("it is there");
    let mut kept: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    kept["individual_enrollments"][0]["deviceId"] = "not allowed".into();
    kept["individual_enrollments"][0]["iotHubs"] = json!(["hub-2.azure-devices.net"]);
    #[allow(clippy::disallowed_methods, reason = "the file is to be changed")]
    std::fs::write(&file, kept.to_string()).expect("written");
    let lab = Lab { emulator: start(directory.path()).await.expect("it starts"), root, factory };
    let (_, answer) = lab.register("d1", &credentials).await;
    assert_eq!(answer["status"], "failed", "{answer}");
    let stayed = lab.emulator.hub("hub-1").expect("the hub").twin("d1").expect("the twin is still there");
    assert_eq!(stayed, twin);
    lab.emulator.shutdown().await;
}

/// A key that is sent along with a certificate is kept nowhere, and what an earlier version has kept is taken out.
#[tokio::test]
async fn a_key_beside_a_certificate_is_not_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let lab = Lab::with(start(directory.path()).await.expect("it starts"));
    let both = lab.factory.key_pem() + &lab.factory.certificate_pem() + "and words";
    let mut made = lab
        .emulator
        .dps()
        .groups()
        .create(EnrollmentGroup::new("both", AttestationMechanism::signing_certificate(&*both)))
        .expect("created");
    let kept = |group: &mut EnrollmentGroup| {
        let x509 = group.terms.attestation.x509.take().expect("x509");
        x509.signing_certificates.and_then(|signing| signing.primary?.certificate).expect("a certificate")
    };
    assert_eq!(kept(&mut made), lab.factory.certificate_pem().trim_end());
    lab.emulator.shutdown().await;
    let file = directory.path().join("dps.json");
    let text = || std::fs::read_to_string(&file).expect("it is there");
    assert!(!text().contains("PRIVATE KEY"));

    let mut old: serde_json::Value = serde_json::from_str(&text()).expect("JSON");
    let groups = old["enrollment_groups"].as_array_mut().expect("groups");
    let group = groups.iter_mut().find(|group| group["enrollmentGroupId"] == "both").expect("it");
    group["attestation"]["x509"]["signingCertificates"]["primary"]["certificate"] = both.into();
    #[allow(clippy::disallowed_methods, reason = "the file is to be changed")]
    std::fs::write(&file, old.to_string()).expect("written");
    let emulator = start(directory.path()).await.expect("it starts");
    assert!(!text().contains("PRIVATE KEY"), "the file is clean as soon as it is opened");
    let mut opened = emulator.dps().groups().get("both").expect("the group");
    assert_eq!(kept(&mut opened), lab.factory.certificate_pem().trim_end());
    emulator.shutdown().await;
}

#[tokio::test]
async fn a_start_that_fails_changes_nothing() {
    let running = Emulator::builder().start().await.expect("it starts");
    let parent = tempfile::tempdir().expect("a directory");
    let options = || tracker_emulator::EmulatorOptions {
        port: 0,
        service_port: Some(running.port()),
        ca_directory: Some(parent.path().join("ca")),
        state_directory: Some(parent.path().join("state")),
        ..tracker_emulator::EmulatorOptions::default()
    };
    let taken = Emulator::start(options()).await.err().expect("the port is taken");
    assert!(matches!(taken, StartError::Listen { .. }), "{taken}");
    let is_empty = || std::fs::read_dir(parent.path()).expect("it is there").next().is_none();
    assert!(is_empty(), "nothing was made");
    // What is set up further may fail, too.
    let prepared = Emulator::prepare(options()).expect("nothing is wrong yet");
    prepared.dps().certificates().upload_verified("no", "no certificate").expect_err("refused");
    drop(prepared);
    assert!(is_empty());
    running.shutdown().await;
}

/// Each directory `tests/data/state-COMMIT` was written by the code of that commit: device d1 is registered at hub-2, its twin
/// was set once, and a message waits for it.
#[tokio::test]
async fn the_state_of_an_earlier_version_goes_on_being_used() {
    for commit in ["6f0864f", "b752a25", "e81e915", "e8a5128", "c9a82fe", "798eba7", "ef4a3ff"] {
        goes_on_being_used(commit).await;
    }
}

async fn goes_on_being_used(commit: &str) {
    let written = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let written = written.join(format!("state-{commit}"));
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(directory.path().join("hubs")).expect("a directory");
    for part in ["", "hubs"] {
        for file in std::fs::read_dir(written.join(part)).expect("a directory") {
            let file = file.expect("an entry");
            if file.file_type().expect("a type").is_file() {
                let copy = directory.path().join(part).join(file.file_name());
                std::fs::copy(file.path(), copy).expect("it is copied");
            }
        }
    }
    let ca = std::fs::read_to_string(written.join("server-ca.pem")).expect("the CA");
    let emulator = start_as_of_then(directory.path()).await;
    assert!(ca.starts_with(&emulator.server_ca_pem()), "the same, before an RSA one if there is one");
    assert!(emulator.dps().certificates().get("lab-root").expect("the CA").is_verified);
    assert_eq!(
        json!(emulator.dps().groups().get("trackers").expect("the group"))["enrollmentGroupId"],
        "trackers"
    );
    let record = emulator.dps().registration("d1").expect("the record");
    assert_eq!(record.assigned_hub.as_deref(), Some("hub-2.azure-devices.net"));
    let twin = json!(emulator.hub("hub-2").expect("the hub").twin("d1").expect("the twin"));
    assert_eq!(
        [
            &twin["properties"]["desired"]["telemetryInterval"],
            &twin["cloudToDeviceMessageCount"],
            &twin["tags"]["environment"]
        ],
        [&json!(60), &json!(1), &json!("lab")]
    );
    // Versions before had none of it.
    let hub = emulator.hub("hub-2").expect("the hub");
    if ["798eba7", "ef4a3ff"].contains(&commit) {
        let module = json!(hub.module_twins()[0]);
        assert_eq!(module["moduleId"], "cooling");
        assert_eq!(module["properties"]["desired"]["setpoint"], 4);
    }
    if commit == "798eba7" {
        assert_eq!(twin["configurations"]["cheese"]["status"], "Applied");
        assert_eq!(twin["properties"]["desired"]["alarms"], json!({"note": "chilled"}));
        assert_eq!(twin["tags"]["port"], "NZAKL", "what a job has set");
    }
    let version = &twin["properties"]["desired"]["$version"];
    assert_eq!(*version, json!(if commit == "798eba7" { 3 } else { 2 }), "a configuration has set one more");
    if commit == "ef4a3ff" {
        let attestation =
            |id| json!(emulator.dps().individuals().get(id).expect("it is there"))["attestation"].clone();
        assert!(attestation("tpm-1")["tpm"]["endorsementKey"].is_string());
        assert!(attestation("key-1")["symmetricKey"]["primaryKey"].is_string());
    }
    if ["c9a82fe", "798eba7", "ef4a3ff"].contains(&commit) {
        let groups: Vec<String> = hub.consumer_groups().iter().map(|group| group.name.clone()).collect();
        assert_eq!(groups, ["$Default", "dashboards"]);
    }
    if ["c9a82fe", "798eba7"].contains(&commit) {
        let reported = &twin["properties"]["reported"]["telemetryInterval"]["value"];
        assert_eq!(*reported, json!(1), "what the device had in force");
    }
    emulator.shutdown().await;
}

#[cfg(unix)]
#[tokio::test]
async fn what_somebody_has_linked_to_is_not_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let other = directory.path().join("other");
    std::fs::copy("/proc/self/comm", &other).expect("a file");
    let before = std::fs::read(&other).expect("it is read");
    for name in ["dps.json.new", "server-ca.pem.new"] {
        std::os::unix::fs::symlink(&other, directory.path().join(name)).expect("a link");
    }
    start(directory.path()).await.expect("it starts").shutdown().await;
    assert_eq!(std::fs::read(&other).expect("it is there"), before);
    assert!(directory.path().join("dps.json").exists());
}
