//! What the agent is doing, put together from its parts for direct methods and reported properties.

pub mod file;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tracker_sensors::gps::GpsState;

use crate::instruments::health::SensorHealth;
use crate::journal::Journal;
use crate::platform::clock::{Clock, rfc3339};

/// Where the parts can be seen.
#[derive(Clone)]
pub struct Status {
    /// Readings on their way.
    pub journal: Arc<Journal>,
    /// The state of the connection.
    pub connection: watch::Receiver<Connection>,
    /// Name and health of every sensor.
    pub sensors: Vec<(&'static str, SensorHealth)>,
    /// Where the container is, as far as an instrument knows.
    pub position: Option<watch::Receiver<GpsState>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The state in one word, for logs and status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No assignment; DPS is or will be asked.
    Registering,
    /// Assigned; the hub is or will be connected to.
    Connecting,
    /// Connected to the hub.
    Online,
    /// DPS will not have this device; it is asked again after a long wait.
    Refused,
}

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where the device stands.
    pub state: State,
    /// The assigned hub, once there is one.
    pub hub: Option<String>,
    /// Another client uses this identity.
    pub taken_over: bool,
}

impl Status {
    /// The answer to the direct method `getStatus`.
    pub fn to_value(&self) -> Value {
        let connection = self.connection.borrow().clone();
        let fix = self.position.as_ref().and_then(|position| position.borrow().fix.clone());
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "time": self.clock.utc().map(rfc3339),
            "timeSource": self.clock.source(),
            "uptimeSeconds": self.clock.monotonic().as_secs(),
            "state": connection.state,
            "hub": connection.hub,
            "takenOver": connection.taken_over,
            "journal": self.journal.stats(),
            "sensors": self.sensors_value(),
            "lastFix": fix.map(|fix| json!({
                "lat": fix.position.latitude,
                "lon": fix.position.longitude,
                "time": fix.utc().map(rfc3339),
            })),
        })
    }

    /// The reported properties that are no answers to desired ones.
    pub fn reported(&self) -> Map<String, Value> {
        let mut reported = Map::new();
        reported.insert("sensors".into(), self.sensors_value());
        reported.insert("takenOver".into(), self.connection.borrow().taken_over.into());
        let stats = self.journal.stats();
        let health = self.journal.health().borrow().clone();
        reported.insert(
            "journal".into(),
            json!({
                "state": if health.trouble.is_none() { "ok" } else { "memory" },
                "trouble": health.trouble.unwrap_or_default(),
                "setAside": health.set_aside.unwrap_or_default(),
                "thinned": stats.thinned,
                "dropped": stats.dropped,
            }),
        );
        reported
    }

    fn sensors_value(&self) -> Value {
        let health = |(name, health): &(&str, SensorHealth)| {
            let health = health.current();
            ((*name).to_owned(), json!({"state": health.state, "cause": health.cause.unwrap_or_default()}))
        };
        Value::Object(self.sensors.iter().map(health).collect())
    }
}
