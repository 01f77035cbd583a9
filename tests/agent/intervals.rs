//! Intervals by state, from the twin to the hub: what was not reported is told by what is.

#![cfg(feature = "lab")]

use std::time::Duration;

use container_tracker::lab::Cloud;
use serde_json::{Value, json};
use tokio::time::sleep;
use tracker_emulator::{Subscription, TelemetryMessage};
use tracker_sensors::simulated::Air;

use crate::support::agent::{Agent, body, mild_chip, next_message};

const DEVICE: &str = "sensor-thl-001";

fn air(temperature_c: f64) -> Air {
    Air { temperature_c, pressure_hpa: 1013.0, humidity_rh: 80.0 }
}

fn is_event(message: &TelemetryMessage) -> bool {
    message.properties.iter().any(|(key, value)| key == "messageType" && value == Some("event"))
}

/// The next reading that is as the closure wants it.
async fn reading(
    telemetry: &mut Subscription<TelemetryMessage>,
    is_wanted: impl Fn(&Value) -> bool,
) -> Value {
    loop {
        let message = next_message(telemetry, DEVICE).await;
        let body = body(&message);
        if !is_event(&message) && is_wanted(&body) {
            return body;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peak_between_reports_arrives_and_an_alarm_reports_as_often_as_asked() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 4).await.unwrap();
    let mut telemetry = cloud.hub.telemetry();
    let chip = mild_chip();
    chip.set_air(air(4.0));
    let mut agent = Agent::start(cloud.device(DEVICE).unwrap(), Some(&chip), None);
    agent.wait_for_words("twin: telemetryInterval = 4").await;
    cloud.hub.update_twin_desired(DEVICE, json!({"intervals": {"alarm": 1, "driving": 9}})).unwrap();
    agent.wait_for_words("driving: there is no such member").await;
    cloud.hub.update_twin_desired(DEVICE, json!({"intervals": {"alarm": 1, "driving": null}})).unwrap();
    agent.wait_for_words("twin: intervals = ").await;

    // Measured every second, reported every four; a second of heat between two reports. On a slow machine it may be longer.
    loop {
        reading(&mut telemetry, |body| body["period"].is_number()).await;
        chip.set_air(air(9.0));
        sleep(Duration::from_millis(1300)).await;
        chip.set_air(air(4.0));
        let next = reading(&mut telemetry, |_| true).await;
        let of = |name: &str| next[name].as_f64().unwrap_or_default();
        assert!(of("temperatureMin") <= of("temperatureMean"), "{next}");
        assert!(of("temperatureMean") <= of("temperatureMax") && of("pressureMean") > 1000.0, "{next}");
        if of("temperature") < 5.0 && of("temperatureMax") > 8.0 {
            break;
        }
    }

    let hot = json!({"bounds": {"hot": {"field": "temperature", "warning": {"high": 7}}}});
    cloud.hub.update_twin_desired(DEVICE, json!({"alarms": hot})).unwrap();
    agent.wait_for_words("twin: alarms = ").await;
    chip.set_air(air(9.0));
    while !is_event(&*next_message(&mut telemetry, DEVICE).await) {}
    for _ in 0..2 {
        let body = reading(&mut telemetry, |body| body.get("period").is_none()).await;
        assert!(
            body["temperature"].as_f64().unwrap() > 8.0 && body.get("temperatureMax").is_none(),
            "{body}"
        );
    }
    agent.stop().await;
}
