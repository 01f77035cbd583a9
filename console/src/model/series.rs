//! What charts are drawn of.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Severity, time};

/// Some fields of one container over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// From when.
    #[serde(with = "time")]
    pub from: DateTime<Utc>,
    /// Until when.
    #[serde(with = "time")]
    pub to: DateTime<Utc>,
    /// Seconds that one point stands for; 0 where points are single readings.
    pub step: u32,
    /// By name of the field.
    pub fields: BTreeMap<String, FieldSeries>,
}

/// Points of one field: four columns of the same length. A gap is a time with nulls in the other three.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FieldSeries {
    /// Seconds since 1970, rising.
    pub t: Vec<f64>,
    /// The lowest value of each point.
    pub min: Vec<Option<f64>>,
    /// The mean.
    pub mean: Vec<Option<f64>>,
    /// The highest.
    pub max: Vec<Option<f64>>,
}

/// Longitude and latitude in degrees, and seconds since 1970.
pub type TrackPoint = [f64; 3];

/// Where a container was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Track {
    /// The oldest first; null is a gap.
    #[cfg_attr(test, schema(value_type = Vec<Option<Vec<f64>>>))]
    pub points: Vec<Option<TrackPoint>>,
}

/// A time during which an alarm stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AlarmSpan {
    /// Of the alarm.
    pub name: String,
    /// The highest it had.
    pub severity: Severity,
    /// In the device's time.
    #[serde(with = "time")]
    pub begin: DateTime<Utc>,
    /// Null while it stands.
    #[serde(with = "time::option")]
    pub end: Option<DateTime<Utc>>,
    /// The worst value.
    pub extreme: Option<f64>,
    /// The limit that was passed.
    pub limit: Option<f64>,
    /// The field of readings that it looks at.
    pub field: Option<String>,
}

/// The alarms of a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AlarmSpans {
    /// In the order in which they began.
    pub spans: Vec<AlarmSpan>,
}
