//! An alarm from the twin to the hub: raised, shown, acknowledged, over.

#![cfg(feature = "lab")]

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use container_tracker::lab::Cloud;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tracker_emulator::TelemetryMessage;
use tracker_sensors::simulated::Air;

use crate::support::agent::{Agent, PATIENCE, body, mild_chip, next_message};

const DEVICE: &str = "sensor-thl-001";

/// Waits until the twin's reported section is as the closure wants it.
async fn reported(cloud: &Cloud, done: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let reported = cloud.twin(DEVICE).unwrap_or_default()["properties"]["reported"].clone();
            if done(&reported) {
                return reported;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("it is reported")
}

fn property(message: &TelemetryMessage, name: &str) -> Option<String> {
    message.properties.iter().find(|(key, _)| *key == name).and_then(|(_, value)| value.map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_raised_shown_acknowledged_and_over() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let mut telemetry = cloud.hub.telemetry();
    let chip = mild_chip();
    let config = cloud.device(DEVICE).unwrap();
    let mut agent = Agent::start(config.clone(), Some(&chip), None);
    agent.wait_for_words("twin: telemetryInterval = 1").await;
    let alarms =
        json!({"bounds": {"cargo": {"field": "temperature", "warning": {"high": 7}, "hysteresis": 1}}});
    cloud.hub.update_twin_desired(DEVICE, json!({ "alarms": alarms })).unwrap();
    agent.wait_for_words("twin: alarms = ").await;
    let event = async |telemetry: &mut _| -> Arc<TelemetryMessage> {
        loop {
            let message = next_message(telemetry, DEVICE).await;
            let is_event = property(&message, "messageType").as_deref() == Some("event");
            assert_eq!(is_event, property(&message, "alarm").is_some());
            if is_event {
                return message;
            }
        }
    };

    chip.set_air(Air { temperature_c: 9.0, pressure_hpa: 1013.0, humidity_rh: 80.0 });
    let raised = event(&mut telemetry).await;
    let words = ["alarm", "severity", "state"].map(|name| property(&raised, name).unwrap());
    assert_eq!(words, ["cargo", "warning", "raised"]);
    let body_of = body(&raised);
    assert_eq!((&body_of["limit"], &body_of["field"]), (&json!(7.0), &json!("temperature")));
    assert!(body_of["begin"].is_string() && body_of["duration"] == 0, "{body_of}");
    assert!((body_of["extreme"].as_f64().unwrap() - 9.0).abs() < 0.1, "{body_of}");
    agent.wait_for_words("alarm cargo (warning): temperature ").await;

    // What cannot be found is told, and what can is acknowledged.
    let call = async |payload: Value| {
        let answer = cloud.hub.invoke_method(DEVICE, "acknowledgeAlarm", payload, PATIENCE).await.unwrap();
        (answer.status, answer.payload.unwrap_or_default())
    };
    let (status, answer) = call(json!({"alarm": "carg"})).await;
    assert_eq!((status, &answer["message"]), (404, &json!("no alarm \"carg\" is active; active: cargo")));
    assert_eq!(call(json!(7)).await.0, 400);
    let (status, answer) = call(json!({"alarm": "cargo"})).await;
    assert_eq!((status, &answer["acknowledged"]), (200, &json!(true)), "{answer}");
    let shown = reported(&cloud, |reported| reported["activeAlarms"]["cargo"]["acknowledged"] == true).await;
    assert_eq!(shown["activeAlarms"]["cargo"]["severity"], "warning");

    // Another start of the agent knows of it, and tells nothing anew.
    agent.stop().await;
    let mut agent = Agent::start(config, Some(&chip), None);
    agent.wait_for_words("online at").await;
    let answer = cloud.hub.invoke_method(DEVICE, "getStatus", Value::Null, PATIENCE).await.unwrap();
    let status = answer.payload.unwrap();
    assert_eq!(status["activeAlarms"]["cargo"]["acknowledged"], true, "{status}");
    chip.set_air(Air { temperature_c: 4.0, pressure_hpa: 1013.0, humidity_rh: 80.0 });
    let cleared = event(&mut telemetry).await;
    assert_eq!(property(&cleared, "state").as_deref(), Some("cleared"));
    // Told by two clocks, which do not go quite alike.
    let begin = |body: &Value| DateTime::parse_from_rfc3339(body["begin"].as_str().unwrap()).unwrap();
    let apart = begin(&body(&cleared)) - begin(&body_of);
    assert!(apart.num_seconds() == 0, "{apart}");
    reported(&cloud, |reported| reported["activeAlarms"] == json!({})).await;
    agent.stop().await;
}
