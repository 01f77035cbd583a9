//! A voyage with everything on, from the yard to the ramp: a whole agent at a local hub has evidence, alarms and fences, is restarted
//! at sea, and `verify` makes of what the hub received what the device said.

#![cfg(feature = "lab")]
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::lab::Cloud;
use container_tracker::platform::clock::system_time;
use serde_json::{Value, json};
use tokio::time::timeout;
use tracker_emulator::{Subscription, TelemetryMessage};
use tracker_sensors::gps::Position;
use tracker_sensors::simulated::{Air, Bme280Chip, GpsReceiver, GpsReceiverSettings, Situation};

use crate::evidence::{line, root_of, verify};
use crate::support::agent::{Agent, PATIENCE, mild_chip, next_message};

const DEVICE: &str = "sensor-thl-001";
const YARD: (f64, f64) = (51.95, 4.05);
const SEA: (f64, f64) = (51.99, 3.80);
const RAMP: (f64, f64) = (52.08, 4.88);

/// Where the container is, and what air is in it.
struct Container {
    here: Arc<Mutex<(f64, f64)>>,
    chip: Bme280Chip,
}

impl Container {
    fn new() -> Self {
        Self { here: Arc::new(Mutex::new(YARD)), chip: mild_chip() }
    }

    fn start(&self, config: &Config) -> Agent {
        let here = self.here.clone();
        let situation = move || {
            let (latitude, longitude) = *here.lock().unwrap();
            Situation {
                utc: system_time(),
                position: Position { latitude, longitude },
                altitude_m: 3.0,
                speed_kn: 0.0,
                course_deg: None,
                sky_visible: true,
            }
        };
        let receiver = GpsReceiver::new(situation, GpsReceiverSettings::default());
        Agent::start(config.clone(), Some(&self.chip), Some(Box::new(receiver)))
    }

    fn go(&self, to: (f64, f64)) {
        *self.here.lock().unwrap() = to;
    }

    fn warm_to(&self, temperature_c: f64) {
        self.chip.set_air(Air { temperature_c, pressure_hpa: 1013.0, humidity_rh: 80.0 });
    }
}

/// All that the hub gets.
struct Hub {
    telemetry: Subscription<TelemetryMessage>,
    lines: Vec<Value>,
}

impl Hub {
    /// Waits until a message has come, and gives its body. The newest entry may come before an event that stands before it.
    async fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                if let Some(found) = self.lines.iter().find(|line| is_it(&line["body"])) {
                    return found["body"].clone();
                }
                self.lines.push(line(next_message(&mut self.telemetry, DEVICE).await));
            }
        };
        let result = timeout(PATIENCE, wait).await;
        result
            .unwrap_or_else(|_| panic!("{what} does not come; there was {}", Value::from(self.lines.clone())))
    }

    async fn event(&mut self, kind: &str, name: &str, state: &str) -> Value {
        let what = format!("{kind} {name}: {state}");
        self.wait(&what, |body| body[kind] == name && body["state"] == state).await
    }
}

fn fence(name: &str, (latitude, longitude): (f64, f64)) -> Value {
    let geometry = json!({"type": "Point", "coordinates": [longitude, latitude]});
    json!({"type": "Feature", "properties": {"name": name, "radius": 500}, "geometry": geometry})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trip_from_fence_to_fence_is_told_once_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    let desired = json!({
        "evidence": true,
        "containerNumber": "MSKU9070323",
        "trip": {"startsOnLeaving": "yard", "endsOnReaching": "ramp"},
        "geofences": [fence("yard", YARD), fence("ramp", RAMP)],
        "alarms": {"bounds": {"cargo": {
            "field": "temperature", "warning": {"high": 7}, "critical": {"high": 12}, "hysteresis": 1,
        }}},
    });
    let (container, telemetry) = (Container::new(), cloud.hub.telemetry());
    let mut hub = Hub { telemetry, lines: Vec::new() };

    let mut agent = container.start(&config);
    agent.wait_for_words("online at").await;
    cloud.hub.update_twin_desired(DEVICE, desired).unwrap();
    hub.event("place", "yard", "inside").await;
    let answer = cloud.hub.invoke_method(DEVICE, "getStatus", Value::Null, PATIENCE).await.unwrap();
    assert_eq!(answer.payload.unwrap()["places"], json!(["yard"]));
    container.go(SEA);
    hub.event("place", "yard", "exit").await;
    let terms = hub.wait("the trip", |body| body["evidence"] == "tripBegin" && body["by"] == "fence").await;
    let bounds = json!({"temperature": {"high": 7.0, "criticalHigh": 12.0}});
    assert_eq!((&terms["bounds"], &terms["containerNumber"]), (&bounds, &json!("MSKU9070323")));
    container.warm_to(9.0);
    hub.event("alarm", "cargo", "raised").await;
    agent.stop().await;

    let mut agent = container.start(&config);
    agent.wait_for_words("online at").await;
    container.warm_to(4.0);
    hub.event("alarm", "cargo", "cleared").await;
    container.go(RAMP);
    hub.event("place", "ramp", "enter").await;
    let told = hub.wait("the report", |body| body["evidence"] == "tripEnd" && body["by"] == "fence").await;
    let end = told["seq"].as_u64();
    hub.wait("the signature", |body| body["evidence"] == "signature" && body["upTo"].as_u64() >= end).await;
    hub.wait("a reading", |body| body["temperature"].is_number() && body["seq"].as_u64() > end).await;
    let answer =
        cloud.hub.invoke_method(DEVICE, "endTrip", Value::Null, Duration::from_secs(10)).await.unwrap();
    assert_eq!(answer.status, 404, "none is under way");
    agent.stop().await;

    let roots = directory.path().join("root.pem");
    std::fs::write(&roots, root_of(&config.identity.certificate)).unwrap();
    let (code, said) = verify(directory.path(), &hub.lines, &roots);
    let verdict: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!((code, &verdict["good"]), (Some(0), &json!(true)), "{said}");
    let trips = verdict["trips"].as_array().unwrap();
    let by: Vec<_> = trips.iter().map(|trip| (&trip["report"]["by"], &trip["differs"])).collect();
    let none = json!([]);
    assert_eq!(by, [(&json!("provisioning"), &none), (&json!("fence"), &none)], "{said}");
    let report = &trips[1]["report"];
    assert!(trips.iter().all(|trip| trip["ended"].is_u64()), "{said}");
    for (name, value) in report.as_object().unwrap() {
        assert_eq!(&told[name], value, "{name}");
    }
    let beyond = |bound: &str| report["temperature"][bound]["beyondSeconds"].as_f64().unwrap();
    assert!(beyond("high") > 0.0 && beyond("criticalHigh") == 0.0, "{report}");
    assert_eq!(report["containerNumber"], "MSKU9070323");
    // Events are told once, each of them; a message may come twice, and then has the same number.
    let told = |kind: &str| {
        let bodies = hub.lines.iter().map(|line| &line["body"]).filter(|body| !body[kind].is_null());
        let events = bodies.filter_map(|body| Some((body["seq"].as_u64()?, body["state"].as_str()?)));
        events.collect::<BTreeMap<_, _>>().into_values().collect::<Vec<_>>()
    };
    assert_eq!(told("place"), ["inside", "exit", "enter"]);
    assert_eq!(told("alarm"), ["raised", "cleared"]);
}
