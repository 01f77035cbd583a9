//! What a twin says of a container, whatever strangers have put into it.

use chrono::DateTime;
use serde_json::{Map, Value};

use super::events::clipped;
use crate::model::{Fence, ProfileBand};

/// What there is in a twin.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) cargo: Option<String>,
    pub(super) container: Option<String>,
    pub(super) backlog: Option<u64>,
    pub(super) firmware: Option<String>,
    /// Milliseconds since 1970.
    pub(super) certificate_until: Option<i64>,
    pub(super) profile: Option<ProfileBand>,
    pub(super) fences: Vec<Fence>,
    /// As they were at this time, where the hub says when.
    pub(super) active_alarms: Option<(Map<String, Value>, Option<i64>)>,
}

/// Warning bounds of temperature by goods, as the agent has them (docs/alarms.md).
const PROFILES: [(&str, Option<f64>, Option<f64>); 11] = [
    ("bananas", Some(12.5), Some(14.5)),
    ("butter", None, Some(-15.0)),
    ("frozen", None, Some(-15.0)),
    ("cheddar", Some(0.0), Some(5.0)),
    ("cherries", Some(-1.0), Some(1.0)),
    ("dry", None, Some(50.0)),
    ("edam", Some(1.0), Some(7.0)),
    ("gouda", Some(1.0), Some(7.0)),
    ("pharma2to8", Some(2.0), Some(8.0)),
    ("pharma15to25", Some(15.0), Some(25.0)),
    ("softCheese", Some(0.0), Some(4.0)),
];

/// More no device can have.
const MOST_FENCES: usize = 50;

/// Reads a twin, as Azure has it.
pub(super) fn read(twin: &Value) -> Told {
    let properties = &twin["properties"];
    let (desired, reported) = (&properties["desired"], &properties["reported"]);
    // What a device answers is in `value`, beside how it went; large values are answered by their hash.
    let in_force = |name: &str| -> &Value {
        let answer = &reported[name];
        match answer.get("value").unwrap_or(answer) {
            Value::Null | Value::String(_) if desired.get(name).is_some_and(|wish| !wish.is_string()) => {
                &desired[name]
            }
            Value::Null => &desired[name],
            value => value,
        }
    };
    let text = |value: &Value| value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(clipped);
    let moment = |value: &Value| Some(DateTime::parse_from_rfc3339(value.as_str()?).ok()?.timestamp_millis());
    let firmware = &reported["firmware"];
    let profile = profile(in_force("alarms"));
    Told {
        cargo: text(&twin["tags"]["cargo"]).or_else(|| profile.as_ref().map(|profile| profile.name.clone())),
        container: text(in_force("containerNumber")).or_else(|| text(&twin["tags"]["containerNumber"])),
        backlog: reported["journal"]["waiting"].as_u64(),
        firmware: text(firmware.get("value").unwrap_or(firmware)),
        certificate_until: moment(&reported["certificate"]["validUntil"]),
        profile,
        fences: fences(in_force("geofences")),
        active_alarms: reported["activeAlarms"].as_object().map(|active| {
            let at = moment(&reported["$metadata"]["activeAlarms"]["$lastUpdated"]);
            (active.clone(), at)
        }),
    }
}

fn profile(alarms: &Value) -> Option<ProfileBand> {
    let name = alarms["profile"].as_str();
    let known = name.and_then(|name| PROFILES.iter().find(|(known, ..)| *known == name));
    let (mut low, mut high) = known.map_or((None, None), |(_, low, high)| (*low, *high));
    // Bounds of one's own under the profile's name go before it.
    let own = &alarms["bounds"]["temperature"];
    if own["field"] == "temperature" {
        let bounds = if own["warning"].is_object() { &own["warning"] } else { &own["critical"] };
        (low, high) = (bounds["low"].as_f64(), bounds["high"].as_f64());
    }
    if name.is_none() && low.is_none() && high.is_none() {
        return None;
    }
    Some(ProfileBand { name: clipped(name.unwrap_or("temperature")), low, high })
}

fn fences(geofences: &Value) -> Vec<Fence> {
    let fence = |feature: &Value| {
        let geometry = feature.get("geometry").filter(|geometry| geometry.is_object())?.clone();
        let name = clipped(feature["properties"]["name"].as_str()?);
        Some(Fence { device: None, name, geometry, radius: feature["properties"]["radius"].as_f64() })
    };
    geofences.as_array().into_iter().flatten().take(MOST_FENCES).filter_map(fence).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_twin_is_read_as_trackers_fill_it() {
        let fence = json!({"type": "Feature", "properties": {"name": "yard", "radius": 150},
            "geometry": {"type": "Point", "coordinates": [4.8, 52.0]}});
        let told = read(&json!({
            "tags": {"cargo": " Gouda "},
            "properties": {
                "desired": {"geofences": [fence, 7, {"properties": {"name": "x"}}], "containerNumber": "MSKU9070323"},
                "reported": {
                    "alarms": {"value": {"profile": "gouda"}, "ac": 200}, "geofences": {"value": "sha256 of it", "ac": 200},
                    "firmware": {"value": "0.1.0", "ac": 200}, "journal": {"waiting": 17},
                    "certificate": {"validUntil": "2027-01-01T00:00:00Z"}, "activeAlarms": {},
                    "$metadata": {"activeAlarms": {"$lastUpdated": "2026-11-21T08:00:00Z"}},
                },
            },
        }));
        assert_eq!((told.cargo.as_deref(), told.container.as_deref()), (Some("Gouda"), Some("MSKU9070323")));
        assert_eq!((told.backlog, told.firmware.as_deref()), (Some(17), Some("0.1.0")));
        assert_eq!(told.profile, Some(ProfileBand { name: "gouda".into(), low: Some(1.0), high: Some(7.0) }));
        assert_eq!(told.fences.iter().map(|fence| fence.name.as_str()).collect::<Vec<_>>(), ["yard"]);
        assert_eq!(told.active_alarms, Some((Map::new(), Some(1_795_248_000_000))));
    }

    #[test]
    fn own_bounds_go_before_the_profile_and_nonsense_is_nothing() {
        let band = |alarms: Value| profile(&alarms).map(|band| (band.low, band.high));
        let own = json!({"temperature": {"field": "temperature", "warning": {"low": 2, "high": 6}}});
        assert_eq!(band(json!({"profile": "gouda", "bounds": own})), Some((Some(2.0), Some(6.0))));
        assert_eq!(band(json!({"profile": "marble"})), Some((None, None)));
        assert_eq!(band(json!({})), None);
        for nonsense in [
            json!(null),
            json!(7),
            json!([]),
            json!({"properties": 7, "tags": []}),
            json!({"properties": {"reported": {"journal": 4}}}),
        ] {
            assert_eq!(read(&nonsense), Told::default(), "{nonsense}");
        }
    }
}
