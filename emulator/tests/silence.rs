//! A device that is not heard for so many of its intervals raises `silent`, and clears it when it is heard again.

use std::{sync::Arc, time::Duration};

use crate::common::{Lab, PATIENCE, service::Service};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tracker_emulator::{
    AttestationMechanism, Emulator, EnrollmentGroup, EventKind, Hub, ManualClock, Severity, Silence,
    TelemetryMessage,
    pair::{Client, Cloud, Dial},
    pki::{CertificateAuthority, DeviceCredentials, Validity},
};

const HUB: &str = "hub-1.azure-devices.net";

fn silence() -> Silence {
    Silence { is_enabled: true, intervals: 3, default_interval_seconds: 20, severity: Severity::Warning }
}

/// A cloud with one registered device, driven by hand.
struct Scene {
    cloud: Cloud,
    hub: Hub,
    device: DeviceCredentials,
}

impl Scene {
    fn new() -> Self {
        let root = CertificateAuthority::root("root", Validity::always()).expect("a root");
        let device = root.device("d1", Validity::always()).expect("a leaf");
        let cloud = Cloud::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)).expect("a cloud");
        cloud.dps().certificates().upload_verified("root", &root.certificate_pem()).expect("a CA");
        let group = EnrollmentGroup::new("trackers", AttestationMechanism::ca_reference("root"));
        cloud.dps().groups().create(group).expect("a group");
        let mut client = cloud.connect(&Dial::to_dps(&cloud, "d1", &device.chain_pem)).expect("let in");
        client.subscribe("$dps/registrations/res/#").expect("open");
        let body = br#"{"registrationId":"d1"}"#;
        client.publish("$dps/registrations/PUT/iotdps-register/?$rid=1", body).expect("open");
        client.receive().expect("open");
        cloud.clock().advance(TimeDelta::seconds(2));
        let hub = cloud.hub("hub-1").expect("the hub");
        Self { cloud, hub, device }
    }

    fn connect(&self) -> Client {
        self.cloud.connect(&Dial::to_hub(HUB, "d1", &self.device.chain_pem)).expect("let in")
    }

    fn pass(&self, seconds: i64) {
        self.cloud.clock().advance(TimeDelta::seconds(seconds));
        self.hub.check_silence();
    }
}

fn told(message: &TelemetryMessage) -> (String, Value) {
    let properties = message.application_properties();
    assert_eq!((properties["messageType"], properties["alarm"]), ("event", "silent"));
    assert_eq!(message.system_properties()["iothub-message-source"], "silence");
    let body: Value = serde_json::from_slice(&message.body).expect("JSON");
    (format!("{} {}", properties["severity"], properties["state"]), body)
}

#[test]
fn silence_is_raised_once_after_so_many_intervals_and_cleared_when_the_device_is_heard() {
    let scene = Scene::new();
    let mut events = scene.cloud.events();
    scene.hub.set_silence(silence()).expect("good settings");
    let mut telemetry = scene.hub.telemetry();
    scene.pass(1_000_000);
    assert_eq!(telemetry.try_next(), Ok(None), "a device that was never there is not missed");

    let mut device = scene.connect();
    device.publish("devices/d1/messages/events/", b"{}").expect("open");
    device.receive().expect("open");
    let since: DateTime<Utc> = scene.hub.device("d1").expect("d1").last_activity_time;
    assert!(telemetry.try_next().expect("kept").is_some(), "its own message");
    scene.pass(60);
    assert_eq!(telemetry.try_next(), Ok(None), "three intervals of 20 s are not over yet");
    scene.pass(1);
    let (state, body) = told(&telemetry.try_next().expect("kept").expect("it is silent"));
    assert_eq!(
        (state.as_str(), &body["duration"], &body["limit"]),
        ("warning raised", &json!(61), &json!(60))
    );
    assert_eq!(body["begin"].as_str().and_then(|text| text.parse().ok()), Some(since));
    assert_eq!(scene.hub.silent_devices(), [("d1".to_owned(), since)]);
    scene.pass(600);
    assert_eq!(telemetry.try_next(), Ok(None), "it is told once");

    device.publish("devices/d1/messages/events/", b"{}").expect("open");
    device.receive().expect("open");
    scene.pass(5);
    assert!(telemetry.try_next().expect("kept").is_some(), "its own message");
    let (state, body) = told(&telemetry.try_next().expect("kept").expect("it is heard"));
    assert_eq!((state.as_str(), &body["duration"]), ("warning cleared", &json!(661)));
    assert!(scene.hub.silent_devices().is_empty());
    let mut kinds = Vec::new();
    while let Ok(Some(event)) = events.try_next() {
        match &event.kind {
            EventKind::DeviceSilent { seconds, .. } => kinds.push(format!("silent {seconds}")),
            EventKind::DeviceHeard { .. } => kinds.push("heard".into()),
            _ => {}
        }
    }
    assert_eq!(kinds, ["silent 61", "heard"]);
}

#[test]
fn its_own_interval_counts_and_who_is_disabled_is_not_missed() {
    let scene = Scene::new();
    let mut telemetry = scene.hub.telemetry();
    scene.hub.set_silence(silence()).expect("good settings");
    scene.connect().disconnect();
    scene.hub.update_twin_desired("d1", json!({"telemetryInterval": 600})).expect("updated");
    scene.pass(1800);
    assert_eq!(telemetry.try_next(), Ok(None));
    scene.hub.disable("d1").expect("disabled");
    scene.pass(100_000);
    assert_eq!(telemetry.try_next(), Ok(None));
    scene.hub.enable("d1").expect("enabled");
    scene.pass(1);
    assert_eq!(told(&telemetry.try_next().expect("kept").expect("it is silent")).0, "warning raised");
    scene.hub.set_silence(Silence { is_enabled: false, ..silence() }).expect("good settings");
    assert!(scene.hub.silent_devices().is_empty());
    scene.pass(100_000);
    assert_eq!(telemetry.try_next(), Ok(None), "it is off");
}

#[tokio::test]
async fn the_emulator_looks_by_itself_routes_what_it_finds_and_a_restart_tells_nothing_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(DateTime::UNIX_EPOCH + TimeDelta::days(20_000)));
    let start = || {
        let builder =
            Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).clock(Arc::clone(&clock) as _);
        builder.state_directory(directory.path().join("state")).files_directory(directory.path()).start()
    };
    let lab = Lab::with(start().await.expect("it starts"));
    let hub = lab.emulator.hub("hub-1").expect("the hub");
    let routing = json!({
        "endpoints": {"files": [{"name": "ops", "file": "ops.jsonl"}]},
        "routes": [{"name": "alarms", "source": "DeviceMessages", "endpointNames": ["ops"],
                    "condition": "messageType = 'event' AND alarm = 'silent' AND $body.duration > 60 AND $twin.tags.environment = 'lab'"}],
    });
    hub.set_routing(serde_json::from_value(routing).expect("a routing")).expect("a good routing");
    let service = Service::hub(&lab.emulator);
    let body = json!({"properties": {"isEnabled": true, "intervals": 20}}).to_string();
    assert_eq!(service.call("PUT", "/silence", &[], &body).await.status, 200);
    for (wrong, why) in [
        (json!({"intervals": 1}), "intervals is 1; it has to be 2 to 1000"),
        (json!({"defaultIntervalSeconds": 0}), "defaultIntervalSeconds is 0"),
        (json!({"severity": "mild"}), "unknown variant `mild`"),
    ] {
        let refused = service.call("PUT", "/silence", &[], &json!({ "properties": wrong }).to_string()).await;
        assert_eq!(refused.status, 400);
        assert!(refused.body["Message"].as_str().is_some_and(|text| text.contains(why)), "{}", refused.body);
    }
    lab.online("d1").await.disconnect().await;
    clock.advance(TimeDelta::seconds(101));
    let file = directory.path().join("ops.jsonl");
    let lines = || std::fs::read_to_string(&file).unwrap_or_default().lines().count();
    let wait = async {
        while lines() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it is told in time");
    assert_eq!(service.get("/silence").await.body["silent"][0]["deviceId"], "d1");
    lab.online("d2").await.disconnect().await;
    lab.emulator.shutdown().await;

    clock.advance(TimeDelta::seconds(10_000));
    let emulator = start().await.expect("it starts again");
    let hub = emulator.hub("hub-1").expect("the hub");
    assert_eq!(hub.silence().intervals, 20);
    clock.advance(TimeDelta::seconds(100));
    hub.check_silence();
    let silent = || hub.silent_devices().into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(silent(), ["d1"], "nobody was heard while there was no hub");
    clock.advance(TimeDelta::seconds(1));
    hub.check_silence();
    assert_eq!(silent(), ["d1", "d2"]);
    let wait = async {
        while lines() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it is told in time");
    let text = std::fs::read_to_string(&file).expect("written");
    let devices: Vec<_> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| line["SystemProperties"]["connectionDeviceId"].clone())
        .collect();
    assert_eq!(devices, ["d1", "d2"], "each once");
    emulator.shutdown().await;
}
