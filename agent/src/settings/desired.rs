//! The desired section of the twin becomes settings: the properties that have a meaning, and the rest.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracker_protocol::hub::AckCode;

use crate::settings::answer::Answer;
use crate::settings::defaults::Defaults;
use crate::settings::properties::{Geofences, TABLE, Trip, TripFences};
use crate::settings::property::{self, Property, Set};
use crate::settings::without_meaning;

/// What the twin has set, kept over a restart: as JSON an object with the last good value of each property.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Settings(Set);

impl Settings {
    /// The value of a property that is in force.
    pub fn value<P: Property>(&self, defaults: &Defaults) -> P::Value {
        property::value::<P>(&self.0, defaults)
    }

    /// Whether a property is set to something else than in `other`.
    pub(super) fn differs<P: Property>(&self, other: &Self) -> bool {
        self.0.get(P::NAME) != other.0.get(P::NAME)
    }

    /// Takes the whole desired section. Answers every property that has a meaning, whether it is there or not, and then as
    /// many of the others as there is room for.
    pub fn apply(&mut self, desired: &Map<String, Value>, version: u64, defaults: &Defaults) -> Vec<Answer> {
        let known =
            TABLE.iter().map(|row| (row.answer)(&mut self.0, desired.get(row.name), version, defaults));
        let mut answers: Vec<Answer> = known.chain(without_meaning::answers(desired, version)).collect();
        self.mention_missing_fences(&mut answers, defaults);
        answers
    }

    /// The fences of a trip may come later than their names, or never: what is not there is told.
    fn mention_missing_fences(&self, answers: &mut [Answer], defaults: &Defaults) {
        let Some(Answer { acknowledgement, .. }) = answers.iter_mut().find(|a| a.property == Trip::NAME)
        else {
            return;
        };
        let TripFences { starts_on_leaving, ends_on_reaching } = self.value::<Trip>(defaults);
        let fences = self.0.get(Geofences::NAME).and_then(Value::as_array);
        let is_there = |name: &String| {
            let mut names = fences.into_iter().flatten().map(|fence| &fence["properties"]["name"]);
            names.any(|other| other == name)
        };
        let missing = starts_on_leaving.into_iter().chain(ends_on_reaching).find(|name| !is_there(name));
        if let Some(name) = missing.filter(|_| acknowledgement.code == AckCode::Applied) {
            acknowledgement.code = AckCode::Pending;
            acknowledgement.description = format!("geofences has no {name:?}; once it has, trips follow it");
        }
    }
}

/// Other members, as earlier versions have kept them, are passed over.
impl TryFrom<Map<String, Value>> for Settings {
    type Error = String;

    fn try_from(mut stored: Map<String, Value>) -> Result<Self, String> {
        let mut set = Set::new();
        for row in TABLE {
            if let Some(value) = stored.remove(row.name) {
                let value = (row.load)(&value).map_err(|why| format!("{}: {why}", row.name))?;
                set.insert(row.name.to_owned(), value);
            }
        }
        Ok(Self(set))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::alarms::schema;
    use crate::config::{DeliveryMode, Intervals, LastInterval};
    use crate::settings::properties::{Delivery, Geofences, TelemetryInterval, names};

    const DEFAULT: Defaults = Defaults {
        interval: Duration::from_mins(1),
        intervals: Intervals { moving: None, still: None, in_fence: None, alarm: None },
        last: LastInterval::HOURLY,
        delivery: DeliveryMode { batch_backlog: true, gzip: false, full_properties: false, compact: false },
        alarms: schema::Alarms::NONE,
    };
    const RUNNING: &str = env!("CARGO_PKG_VERSION");

    fn apply(settings: &mut Settings, desired: Value, version: u64) -> Vec<Answer> {
        let Value::Object(desired) = desired else { panic!() };
        settings.apply(&desired, version, &DEFAULT)
    }

    /// What is reported of one property.
    fn reported(answers: &[Answer], name: &str) -> Value {
        answers.iter().find(|answer| answer.property == name).unwrap().acknowledgement.to_value()
    }

    fn interval(settings: &Settings) -> Duration {
        settings.value::<TelemetryInterval>(&DEFAULT)
    }

    #[test]
    fn an_interval_is_applied_and_answered() {
        let mut settings = Settings::default();
        let answers = apply(&mut settings, json!({"telemetryInterval": 5}), 3);
        assert_eq!(interval(&settings), Duration::from_secs(5));
        assert_eq!(
            answers[0].acknowledgement.to_value(),
            json!({"value": 5, "ac": 200, "av": 3, "ad": "applied"})
        );
    }

    #[test]
    fn a_bad_interval_changes_nothing_and_says_why() {
        for bad in [json!("abc"), json!(-1), json!(0), json!(1e9), json!(1.5), json!([5]), json!(true)] {
            let mut settings = Settings::default();
            apply(&mut settings, json!({"telemetryInterval": 5}), 3);
            let before = settings.clone();
            let answers = apply(&mut settings, json!({"telemetryInterval": bad}), 4);
            assert_eq!(settings, before, "{bad}");
            let Answer { acknowledgement, .. } = &answers[0];
            assert_eq!((acknowledgement.code, acknowledgement.version), (AckCode::Bad, 4), "{bad}");
            assert_eq!(acknowledgement.value, json!(5), "the value in force");
            assert!(
                acknowledgement.description.contains("not a whole number of seconds from 1 to 86400"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_removed_interval_stays_in_force() {
        let mut settings = Settings::default();
        apply(&mut settings, json!({"telemetryInterval": 5}), 3);
        let answers = apply(&mut settings, json!({}), 4);
        assert_eq!(interval(&settings), Duration::from_secs(5));
        assert_eq!(answers[0].acknowledgement.code, AckCode::Bad);
        assert!(answers[0].acknowledgement.description.contains("null or removed"));
    }

    #[test]
    fn without_a_desired_value_the_default_is_reported() {
        let answers = apply(&mut Settings::default(), json!({}), 9);
        assert_eq!(answers[0].acknowledgement.to_value()["ac"], 203);
        assert_eq!(answers[0].acknowledgement.to_value()["av"], 0);
        assert_eq!(answers[0].acknowledgement.value, json!(60));
    }

    /// A property, two good values and a bad one: what is in force with each, and by default.
    type Example = (&'static str, [(Value, Value, u16); 2], Value, Value);

    fn batched(batch: bool, gzip: bool) -> Value {
        json!({"batchBacklog": batch, "gzip": gzip, "fullProperties": false, "compact": false})
    }

    fn examples() -> [Example; 10] {
        let gate = |radius: i32| {
            let geometry = json!({"type": "Point", "coordinates": [4.3, 51.95]});
            json!([{"type": "Feature", "properties": {"name": "gate", "radius": radius}, "geometry": geometry}])
        };
        [
            (
                "telemetryInterval",
                [(json!(5), json!(5), 200), (json!(7.0), json!(7), 200)],
                json!("x"),
                json!(60),
            ),
            (
                "intervals",
                [
                    (
                        json!({"moving": 300, "still": 3600.0, "inFence": 86400, "alarm": 1}),
                        json!({"moving": 300, "still": 3600, "inFence": 86400, "alarm": 1}),
                        200,
                    ),
                    (json!({}), json!({}), 200),
                ],
                json!({"moving": 300, "still": 0}),
                json!({}),
            ),
            (
                "lastInterval",
                [(json!(0), json!(0), 200), (json!(900.0), json!(900), 200)],
                json!(59),
                json!(3600),
            ),
            (
                "alarms",
                [
                    (json!({"profile": "gouda"}), json!({"profile": "gouda"}), 200),
                    (json!({}), json!({}), 200),
                ],
                json!({"profile": "brie"}),
                json!({}),
            ),
            (
                "delivery",
                [
                    (json!({"gzip": true}), batched(true, true), 200),
                    (json!({"batchBacklog": false}), batched(false, false), 200),
                ],
                json!({"gzip": 1}),
                batched(true, false),
            ),
            (
                "evidence",
                [(json!(true), json!(true), 200), (json!(false), json!(false), 200)],
                json!("yes"),
                json!(false),
            ),
            (
                "firmware",
                [(json!(RUNNING), json!(RUNNING), 200), (json!("99.0.0"), json!(RUNNING), 202)],
                json!(99),
                json!(RUNNING),
            ),
            ("geofences", [(gate(50), gate(50), 200), (gate(60), gate(60), 200)], gate(-1), json!([])),
            (
                "containerNumber",
                [
                    (json!("MSKU9070323"), json!("MSKU9070323"), 200),
                    (json!("CSQU3054383"), json!("CSQU3054383"), 200),
                ],
                json!("MSKU9070324"),
                json!(""),
            ),
            (
                "trip",
                [
                    (json!({"startsOnLeaving": "gate"}), json!({"startsOnLeaving": "gate"}), 202),
                    (json!({"endsOnReaching": null}), json!({}), 200),
                ],
                json!({"startsOnLeaving": 7}),
                json!({}),
            ),
        ]
    }

    #[test]
    fn set_bad_gone_and_default_are_answered_alike_for_every_property() {
        assert_eq!(examples().map(|(name, ..)| name).to_vec(), names().collect::<Vec<_>>());
        for (name, good, bad, default) in examples() {
            let mut settings = Settings::default();
            let mut tell = |desired: Value, version: u64| {
                let answer = reported(&apply(&mut settings, desired, version), name);
                (answer["value"].clone(), answer["ac"].as_u64().unwrap(), answer["av"].as_u64().unwrap())
            };
            assert_eq!(tell(json!({}), 1), (default.clone(), 203, 0), "{name}");
            assert_eq!(tell(json!({name: bad}), 2), (default.clone(), 400, 2), "{name}: nothing good before");
            assert_eq!(tell(json!({}), 3), (default, 203, 0), "{name}: it was never set");
            for (value, in_force, code) in good {
                assert_eq!(tell(json!({name: value}), 4), (in_force.clone(), code.into(), 4), "{name}");
                assert_eq!(tell(json!({name: bad}), 5), (in_force.clone(), 400, 5), "{name}");
                assert_eq!(tell(json!({}), 6), (in_force.clone(), 400, 6), "{name}");
                assert_eq!(tell(json!({name: null}), 7), (in_force, 400, 7), "{name}");
            }
        }
    }

    #[test]
    fn what_was_set_is_known_after_a_restart() {
        for (name, good, ..) in examples() {
            for (value, in_force, _) in good {
                let mut settings = Settings::default();
                apply(&mut settings, json!({name: value}), 1);
                let stored = serde_json::to_value(&settings).unwrap();
                let mut settings: Settings = serde_json::from_value(stored).unwrap();
                let answer = reported(&apply(&mut settings, json!({}), 2), name);
                assert_eq!((&answer["value"], &answer["ac"]), (&in_force, &json!(400)), "{name}");
                assert!(answer["ad"].as_str().unwrap().starts_with("null or removed is no"), "{answer}");
            }
        }
    }

    #[test]
    fn a_field_of_delivery_that_is_left_out_is_reported_as_it_is_in_force() {
        let answers = apply(&mut Settings::default(), json!({"delivery": {"gzip": true}}), 2);
        let value = json!({"batchBacklog": true, "gzip": true, "fullProperties": false, "compact": false});
        let answer = json!({"value": value, "ac": 200, "av": 2, "ad": "applied"});
        assert_eq!(reported(&answers, "delivery"), answer);
    }

    #[test]
    fn bad_intervals_are_told_by_the_member() {
        for (bad, right) in [
            (json!(60), "60 is no object"),
            (json!([300, 3600]), "[300,3600] is no object"),
            (
                json!({"driving": 300}),
                "driving: there is no such member; there are moving, still, inFence, alarm",
            ),
            (
                json!({"in_fence": 300}),
                "in_fence: there is no such member; there are moving, still, inFence, alarm",
            ),
            (json!({"moving": "300"}), "moving: \"300\" is not a whole number of seconds from 1 to 86400"),
            (json!({"still": 0}), "still: 0 is not a whole number of seconds from 1 to 86400"),
            (json!({"still": -5}), "still: -5 is not a whole number of seconds from 1 to 86400"),
            (json!({"inFence": 1.5}), "inFence: 1.5 is not a whole number of seconds from 1 to 86400"),
            (
                json!({"moving": 9, "alarm": 86401}),
                "alarm: 86401 is not a whole number of seconds from 1 to 86400",
            ),
            (json!({"alarm": null}), "alarm: null is not a whole number of seconds from 1 to 86400"),
        ] {
            let mut settings = Settings::default();
            apply(&mut settings, json!({"intervals": {"still": 600}}), 1);
            let answer = reported(&apply(&mut settings, json!({"intervals": bad}), 2), "intervals");
            assert_eq!((&answer["ac"], &answer["ad"]), (&json!(400), &json!(right)), "{bad}");
            assert_eq!(answer["value"], json!({"still": 600}), "the last good ones stay");
        }
        let odd = json!({"intervals": {"moving": 60, "alarm": 300}});
        let answer = reported(&apply(&mut Settings::default(), odd, 2), "intervals");
        let words = "applied; alarm is meant to be the shortest";
        assert_eq!((&answer["ac"], &answer["ad"]), (&json!(200), &json!(words)));
    }

    #[test]
    fn a_bad_delivery_is_told_what_would_be_right() {
        for bad in [
            json!("fast"),
            json!([true, true]),
            json!({"zip": true}),
            json!({"gzip": "yes"}),
            json!({"fullProperties": 1}),
        ] {
            let answers = apply(&mut Settings::default(), json!({"delivery": bad}), 2);
            let words = reported(&answers, "delivery")["ad"].as_str().unwrap().to_owned();
            let right = "it must be {\"batchBacklog\": …, \"gzip\": …, \"fullProperties\": …, \"compact\": …}, each true or false: ";
            assert!(words.starts_with(right), "{words}");
        }
    }

    #[test]
    fn alarms_of_more_than_a_kilobyte_are_answered_by_their_hash() {
        let bound =
            json!({"field": "temperature", "warning": {"low": 1, "high": 7, "delay": 1800}, "clear": 600});
        let bounds: Map<_, _> = (0..12).map(|number| (format!("a{number}"), bound.clone())).collect();
        let answers =
            apply(&mut Settings::default(), json!({"alarms": {"profile": "gouda", "bounds": bounds}}), 2);
        let answer = reported(&answers, "alarms");
        assert_eq!((&answer["ac"], &answer["value"]["members"]), (&json!(200), &json!(2)));
        assert_eq!(answer["value"]["sha256"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn a_trip_may_name_fences_that_come_later() {
        let geometry = json!({"type": "Point", "coordinates": [4.3, 51.95]});
        let gate =
            json!({"type": "Feature", "properties": {"name": "gate", "radius": 50}, "geometry": geometry});
        let mut settings = Settings::default();
        let trip = json!({"startsOnLeaving": "gate", "endsOnReaching": "gate"});
        let answer = reported(&apply(&mut settings, json!({"trip": trip}), 1), "trip");
        assert_eq!((&answer["ac"], &answer["value"]), (&json!(202), &trip));
        assert_eq!(answer["ad"], "geofences has no \"gate\"; once it has, trips follow it");
        let answers = apply(&mut settings, json!({"trip": trip, "geofences": [gate]}), 2);
        assert_eq!(reported(&answers, "trip"), json!({"value": trip, "ac": 200, "av": 2, "ad": "applied"}));
    }

    #[test]
    fn firmware_is_held_against_what_runs() {
        let mut settings = Settings::default();
        let answers = apply(&mut settings, json!({"firmware": "99.0.0"}), 1);
        let words = format!("{RUNNING} runs, 99.0.0 is wanted; install it with the package manager");
        assert_eq!(
            reported(&answers, "firmware"),
            json!({"value": RUNNING, "ac": 202, "av": 1, "ad": words})
        );
        let answers = apply(&mut settings, json!({"firmware": RUNNING}), 2);
        let words = format!("{RUNNING} runs");
        assert_eq!(
            reported(&answers, "firmware"),
            json!({"value": RUNNING, "ac": 200, "av": 2, "ad": words})
        );
    }

    #[test]
    fn others_are_answered_and_not_stored() {
        let mut settings = Settings::default();
        let answers = apply(&mut settings, json!({"cargo": {"kind": "gouda"}}), 1);
        let words = "this version gives it no meaning";
        assert_eq!(
            reported(&answers, "cargo"),
            json!({"value": {"kind": "gouda"}, "ac": 200, "av": 1, "ad": words})
        );
        assert_eq!(serde_json::to_value(&settings).unwrap(), json!({}), "an unknown property costs no flash");
        let answers = apply(&mut settings, json!({"cargo": vec!["gouda"; 500]}), 2);
        assert_eq!(reported(&answers, "cargo")["value"]["members"], 500);
    }

    #[test]
    fn settings_of_earlier_versions_are_understood() {
        let stored = json!({
            "telemetryInterval": 5,
            "delivery": {"batch_backlog": false, "gzip": true},
            "others": {"cargo": {"kind": "gouda"}},
        });
        let settings: Settings = serde_json::from_value(stored).unwrap();
        assert_eq!(interval(&settings), Duration::from_secs(5));
        let delivery = DeliveryMode { batch_backlog: false, gzip: true, ..DeliveryMode::default() };
        assert_eq!(settings.value::<Delivery>(&DEFAULT), delivery);
        let stored = serde_json::to_value(&settings).unwrap();
        assert_eq!(
            stored,
            json!({"telemetryInterval": 5, "delivery": {"batchBacklog": false, "gzip": true, "fullProperties": false, "compact": false}})
        );
    }

    #[test]
    fn stored_settings_that_can_not_be_meant_are_an_error() {
        let error = serde_json::from_value::<Settings>(json!({"telemetryInterval": 0})).unwrap_err();
        let words = "telemetryInterval: 0 is not a whole number of seconds from 1 to 86400";
        assert_eq!(error.to_string(), words);
    }

    #[test]
    fn many_fences_are_answered_by_their_digest_and_a_bad_one_leaves_the_good_ones_in_force() {
        let fence = |number: usize, radius: usize| {
            let geometry = json!({"type": "Point", "coordinates": [4.3, 51.95]});
            json!({"type": "Feature", "properties": {"name": format!("gate {number}"), "radius": radius}, "geometry": geometry})
        };
        let mut fences: Vec<Value> = (0..50).map(|number| fence(number, 100)).collect();
        let mut settings = Settings::default();
        let good = reported(&apply(&mut settings, json!({"geofences": fences}), 1), "geofences");
        assert_eq!((&good["ac"], &good["value"]["members"]), (&json!(200), &json!(50)));
        fences[49] = fence(48, 100);
        let bad = reported(&apply(&mut settings, json!({"geofences": fences}), 2), "geofences");
        assert_eq!((&bad["ac"], &bad["value"]), (&json!(400), &good["value"]));
        assert_eq!(bad["ad"], "[49].properties.name: \"gate 48\" is the name of [48] already");
        assert_eq!(settings.value::<Geofences>(&DEFAULT).fences.all().len(), 50);
    }
}
