//! `cloud fleet`: where the devices are, and how they are.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::cli::cloud::bulk::of_each;
use crate::cli::cloud::output::{Column, OutputFormat};
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::{Hub, Target};
use crate::platform::clock::system_time;
use crate::platform::stderr::tell;

const COLUMNS: &[Column<'_>] = &[
    ("Device", "/deviceId"),
    ("Hub", "/hub"),
    ("State", "/state"),
    ("Place", "/where"),
    ("°C", "/temperature"),
    ("Seen", "/at"),
    ("Alarms", "/alarmWords"),
    ("Firmware", "/firmware"),
    ("Cert.", "/certificate"),
];

/// Members that are there for the table alone.
const FOR_PEOPLE: [&str; 4] = ["state", "where", "alarmWords", "certificate"];

/// Where the fleet is, over all hubs: device, hub, connection, place, °C, age, alarms, firmware, days of the certificate.
///
/// Place, temperature and their age are what a tracker has reported last (property `last`), not more often than once an hour.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct FleetCommand {
    /// Only devices that meet a condition of IoT Hub's query language, like "connectionState = 'Disconnected'".
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// This many devices at most.
    #[arg(long, value_name = "N")]
    top: Option<usize>,
}

impl FleetCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hubs: Vec<Hub> = target.hubs()?.into_iter().map(Hub::patient).collect();
        let text = match &self.condition {
            Some(condition) => format!("SELECT * FROM devices WHERE {condition}"),
            None => "SELECT * FROM devices".to_owned(),
        };
        let query = Call::post(&["devices", "query"]).json(&json!({"query": text}));
        let (now, top) = (system_time(), self.top.unwrap_or(usize::MAX));
        let output = target.output.usually(OutputFormat::Table);
        let for_people = output.format() != OutputFormat::Json;
        let found = of_each(&hubs, |hub| {
            let mut rows = Vec::new();
            // Twins are large: of each page only the rows stay.
            hub.client.pages(&query, |page| {
                rows.extend(page.iter().map(|twin| row(twin, &hub.label, now, for_people)));
                rows.len() < top
            })?;
            Ok(rows)
        })?;
        let mut rows: Vec<Value> = found.into_iter().flatten().collect();
        rows.sort_by(|a, b| a["deviceId"].as_str().cmp(&b["deviceId"].as_str()));
        rows.truncate(top);
        if rows.is_empty() {
            let labels = hubs.iter().map(|hub| hub.label.as_str()).collect::<Vec<_>>().join(", ");
            tell!(
                "no device of {labels}{}",
                if self.condition.is_some() { " meets the condition" } else { "" }
            );
        }
        output.show(&rows.into(), COLUMNS)
    }
}

/// What of a twin tells where a device is and how it is; what it has not reported is absent.
fn row(twin: &Value, hub: &str, now: DateTime<Utc>, for_people: bool) -> Value {
    let reported = &twin["properties"]["reported"];
    let last = &reported["last"];
    let alarms: Vec<&str> = reported["activeAlarms"]
        .as_object()
        .map(|alarms| alarms.iter().filter(|(name, alarm)| !name.starts_with('$') && !alarm.is_null()))
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    let valid_until = reported["certificate"]["validUntil"].as_str();
    let valid_until = valid_until.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let days = valid_until.map(|time| time.to_utc().signed_duration_since(now).num_days());
    let firmware = match &reported["firmware"] {
        Value::Object(answer) => answer.get("value").cloned().unwrap_or(Value::Null),
        plain => plain.clone(),
    };
    let mut row = json!({
        "deviceId": twin["deviceId"],
        "hub": hub,
        "connection": twin["connectionState"],
        "place": last["place"],
        "lat": last["lat"],
        "lon": last["lon"],
        "temperature": last["temperature"],
        "at": last["at"],
        "alarms": alarms,
        "firmware": firmware,
        "certificateDays": days,
    });
    if twin["status"] == "disabled" {
        row["connection"] = "disabled".into();
    }
    if for_people {
        row["state"] = match row["connection"].as_str() {
            Some("Connected") => "online".into(),
            Some("Disconnected") => "offline".into(),
            _ => row["connection"].clone(),
        };
        row["where"] = place(last).into();
        row["certificate"] = days.map(|days| format!("{days} d")).into();
        let told = if alarms.is_empty() { None } else { Some(alarms.join(" ")) };
        row["alarmWords"] = told.into();
    }
    if let Some(members) = row.as_object_mut() {
        members.retain(|name, value| !value.is_null() || FOR_PEOPLE.contains(&name.as_str()));
    }
    row
}

/// Its name, or else the position.
fn place(last: &Value) -> Option<String> {
    if let Some(name) = last["place"].as_str() {
        return Some(name.to_owned());
    }
    let (lat, lon) = (last["lat"].as_f64()?, last["lon"].as_f64()?);
    let letter = |value: f64, positive, negative| if value < 0.0 { negative } else { positive };
    Some(format!("{:.2} {} {:.2} {}", lat.abs(), letter(lat, 'N', 'S'), lon.abs(), letter(lon, 'E', 'W')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_what_was_reported_and_no_more() {
        let now = "2026-11-29T12:00:00Z".parse().unwrap();
        let twin = json!({
            "deviceId": "box-1", "connectionState": "Connected", "status": "enabled",
            "properties": {"reported": {
                "last": {"at": "2026-11-29T11:57:00Z", "lat": -36.84, "lon": 174.78, "temperature": 4.9},
                "activeAlarms": {"doorOpen": {"severity": "warning"}, "gone": null, "$version": 1},
                "firmware": {"value": "0.2.0", "ac": 200},
                "certificate": {"validUntil": "2026-12-29T12:00:00Z"},
            }},
        });
        assert_eq!(
            row(&twin, "east", now, true),
            json!({
                "deviceId": "box-1", "hub": "east", "connection": "Connected", "lat": -36.84, "lon": 174.78,
                "temperature": 4.9, "at": "2026-11-29T11:57:00Z", "alarms": ["doorOpen"], "firmware": "0.2.0",
                "certificateDays": 30, "where": "36.84 S 174.78 E", "alarmWords": "doorOpen",
                "state": "online", "certificate": "30 d",
            })
        );
        let bare = json!({"deviceId": "box-2", "connectionState": "Disconnected", "status": "disabled"});
        assert_eq!(
            row(&bare, "west", now, false),
            json!({"deviceId": "box-2", "hub": "west", "connection": "disabled", "alarms": []})
        );
    }
}
