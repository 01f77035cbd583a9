//! One container in the list and on the map.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::time;

/// Longitude and latitude in degrees, WGS 84, in this order.
pub type Position = [f64; 2];

/// All containers at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Fleet {
    /// The moment, in the fleet's time.
    #[serde(with = "time")]
    pub time: DateTime<Utc>,
    /// In the order of their IDs.
    pub devices: Vec<Row>,
}

/// How a container does, the gravest thing first: `disabled`, `refused`, `outage`, `alarm`, `silent`, `new`, `ok`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Nothing is wrong.
    Ok,
    /// An alarm stands.
    Alarm,
    /// Not heard for too long.
    Silent,
    /// DPS or the hub does not let it in.
    Refused,
    /// A fault that was asked for strikes it.
    Outage,
    /// Its identity is disabled.
    Disabled,
    /// Never heard.
    #[default]
    New,
}

/// Whether it is connected to its hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Connection {
    /// It is.
    Connected,
    /// It is not.
    Disconnected,
    /// It has never been.
    #[default]
    Never,
}

/// How bad an alarm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// To be looked at.
    Warning,
    /// To be acted on.
    Critical,
}

/// An alarm that stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RowAlarm {
    /// As the device calls it.
    pub name: String,
    /// How bad.
    pub severity: Severity,
    /// Since when, in the device's time.
    #[serde(with = "time")]
    pub since: DateTime<Utc>,
    /// Whether somebody has taken note of it.
    pub is_acknowledged: bool,
    /// Who.
    pub by: Option<String>,
}

/// What the goods bear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProfileBand {
    /// Of the profile.
    pub name: String,
    /// The lowest good temperature in °C.
    pub low: Option<f64>,
    /// The highest good temperature in °C.
    pub high: Option<f64>,
}

/// One container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The device ID. Whatever a stranger has put into it: never markup.
    pub id: String,
    /// Host name of its hub; empty while it has none.
    pub hub: String,
    /// How it does.
    pub state: State,
    /// Whether it is connected.
    pub connection: Connection,
    /// What it carries.
    pub cargo: Option<String>,
    /// Container number after ISO 6346.
    pub container: Option<String>,
    /// The fence it is in.
    pub place: Option<String>,
    /// Where it was last.
    #[cfg_attr(test, schema(value_type = Option<Vec<f64>>))]
    pub at: Option<Position>,
    /// Degrees from north, clockwise.
    pub course: Option<f64>,
    /// km/h.
    pub speed: Option<f64>,
    /// °C.
    pub temperature: Option<f64>,
    /// %.
    pub humidity: Option<f64>,
    /// hPa.
    pub pressure: Option<f64>,
    /// `open` or `closed`.
    pub door: Option<String>,
    /// Means of the temperature over the last 24 hours, 24 at most, the newest last; null where there was no reading.
    pub spark: Vec<Option<f64>>,
    /// Alarms that stand.
    pub alarms: Vec<RowAlarm>,
    /// Readings that wait in its journal, as it last reported.
    pub backlog: Option<u64>,
    /// When the hub last heard of it.
    #[serde(with = "time::option")]
    pub last_seen: Option<DateTime<Utc>>,
    /// The time of its newest reading, as it says.
    #[serde(with = "time::option")]
    pub last_reading: Option<DateTime<Utc>>,
    /// Version of its firmware.
    pub firmware: Option<String>,
    /// Days until its certificate expires; negative when it has.
    pub certificate_days: Option<i64>,
    /// The enrollment that let it in.
    pub enrollment: Option<String>,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// What its goods bear.
    pub profile: Option<ProfileBand>,
}
