//! What is known of a device whose start is told in one line.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use tracker_emulator::TelemetryMessage;
use tracker_protocol::printable;
use tracker_sensors::health::State;

use super::reading::alarm;
use crate::event::{Event, Severity};
use crate::lab::notification::Notification;

/// Within this time of being online a device answers its twin, which is a part of its start.
const ANSWERS: Duration = Duration::from_secs(2);

/// A device, as its lines tell of it.
#[derive(Debug, Default)]
pub(super) struct Device {
    /// Its cargo and where it goes.
    pub(super) voyage: Option<String>,
    pub(super) is_online: bool,
    /// The last temperature, in °C.
    pub(super) temperature: Option<f64>,
    /// When the emulator was seen to assign it, or to take it.
    pub(super) begun: Option<Instant>,
    hub: Option<String>,
    /// Its tracker has started, and nothing was told of it.
    is_starting: bool,
    online_since: Option<Instant>,
    well: BTreeSet<&'static str>,
    /// Bounds that its last reading crosses, and alarms that it has raised.
    crossed: Vec<String>,
    raised: BTreeSet<String>,
}

impl Device {
    /// Takes what its tracker tells. Whether that is a part of its start which nobody has to read.
    pub(super) fn folds(&mut self, event: &Event) -> bool {
        if event.keeps_offline().is_some() {
            self.is_online = false;
        }
        match event {
            Event::Started { .. } => {
                self.is_starting = true;
                true
            }
            Event::Registering { .. } | Event::Connecting { .. } => self.is_starting,
            Event::Assigned { hub, .. } => {
                self.hub = Some(hub.clone());
                self.is_starting
            }
            Event::Online { hub, .. } => {
                (self.is_online, self.hub) = (true, Some(hub.clone()));
                let since = self.online_since.replace(Instant::now());
                // A first reading may have told it.
                since.is_none() && !self.is_starting
            }
            Event::Sensor { name, health } => {
                let was_well = self.well.contains(name);
                let is_well = health.state == State::Ok;
                if is_well {
                    self.well.insert(name);
                }
                !was_well && health.state != State::Failed
            }
            Event::Setting(_) => {
                let is_starting = self.online_since.is_some_and(|since| since.elapsed() < ANSWERS);
                event.severity() == Severity::Info && is_starting
            }
            Event::Stopped { .. } => {
                self.is_online = false;
                false
            }
            _ => false,
        }
    }

    /// Whether this ends its start.
    pub(super) fn begins(&mut self, event: &Event) -> bool {
        matches!(event, Event::Online { .. }) && self.begins_by_reading()
    }

    /// Whether a reading ends its start.
    pub(super) fn begins_by_reading(&mut self) -> bool {
        std::mem::take(&mut self.is_starting)
    }

    /// Its start in a line.
    pub(super) fn beginning(&self) -> String {
        let hub = self.hub.as_deref().unwrap_or("its hub");
        let hub = printable(hub.split('.').next().unwrap_or(hub));
        match &self.voyage {
            Some(voyage) => format!("at {hub}: {voyage}"),
            None => format!("online at {hub}"),
        }
    }

    /// Takes what the hub has received of it.
    pub(super) fn hears(&mut self, message: &TelemetryMessage, bodies: &[Value]) {
        if let Some(notification) = Notification::of_message(message) {
            let name = notification.property("alarm");
            if !name.is_empty() {
                let short = alarm(name);
                match notification.property("state") {
                    "cleared" => self.raised.remove(&short),
                    _ => self.raised.insert(short),
                };
            }
            return;
        }
        let Some(temperature) = bodies.iter().rev().find_map(|body| body["temperature"].as_f64()) else {
            return;
        };
        self.temperature = Some(temperature);
        let bounds = message.properties.get("alert").unwrap_or_default();
        self.crossed = bounds.split(',').filter(|name| !name.is_empty()).map(alarm).collect();
    }

    /// What is wrong with it, in short.
    pub(super) fn alarms(&self) -> Vec<String> {
        let raised =
            self.raised.iter().filter(|name| !self.crossed.iter().any(|crossed| crossed.starts_with(*name)));
        self.crossed.iter().chain(raised).cloned().collect()
    }
}
