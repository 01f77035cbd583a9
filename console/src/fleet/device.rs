//! What is known of one container now.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::alarms::Alarms;
use super::events;
use super::spark::Spark;
use super::twin;
use crate::model::{
    CloudEvent, Connection, Fence, Identity, Position, ProfileBand, Row, State, StoryEntry, StoryKind,
};
use crate::telemetry::{Alarm, Field, Reading};

/// A reading whose time is ahead of the hub's by more, in milliseconds, gives way to one whose time is not: a clock that was wrong once
/// must not hide all that comes after.
const AHEAD: i64 = 86_400_000;

/// A container, as far as is known. It is kept as JSON: members may come and go with versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Device {
    pub(super) hub: String,
    connection: Connection,
    #[serde(skip)]
    is_disabled: bool,
    /// What makes the newest reading the newest: whether its time can be believed, the time, the number.
    newest: Option<(bool, i64, u64)>,
    last_reading: Option<i64>,
    last_seen: Option<i64>,
    place: Option<String>,
    at: Option<(i64, Position)>,
    course: Option<f64>,
    speed: Option<f64>,
    temperature: Option<f64>,
    humidity: Option<f64>,
    pressure: Option<f64>,
    door: Option<String>,
    pub(super) spark: Spark,
    pub(super) alarms: Alarms,
    is_silent: bool,
    pub(super) refusal: Option<String>,
    enrollment: Option<String>,
    cargo: Option<String>,
    container: Option<String>,
    backlog: Option<u64>,
    /// It was counted in the journal itself, and what the twin says is older.
    #[serde(skip)]
    is_counted: bool,
    firmware: Option<String>,
    certificate_until: Option<i64>,
    profile: Option<ProfileBand>,
    #[serde(skip)]
    pub(super) fences: Vec<Fence>,
}

impl Device {
    /// The hub has a message of it.
    pub(super) fn heard(&mut self, hub: &str, container: Option<&str>, time: i64) {
        if self.hub != hub {
            hub.clone_into(&mut self.hub);
        }
        if let Some(container) = container
            && self.container.as_deref() != Some(container)
        {
            self.container = Some(container.chars().take(40).collect());
        }
        self.last_seen = self.last_seen.max(Some(time));
        self.refusal = None;
        self.is_silent = false;
    }

    /// Takes a reading, in whatever order they come; says how the door is, if it is not as it was.
    pub(crate) fn reading(&mut self, reading: &Reading, enqueued: i64) -> Option<bool> {
        self.spark.take(reading);
        let values = &reading.values;
        // Where it was last is shown for as long as nothing newer is known: below deck there is no fix for weeks.
        if let Some(position) = values.position()
            && self.at.is_none_or(|(time, _)| time <= reading.time || time > enqueued + AHEAD)
        {
            self.at = Some((reading.time, position));
        }
        let is_believed = reading.has_time && reading.time <= enqueued.saturating_add(AHEAD);
        let rank = (is_believed, reading.time, reading.seq.unwrap_or_default());
        if self.newest > Some(rank) {
            return None;
        }
        self.newest = Some(rank);
        self.last_reading = reading.has_time.then_some(reading.time);
        // What the newest does not have is not known now.
        self.temperature = values.get(Field::Temperature);
        self.humidity = values.get(Field::Humidity);
        self.pressure = values.get(Field::Pressure);
        self.course = values.get(Field::Course);
        self.speed = values.get(Field::Speed);
        if self.place.as_deref() != reading.place.as_deref() {
            self.place = reading.place.as_deref().map(str::to_owned);
        }
        let door = values.word(Field::Door);
        let has_moved = door.is_some() && self.door.is_some() && self.door.as_deref() != door;
        if self.door.as_deref() != door {
            self.door = door.map(str::to_owned);
        }
        has_moved.then(|| door == Some("open"))
    }

    /// Takes an event of the cloud.
    pub(super) fn cloud_event(&mut self, event: &CloudEvent) {
        let detail = |name: &str| event.detail.get(name).and_then(Value::as_str).map(events::clipped);
        match event.kind.as_str() {
            "assigning" => self.enrollment = detail("enrollment"),
            "assigned" => {
                self.hub = detail("hub").unwrap_or_default();
                self.refusal = None;
            }
            "registrationDisabled" => self.refusal = Some(events::of_happening(event)),
            "registrationRefused" | "connectionRefused" => {
                self.refusal = Some(detail("reason").unwrap_or_else(|| events::of_happening(event)));
            }
            "deviceConnected" => {
                self.hub = detail("hub").unwrap_or_else(|| std::mem::take(&mut self.hub));
                self.connection = Connection::Connected;
                self.refusal = None;
                self.last_seen = self.last_seen.max(Some(event.time.timestamp_millis()));
            }
            // It may have moved: what an old hub says does not count.
            "deviceDisconnected" if detail("hub").is_none_or(|hub| hub == self.hub) => {
                self.connection = Connection::Disconnected;
            }
            "deviceSilent" => self.is_silent = true,
            "deviceHeard" => self.is_silent = false,
            _ => {}
        }
    }

    /// Takes its identity at a hub.
    pub(super) fn identity(&mut self, identity: &Identity) {
        identity.hub.clone_into(&mut self.hub);
        self.connection = match (identity.connection, identity.last_activity, self.connection) {
            // Hubs tell disconnected of one that never was.
            (Connection::Disconnected, None, Connection::Never) => Connection::Never,
            (connection, ..) => connection,
        };
        self.is_disabled = !identity.is_enabled;
        self.last_seen = self.last_seen.max(identity.last_activity.map(|time| time.timestamp_millis()));
    }

    /// Takes what waits in its journal, from who has counted.
    pub(super) fn counted(&mut self, backlog: u64) {
        (self.backlog, self.is_counted) = (Some(backlog), true);
    }

    /// Takes its twin.
    pub(super) fn twin(&mut self, twin: &Value) {
        let told = twin::read(twin);
        self.cargo = told.cargo;
        self.container = told.container.or(self.container.take());
        self.backlog = told.backlog.filter(|_| !self.is_counted).or(self.backlog);
        self.firmware = told.firmware.or(self.firmware.take());
        self.certificate_until = told.certificate_until.or(self.certificate_until);
        self.profile = told.profile;
        self.fences = told.fences;
        if let Some((active, at)) = told.active_alarms {
            self.alarms.reported(&active, at);
        }
    }

    fn state(&self, is_struck: bool, has_alarm: bool, is_silent: bool) -> State {
        match self {
            _ if self.is_disabled => State::Disabled,
            _ if self.refusal.is_some() => State::Refused,
            _ if is_struck => State::Outage,
            _ if has_alarm => State::Alarm,
            _ if is_silent => State::Silent,
            _ if self.newest.is_none() && self.connection == Connection::Never => State::New,
            _ => State::Ok,
        }
    }

    /// As it is shown.
    pub(crate) fn row(&self, id: &str, is_struck: bool, now: DateTime<Utc>) -> Row {
        let time = |ms: i64| DateTime::from_timestamp_millis(ms);
        let alarms = self.alarms.standing();
        // That it is silent is a state of its own.
        let (silence, others): (Vec<_>, Vec<_>) =
            alarms.iter().partition(|alarm| alarm.name == Alarm::SILENT);
        let is_silent = self.is_silent || !silence.is_empty();
        let state = self.state(is_struck, !others.is_empty(), is_silent);
        Row {
            id: id.to_owned(),
            hub: self.hub.clone(),
            state,
            connection: self.connection,
            cargo: self.cargo.clone(),
            container: self.container.clone(),
            place: self.place.clone(),
            at: self.at.map(|(_, at)| at),
            course: self.course,
            speed: self.speed,
            temperature: self.temperature,
            humidity: self.humidity,
            pressure: self.pressure,
            door: self.door.clone(),
            spark: self.spark.means(),
            alarms,
            backlog: self.backlog,
            last_seen: self.last_seen.and_then(time),
            last_reading: self.last_reading.and_then(time),
            firmware: self.firmware.clone(),
            certificate_days: self
                .certificate_until
                .map(|until| (until - now.timestamp_millis()).div_euclid(86_400_000)),
            enrollment: self.enrollment.clone(),
            refusal: self.refusal.clone(),
            profile: self.profile.clone(),
        }
    }

    /// Puts in how warm it was, as the history has it of a past moment.
    pub(crate) fn past(&mut self, spark: Spark) {
        self.spark = spark;
    }

    /// Takes a reading of a past moment, the older ones first; the spark has it already.
    pub(crate) fn shown_at(&mut self, reading: &Reading) {
        let spark = std::mem::take(&mut self.spark);
        self.reading(reading, reading.time);
        self.spark = spark;
        self.last_seen = Some(reading.time);
        self.connection = Connection::Connected;
    }

    /// Puts in where it was last, if nothing newer says so.
    pub(crate) fn place_at(&mut self, time: i64, place: Option<Position>) {
        if self.at.is_none() {
            self.at = place.map(|place| (time, place));
        }
    }

    /// Takes an entry of the story, the older ones first, for how it was then.
    pub(crate) fn told(&mut self, entry: &StoryEntry) {
        let state = entry.state.as_deref();
        match entry.kind {
            StoryKind::Refusal => self.refusal = Some(entry.text.clone()),
            StoryKind::Provisioning if state == Some("assigned") => self.refusal = None,
            StoryKind::Connection if state == Some("connected") => {
                self.refusal = None;
                self.connection = Connection::Connected;
            }
            StoryKind::Connection | StoryKind::Takeover => self.connection = Connection::Disconnected,
            StoryKind::Silence => self.is_silent = state == Some("silent"),
            _ => {}
        }
    }

    /// Its alarms, to be put in.
    pub(crate) fn alarms_mut(&mut self) -> &mut Alarms {
        &mut self.alarms
    }

    /// Takes what does not change with the readings from what is known now.
    pub(crate) fn like(mut self, now: &Self) -> Self {
        self.hub.clone_from(&now.hub);
        self.cargo.clone_from(&now.cargo);
        self.container.clone_from(&now.container);
        self.profile.clone_from(&now.profile);
        self.enrollment.clone_from(&now.enrollment);
        self
    }
}
