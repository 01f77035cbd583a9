//! What the agent is doing, put together from its parts for direct methods and reported properties.

#[cfg(feature = "lab")]
pub mod close_up;
mod connection;
pub mod file;
pub mod issued;
pub mod report;

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use serde_json::{Map, Value, json};
use tokio::sync::{Notify, watch};
use tracker_sensors::gps::{Fix, GpsState};

use crate::instruments::fields::{POSITION_DECIMALS, rounded};
use crate::instruments::health::SensorHealth;
use crate::journal::Journal;
use crate::link::roots::RootEnd;
use crate::places::Here;
use crate::platform::clock::Clock;
use crate::platform::timestamp::Timestamp;
use crate::recorder::{ActiveAlarm, ActiveAlarms, AlarmDesk, Sighting};

#[cfg(feature = "lab")]
use close_up::{Measurement, Sky};
pub use connection::{Connection, State};
use report::{ActiveAlarmReport, DeviceStatus, LastFix, SensorReport};

/// So many readings are on their way rather than waiting: a few always are, and one more or less of them is no news.
const ON_THEIR_WAY: u64 = 32;

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
    /// In which fences that is.
    pub here: watch::Receiver<Here>,
    /// What was measured there last.
    pub sighting: watch::Receiver<Option<Sighting>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who looks at readings.
    pub alarms: Arc<AlarmDesk>,
    /// What is raised.
    pub active_alarms: watch::Receiver<ActiveAlarms>,
    /// The root of servers that ends first, once the roots are in use.
    pub first_root_end: watch::Receiver<Option<RootEnd>>,
}

impl Status {
    /// Tells of every change of what the hub is told unasked: the health of a sensor, and which alarms are active. For ever: who
    /// waits for it meanwhile has one thing to wait for, however many sensors there are.
    pub async fn tell_changes(mut self, news: Arc<Notify>) {
        loop {
            self.changed().await;
            news.notify_one();
        }
    }

    async fn changed(&mut self) {
        let mut alarms = Box::pin(self.active_alarms.changed());
        let mut changes: Vec<_> =
            self.sensors.iter_mut().map(|(_, health)| Box::pin(health.changed())).collect();
        poll_fn(|context| {
            let is_alarm = matches!(alarms.as_mut().poll(context), Poll::Ready(Ok(())));
            if is_alarm || changes.iter_mut().any(|change| change.as_mut().poll(context).is_ready()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// What the device is doing now.
    pub fn device(&self) -> DeviceStatus {
        let Connection { state, hub, taken_over } = self.connection.borrow().clone();
        let fix = self.position.as_ref().and_then(|position| position.borrow().fix.clone());
        DeviceStatus {
            version: env!("CARGO_PKG_VERSION").into(),
            time: self.clock.utc().map(Timestamp),
            time_source: self.clock.source(),
            uptime_seconds: self.clock.monotonic().as_secs(),
            state: Some(state),
            hub,
            taken_over,
            journal: self.journal.stats().into(),
            sensors: self.sensors(),
            last_fix: fix.as_ref().map(last_fix),
            places: self.here.borrow().iter().flatten().map(ToString::to_string).collect(),
            active_alarms: self.active_alarms(),
        }
    }

    /// The reported properties that are no answers to desired ones.
    pub fn reported(&self) -> Map<String, Value> {
        let mut reported = Map::new();
        reported.insert("sensors".into(), json!(self.sensors()));
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
                "waiting": waiting(stats.backlog),
            }),
        );
        if self.alarms.is_used() {
            reported.insert("activeAlarms".into(), json!(self.active_alarms()));
        }
        reported
    }

    /// Readings that wait, beyond those on their way: 0 on a link that keeps up.
    pub fn waiting(&self) -> u64 {
        waiting(self.journal.stats().backlog)
    }

    /// What was measured last.
    #[cfg(feature = "lab")]
    pub fn measurement(&self) -> Option<Measurement> {
        let (stamp, fields) = self.alarms.last_measured()?;
        let fields = serde_json::from_str(&fields).unwrap_or_default();
        Some(Measurement { uptime: stamp.monotonic.as_secs_f64(), fields })
    }

    /// What the GPS receiver says of itself; `None` without one.
    #[cfg(feature = "lab")]
    pub fn sky(&self) -> Option<Sky> {
        Some(Sky::of(&self.position.as_ref()?.borrow()))
    }

    fn active_alarms(&self) -> BTreeMap<String, ActiveAlarmReport> {
        let active = self.active_alarms.borrow();
        let report = |(name, alarm): (&String, &ActiveAlarm)| {
            let ActiveAlarm { severity, since, acknowledged } = alarm;
            let report = ActiveAlarmReport {
                severity: (*severity).into(),
                since: *since,
                acknowledged: *acknowledged,
            };
            (name.clone(), report)
        };
        active.iter().map(report).collect()
    }

    fn sensors(&self) -> BTreeMap<String, SensorReport> {
        self.sensors.iter().map(|(name, health)| ((*name).to_owned(), health.current().into())).collect()
    }
}

fn waiting(backlog: u64) -> u64 {
    if backlog > ON_THEIR_WAY { backlog } else { 0 }
}

/// Where the container is, as fine as telemetry tells it.
fn last_fix(fix: &Fix) -> LastFix {
    LastFix {
        lat: rounded(fix.position.latitude, POSITION_DECIMALS),
        lon: rounded(fix.position.longitude, POSITION_DECIMALS),
        time: fix.utc().map(Timestamp),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracker_sensors::gps::{Decoder, Event};

    use super::*;

    #[test]
    fn a_position_has_no_more_decimals_than_in_telemetry() {
        let mut decoder = Decoder::new();
        decoder.push(b"$GPGLL,5157.59864,N,00432.12345,E,120000,A*2D\r\n", Duration::ZERO);
        let events = decoder.finish();
        let [Event::Fix(fix)] = &events[..] else { panic!("{events:?}") };
        let shown = serde_json::to_value(last_fix(fix)).unwrap();
        assert_eq!(shown, json!({"lat": 51.959_977_3, "lon": 4.535_390_8, "time": null}));
    }
}
