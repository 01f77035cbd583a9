//! What outlives a restart, and who may use a state directory.

mod common;

use common::{Lab, service::Service};
use serde_json::json;
use tracker_emulator::{Emulator, StartError, StateError};

async fn start(directory: &std::path::Path) -> Result<Emulator, StartError> {
    let timing = std::time::Duration::ZERO;
    Emulator::builder()
        .hubs(["hub-1", "hub-2"])
        .dps_timing(timing, timing)
        .state_directory(directory)
        .start()
        .await
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
    let group = lab.emulator.dps().enrollment_group("trackers").expect("the group");
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
    assert_eq!(json!(emulator.dps().enrollment_group("trackers").expect("the group")), json!(group));
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
