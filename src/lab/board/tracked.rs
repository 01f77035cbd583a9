//! One container of a fleet, as it is seen.

use std::collections::VecDeque;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_protocol::printable;

use super::readings::Readings;
use crate::event::{Event, Severity};
use crate::status::close_up::Sky;
use crate::status::report::DeviceStatus;
use crate::status::{State, Status};

/// So many sentences are remembered of each.
const REMEMBERED: usize = 20;

/// Something that was said, printable.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) at: DateTime<Utc>,
    pub(crate) device: Option<String>,
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

/// A container in brief. Its texts are printable, but for the ID.
#[derive(Debug, Clone, Default)]
pub(crate) struct Brief {
    pub(crate) id: String,
    pub(crate) voyage: String,
    pub(crate) cargo: String,
    /// `None` before its tracker has begun.
    pub(crate) state: Option<State>,
    pub(crate) taken_over: bool,
    /// Readings in its journal.
    pub(crate) backlog: u64,
    /// Names of alarms, and whether they are critical.
    pub(crate) alarms: Vec<(String, bool)>,
    /// The smallest fence that it is in.
    pub(crate) place: Option<String>,
    /// Latitude and longitude in degrees.
    pub(crate) position: Option<(f64, f64)>,
    /// In °C.
    pub(crate) temperature: Option<f64>,
    /// In %RH.
    pub(crate) humidity: Option<f64>,
    /// How long nothing has come from it, in seconds.
    pub(crate) silent_s: Option<u64>,
}

/// All that is known of a container.
#[derive(Debug, Clone)]
pub(crate) struct CloseUp {
    pub(crate) brief: Brief,
    /// What its tracker says of itself, once it works.
    pub(crate) device: Option<DeviceStatus>,
    /// How long it has been in its state, in seconds.
    pub(crate) in_state_s: u64,
    /// Why it is not online.
    pub(crate) offline_cause: Option<String>,
    pub(crate) sky: Option<Sky>,
    pub(crate) readings: Readings,
    pub(crate) said: Vec<Said>,
}

/// A container.
#[derive(Default)]
pub(super) struct Tracked {
    pub(super) voyage: String,
    pub(super) cargo: String,
    pub(super) status: Option<Status>,
    pub(super) readings: Readings,
    /// Number of the last reading.
    seq: Option<u64>,
    /// When the last measurement was taken that no hub has told of.
    measured: Option<f64>,
    /// When something came last.
    heard: Option<Instant>,
    /// Its state, and since when.
    state: Option<(State, Instant)>,
    offline_cause: Option<String>,
    said: VecDeque<Said>,
}

impl Tracked {
    /// Takes what the tracker tells.
    pub(super) fn hears(&mut self, event: &Event) {
        if let Some(cause) = event.keeps_offline() {
            self.offline_cause = Some(printable(cause));
        } else if matches!(event, Event::Online { .. }) {
            self.offline_cause = None;
        }
    }

    /// Takes a reading as the hub has it. Of a backlog, which comes after the newest, only that it came.
    pub(super) fn reading(&mut self, reading: Value) {
        let Some(seq) = reading["seq"].as_u64() else { return };
        self.heard = Some(Instant::now());
        if reading["evidence"].is_null() && self.seq.is_none_or(|last| last < seq) {
            self.seq = Some(seq);
            self.readings.push(reading);
        }
    }

    pub(super) fn remember(&mut self, said: Said) {
        if self.said.len() == REMEMBERED {
            self.said.pop_front();
        }
        self.said.push_back(said);
    }

    /// Takes what was measured from the tracker itself, as long as no hub has told: a hub elsewhere never does.
    fn look_inside(&mut self) {
        let measured = self.status.as_ref().filter(|_| self.seq.is_none()).and_then(Status::measurement);
        if let Some(measured) = measured.filter(|measured| self.measured != Some(measured.uptime)) {
            self.measured = Some(measured.uptime);
            self.readings.push(measured.fields);
        }
    }

    pub(super) fn brief(&mut self, id: &str) -> Brief {
        self.look_inside();
        let mut brief = Brief {
            id: id.into(),
            voyage: self.voyage.clone(),
            cargo: self.cargo.clone(),
            place: self.readings.text("place"),
            position: self.readings.position(),
            temperature: self.readings.number("temperature"),
            humidity: self.readings.number("humidity"),
            silent_s: self.heard.map(|heard| heard.elapsed().as_secs()),
            ..Brief::default()
        };
        if let Some(status) = &self.status {
            let connection = status.connection.borrow();
            let state = connection.state;
            if self.state.is_none_or(|(before, _)| before != state) {
                self.state = Some((state, Instant::now()));
            }
            (brief.state, brief.taken_over) = (Some(state), connection.taken_over);
            brief.backlog = status.journal.stats().backlog;
            let active = status.active_alarms.borrow();
            let alarms = active.iter().map(|(name, alarm)| (printable(name), alarm.severity == "critical"));
            brief.alarms = alarms.collect();
        }
        brief
    }

    pub(super) fn close_up(&mut self, id: &str) -> CloseUp {
        let brief = self.brief(id);
        CloseUp {
            brief,
            device: self.status.as_ref().map(Status::device),
            in_state_s: self.state.map_or(0, |(_, since)| since.elapsed().as_secs()),
            offline_cause: self.offline_cause.clone(),
            sky: self.status.as_ref().and_then(Status::sky),
            readings: self.readings.clone(),
            said: self.said.iter().cloned().collect(),
        }
    }
}
