//! When a device is silent: not heard for so many of its own intervals. Azure has no such thing; there a query and a schedule do
//! it (docs/azure.md).

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::routing::{MessageSource, RoutedMessage};
use crate::id::operation_word;

/// The longest interval that a tracker takes, in seconds.
const LONGEST_INTERVAL: u64 = 86_400;

/// Whether, and when, a hub raises the alarm `silent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Silence {
    /// Off unless somebody asks for it.
    pub is_enabled: bool,
    /// So many intervals without a word, 2 to 1000.
    pub intervals: u32,
    /// The interval of a device whose twin says none, in seconds, 1 to 86400.
    pub default_interval_seconds: u64,
    /// What the alarm says of itself.
    pub severity: Severity,
}

/// How bad an alarm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Somebody should look.
    Warning,
    /// Somebody has to act.
    Critical,
}

impl Default for Silence {
    fn default() -> Self {
        Self { is_enabled: false, intervals: 3, default_interval_seconds: 300, severity: Severity::Critical }
    }
}

impl Silence {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it can be; the error names the member that is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(2..=1000).contains(&self.intervals) {
            return Err(format!("intervals is {}; it has to be 2 to 1000", self.intervals));
        }
        if !(1..=LONGEST_INTERVAL).contains(&self.default_interval_seconds) {
            let given = self.default_interval_seconds;
            return Err(format!("defaultIntervalSeconds is {given}; it has to be 1 to {LONGEST_INTERVAL}"));
        }
        Ok(())
    }

    /// How long a device of this twin may say nothing.
    pub(super) fn limit(&self, desired: &Map<String, Value>, reported: &Map<String, Value>) -> TimeDelta {
        let seconds = interval(desired, reported).unwrap_or(self.default_interval_seconds);
        TimeDelta::seconds((seconds * u64::from(self.intervals)) as i64)
    }
}

/// The longest interval in which the device means to speak, in seconds: what it has reported to be in force goes before what was
/// asked of it. With intervals by state the longest of them counts, as its state is not known from outside.
fn interval(desired: &Map<String, Value>, reported: &Map<String, Value>) -> Option<u64> {
    let in_force =
        |name: &str| reported.get(name).and_then(|answer| answer.get("value")).or_else(|| desired.get(name));
    let seconds = |value: &Value| {
        value.as_f64().filter(|s| (1.0..=LONGEST_INTERVAL as f64).contains(s)).map(|s| s as u64)
    };
    let by_state = in_force("intervals").and_then(Value::as_object).into_iter().flat_map(Map::values);
    by_state.chain(in_force("telemetryInterval")).filter_map(seconds).max()
}

/// What is told of a device that has fallen silent, or is heard again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SilenceChange {
    pub device_id: String,
    /// When it was last heard before.
    pub since: DateTime<Utc>,
    pub limit: TimeDelta,
    /// When it was heard again, if it was.
    pub heard: Option<DateTime<Utc>>,
}

impl SilenceChange {
    /// The event, in the form in which trackers send their own alarms, so that one route serves both.
    pub(super) fn message(&self, hub_name: &str, severity: Severity, now: DateTime<Utc>) -> RoutedMessage {
        let severity = match severity {
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        let state = if self.heard.is_some() { "cleared" } else { "raised" };
        let system = [
            ("contentType", "application/json"),
            ("contentEncoding", "utf-8"),
            ("correlationId", &operation_word()),
            ("userId", hub_name),
            ("connectionDeviceId", &self.device_id),
            ("iothub-message-source", "silence"),
        ];
        let properties =
            [("messageType", "event"), ("alarm", "silent"), ("severity", severity), ("state", state)];
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let body = json!({
            "begin": time(self.since),
            "time": time(self.heard.unwrap_or(now)),
            "duration": (self.heard.unwrap_or(now) - self.since).num_seconds(),
            "limit": self.limit.num_seconds(),
        });
        RoutedMessage {
            source: MessageSource::DeviceMessages,
            device_id: self.device_id.clone(),
            enqueued_time: now,
            system: system.map(|(name, value)| (name.into(), value.to_owned())).into(),
            properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            body: body.to_string().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_what_the_device_says_and_else_what_it_was_asked() {
        let silence = Silence::default();
        let limit = |desired: Value, reported: Value| {
            let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
            silence.limit(&map(&desired), &map(&reported)).num_seconds()
        };
        assert_eq!(limit(json!({}), json!({})), 900);
        assert_eq!(limit(json!({"telemetryInterval": 60}), json!({})), 180);
        let answered = json!({"telemetryInterval": {"value": 20, "ac": 200, "av": 2}});
        assert_eq!(limit(json!({"telemetryInterval": 60}), answered.clone()), 60);
        assert_eq!(limit(json!({"intervals": {"moving": 10, "still": 600}}), answered), 1800);
        let hashed = json!({"intervals": {"value": {"sha256": "x", "members": 4}}});
        assert_eq!(limit(json!({"telemetryInterval": 60}), hashed), 180);
        assert_eq!(limit(json!({"telemetryInterval": "x"}), json!({"telemetryInterval": 7})), 900);
        assert_eq!(limit(json!({"telemetryInterval": 1e300}), json!({})), 900);
    }
}
