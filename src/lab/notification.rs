//! What a person is told of an event message: who, what, how bad, since when, where, in one sentence.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_emulator::TelemetryMessage;

use super::received::readings;

/// An event message, and the sentence made of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notification {
    /// The sentence.
    pub(crate) text: String,
    /// Application properties.
    pub(crate) properties: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: Value,
}

impl Notification {
    /// Of a message as routes deliver it. `None` of what is no event.
    pub(crate) fn of_record(record: &Value) -> Option<Self> {
        let properties = record["Properties"].as_object()?.iter();
        let properties =
            properties.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().into()));
        let device = record["SystemProperties"]["connectionDeviceId"].as_str().unwrap_or_default();
        Self::new(device, properties.collect(), record["Body"].clone())
    }

    /// Of a message as a hub has received it. `None` of what is no event.
    pub(crate) fn of_message(message: &TelemetryMessage) -> Option<Self> {
        let properties = message.application_properties().into_iter();
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let body = readings(message).into_iter().next().unwrap_or_default();
        Self::new(&message.device_id, properties, body)
    }

    fn new(device: &str, properties: BTreeMap<String, String>, body: Value) -> Option<Self> {
        if properties.get("messageType")? != "event" {
            return None;
        }
        let property = |name: &str| properties.get(name).map(String::as_str);
        let who = property("containerNumber").filter(|number| !number.is_empty()).unwrap_or(device);
        let text = match property("alarm") {
            Some(alarm) => of_alarm(who, alarm, property("severity")?, property("state")?, &body),
            None => of_place(who, property("place")?, property("state")?, &body),
        };
        Some(Self { text, properties, body })
    }

    /// An application property; empty where there is none.
    pub(crate) fn property(&self, name: &str) -> &str {
        self.properties.get(name).map_or("", String::as_str)
    }

    /// Whether it says this state of this alarm.
    pub(crate) fn is(&self, alarm: &str, state: &str) -> bool {
        self.property("alarm") == alarm && self.property("state") == state
    }

    /// Whether it says this of this place.
    pub(crate) fn is_at(&self, place: &str, state: &str) -> bool {
        self.property("place") == place && self.property("state") == state
    }

    /// A moment in its body.
    pub(crate) fn moment(&self, name: &str) -> Option<DateTime<Utc>> {
        moment(&self.body, name)
    }
}

fn of_alarm(who: &str, alarm: &str, severity: &str, state: &str, body: &Value) -> String {
    let head = match (state, severity) {
        ("cleared", _) => "OVER".to_owned(),
        ("escalated", _) => "NOW CRITICAL".to_owned(),
        (_, severity) => severity.to_uppercase(),
    };
    let lasted = body["duration"].as_f64().map_or("an unknown time".into(), lasted);
    let at = |name: &str| moment(body, name).map_or("an unknown time".into(), date);
    let what = if state == "cleared" {
        let worst = match (measured(alarm, body, "extreme"), moment(body, "extremeTime")) {
            (Some(worst), Some(when)) => format!(", the worst was {worst} at {}", date(when)),
            _ => String::new(),
        };
        let (over, since) = match body["removed"].as_bool() {
            Some(true) => (format!("{alarm} is no alarm any more"), at("time")),
            _ => (is_over(alarm, body), if body["end"].is_string() { at("end") } else { at("time") }),
        };
        format!("{over} since {since}, after {lasted}{worst}")
    } else {
        format!("{} since {}, for {lasted}", is_wrong(alarm, body), at("begin"))
    };
    format!("{head}: {who}, {what}{}", position(body))
}

/// What is wrong, in the words of a person.
fn is_wrong(alarm: &str, body: &Value) -> String {
    if let (Some(field), Some(value)) = (body["field"].as_str(), measured(alarm, body, "extreme")) {
        let is_above = body["extreme"].as_f64() > body["limit"].as_f64();
        let limit = measured(alarm, body, "limit").unwrap_or_default();
        return format!("{field} {value}, {} {limit}", if is_above { "above" } else { "below" });
    }
    match alarm {
        "silent" => "not heard".into(),
        "moved" => {
            format!("{} from where it should stand", measured(alarm, body, "extreme").unwrap_or_default())
        }
        "doorOpened" => "a door is open".into(),
        "gpsGone" => "no position".into(),
        "certificateEnds" => "its certificate is near its end".into(),
        "rootsEnd" => "a root certificate of servers is near its end".into(),
        "journalThinned" => "its memory is full, the history becomes coarser".into(),
        _ => match body["sensor"].as_str() {
            Some(sensor) => format!("the sensor {sensor} gives nothing"),
            None => format!("alarm {alarm}"),
        },
    }
}

fn is_over(alarm: &str, body: &Value) -> String {
    match (alarm, body["field"].as_str(), body["sensor"].as_str()) {
        (_, Some(field), _) => format!("{field} within its limits again"),
        (_, _, Some(sensor)) => format!("the sensor {sensor} works again"),
        ("silent", ..) => "heard again".into(),
        ("doorOpened", ..) => "the doors are shut".into(),
        ("gpsGone", ..) => "its position is known again".into(),
        _ => format!("no alarm {alarm} any more"),
    }
}

/// A value with its unit. As many decimals as a person wants to hear.
fn measured(alarm: &str, body: &Value, name: &str) -> Option<String> {
    let value = body[name].as_f64()?;
    let unit = match (body["field"].as_str(), alarm) {
        (Some("temperature"), _) => " °C",
        (Some("humidity"), _) => " %RH",
        (Some("pressure"), _) => " hPa",
        (Some("speed"), _) => " km/h",
        (Some("light"), _) => " lx",
        (_, "moved") => " m",
        _ => "",
    };
    let value = (value * 10.0).round() / 10.0;
    Some(format!("{value}{unit}"))
}

fn of_place(who: &str, place: &str, state: &str, body: &Value) -> String {
    let what = match state {
        "enter" => "has reached",
        "exit" => "has left",
        "crossed" => "has passed",
        _ => "is in",
    };
    let when = moment(body, "time").map(|time| format!(", {}", date(time))).unwrap_or_default();
    format!("{who} {what} {place}{when}{}", position(body))
}

/// `; at 51.9600°N 4.5354°E`, or nothing where nobody knows.
fn position(body: &Value) -> String {
    let location = &body["location"];
    let (Some(lat), Some(lon)) = (location["lat"].as_f64(), location["lon"].as_f64()) else {
        return String::new();
    };
    let (ns, ew) = (if lat < 0.0 { 'S' } else { 'N' }, if lon < 0.0 { 'W' } else { 'E' });
    format!("; at {:.3}°{ns} {:.3}°{ew}", lat.abs(), lon.abs())
}

fn moment(body: &Value, name: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(body[name].as_str()?).ok().map(|time| time.to_utc())
}

fn date(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Seconds in words.
pub(crate) fn lasted(seconds: f64) -> String {
    match seconds.round() as i64 {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        seconds => format!("{} days {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(properties: &Value, body: &Value) -> Option<String> {
        let system = json!({"connectionDeviceId": "sensor-thl-001"});
        let record = json!({"Properties": properties, "SystemProperties": system, "Body": body});
        Notification::of_record(&record).map(|notification| notification.text)
    }

    fn alarm(name: &str, severity: &str, state: &str) -> Value {
        json!({"messageType": "event", "alarm": name, "severity": severity, "state": state, "containerNumber": "MSKU9070323"})
    }

    #[test]
    fn an_alarm_says_who_what_how_bad_since_when_and_where() {
        let mut body = json!({
            "begin": "2026-11-21T08:15:00.000Z", "extremeTime": "2026-11-21T08:52:00.000Z", "duration": 2220,
            "field": "temperature", "extreme": 8.4123, "limit": 7.0, "time": "2026-11-21T08:52:00.000Z",
            "location": {"lat": 51.959_977_3, "lon": -4.535_390_8},
        });
        assert_eq!(
            text(&alarm("temperature", "warning", "raised"), &body).unwrap(),
            "WARNING: MSKU9070323, temperature 8.4 °C, above 7 °C since 2026-11-21 08:15 UTC, for 37 min; at 51.960°N 4.535°W"
        );
        (body["duration"], body["extreme"], body["limit"]) = (json!(8000), json!(-0.2), json!(0));
        assert_eq!(
            text(&alarm("temperature", "critical", "escalated"), &body).unwrap(),
            "NOW CRITICAL: MSKU9070323, temperature -0.2 °C, below 0 °C since 2026-11-21 08:15 UTC, for 2 h 13 min; at 51.960°N 4.535°W"
        );
        (body["end"], body["location"]) = (json!("2026-11-21T09:31:00.000Z"), Value::Null);
        assert_eq!(
            text(&alarm("temperature", "critical", "cleared"), &body).unwrap(),
            "OVER: MSKU9070323, temperature within its limits again since 2026-11-21 09:31 UTC, after 2 h 13 min, the worst was \
             -0.2 °C at 2026-11-21 08:52 UTC"
        );
    }

    #[test]
    fn silence_sensors_and_places_have_their_words() {
        let silent = json!({"begin": "2026-11-21T08:15:00.000Z", "time": "2026-11-21T08:15:04.000Z", "duration": 4, "limit": 3});
        assert_eq!(
            text(&alarm("silent", "critical", "raised"), &silent).unwrap(),
            "CRITICAL: MSKU9070323, not heard since 2026-11-21 08:15 UTC, for 4 s"
        );
        assert_eq!(
            text(&alarm("silent", "critical", "cleared"), &silent).unwrap(),
            "OVER: MSKU9070323, heard again since 2026-11-21 08:15 UTC, after 4 s"
        );
        let failed = text(&alarm("bme280Failed", "warning", "raised"), &json!({"sensor": "bme280"})).unwrap();
        assert_eq!(
            failed,
            "WARNING: MSKU9070323, the sensor bme280 gives nothing since an unknown time, for an unknown time"
        );
        let properties = json!({"messageType": "event", "place": "Felixstowe", "state": "enter"});
        let body = json!({"time": "2026-11-21T08:15:00.000Z", "location": {"lat": 51.955, "lon": 1.3}});
        assert_eq!(
            text(&properties, &body).unwrap(),
            "sensor-thl-001 has reached Felixstowe, 2026-11-21 08:15 UTC; at 51.955°N 1.300°E"
        );
        assert_eq!(text(&json!({"chain": "x"}), &body), None);
        assert_eq!(text(&json!({"messageType": "evidence"}), &body), None);
    }

    #[test]
    fn a_duration_is_said_in_two_units_at_the_most() {
        let said = [0.4, 119.0, 120.0, 7199.0, 7200.0, 8_040.0, 172_800.0].map(lasted);
        assert_eq!(said, ["0 s", "119 s", "2 min", "119 min", "2 h 0 min", "2 h 14 min", "2 days 0 h"]);
    }
}
