//! The alarms of a device: which stand, as its messages, its twin and its hub tell, in whatever order they come.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{RowAlarm, Severity};
use crate::telemetry::{Alarm, AlarmState, moment};

/// More no device has, whatever it sends.
const MOST: usize = 64;

/// What was told of the alarms of a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alarms(BTreeMap<String, Told>);

/// What was last told of an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    /// When, and with which number of the device.
    at: (i64, u64),
    since: i64,
    severity: Severity,
    is_over: bool,
    is_acknowledged: bool,
    by: Option<String>,
}

impl Alarms {
    /// Takes what a message tells, unless a later one was here before.
    pub(crate) fn take(&mut self, alarm: &Alarm) {
        let at = (alarm.time, alarm.seq.unwrap_or_default());
        let is_over = alarm.state == AlarmState::Cleared;
        let may_be = self.0.contains_key(&alarm.name) || self.has_room();
        let before = self.0.get(&alarm.name);
        if before.is_some_and(|told| told.at > at) || !may_be {
            return;
        }
        // One that escalates is to be acknowledged anew.
        let acknowledged =
            before.filter(|told| !told.is_over && told.is_acknowledged && told.severity == alarm.severity);
        let by = acknowledged.and_then(|told| told.by.clone());
        let told = Told {
            at,
            since: alarm.begin,
            severity: alarm.severity,
            is_over,
            is_acknowledged: acknowledged.is_some(),
            by,
        };
        self.0.insert(alarm.name.clone(), told);
    }

    fn has_room(&mut self) -> bool {
        if self.0.len() >= MOST {
            self.0.retain(|_, told| !told.is_over);
        }
        self.0.len() < MOST
    }

    /// Takes the reported property `activeAlarms`, as it was at this time (milliseconds since 1970, where it is known): it has all
    /// that stand, but for what the hub tells of itself.
    pub(crate) fn reported(&mut self, active: &Map<String, Value>, at: Option<i64>) {
        for (name, told) in &mut self.0 {
            let is_later = at.is_some_and(|at| told.at.0 > at);
            if name != Alarm::SILENT && !is_later && !active.contains_key(name) {
                told.is_over = true;
            }
        }
        for (name, value) in active {
            let Some(value) = value.as_object() else { continue };
            let severity = match value.get("severity").and_then(Value::as_str) {
                Some("critical") => Severity::Critical,
                _ => Severity::Warning,
            };
            let since = value.get("since").and_then(Value::as_str).and_then(moment);
            let is_acknowledged = value.get("acknowledged") == Some(&Value::Bool(true));
            let may_be = self.0.contains_key(name) || self.has_room();
            match self.0.get_mut(name) {
                Some(told) if at.is_some_and(|at| told.at.0 > at) => {}
                Some(told) => {
                    told.is_over = false;
                    told.severity = severity;
                    told.since = since.unwrap_or(told.since);
                    told.is_acknowledged = is_acknowledged;
                }
                None if may_be => {
                    let since = since.or(at).unwrap_or_default();
                    let told =
                        Told { at: (since, 0), since, severity, is_over: false, is_acknowledged, by: None };
                    self.0.insert(name.chars().take(200).collect(), told);
                }
                None => {}
            }
        }
    }

    /// Somebody has taken note.
    pub(crate) fn acknowledge(&mut self, name: &str, by: Option<&str>) {
        if let Some(told) = self.0.get_mut(name).filter(|told| !told.is_over) {
            told.is_acknowledged = true;
            told.by = by.map(str::to_owned);
        }
    }

    /// Those that stand, by their names.
    pub(crate) fn standing(&self) -> Vec<RowAlarm> {
        let standing = self.0.iter().filter(|(_, told)| !told.is_over);
        let row = |(name, told): (&String, &Told)| RowAlarm {
            name: name.clone(),
            severity: told.severity,
            since: DateTime::from_timestamp_millis(told.since).unwrap_or_default(),
            is_acknowledged: told.is_acknowledged,
            by: told.by.clone(),
        };
        standing.map(row).collect()
    }

    /// One that stood, as the history has it.
    pub(crate) fn put(&mut self, name: &str, severity: Severity, since: i64) {
        let told = Told { at: (since, 0), since, severity, is_over: false, is_acknowledged: false, by: None };
        self.0.insert(name.to_owned(), told);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DAY: i64 = 1_795_000_000_000;

    fn alarm(state: AlarmState, time: i64, severity: Severity) -> Alarm {
        Alarm {
            name: "temperature".into(),
            severity,
            state,
            time: DAY + time,
            seq: Some(time as u64),
            begin: DAY,
            end: None,
            extreme: None,
            limit: None,
            field: None,
            at: None,
        }
    }

    fn life() -> Vec<Alarm> {
        vec![
            alarm(AlarmState::Raised, 60, Severity::Warning),
            alarm(AlarmState::Escalated, 120, Severity::Critical),
            alarm(AlarmState::Cleared, 180, Severity::Critical),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn what_was_told_last_holds(order in prop::collection::vec(0..3_usize, 1..12)) {
            let mut alarms = Alarms::default();
            for number in &order {
                alarms.take(&life()[*number]);
            }
            let standing = alarms.standing();
            match order.iter().max() {
                Some(2) => prop_assert!(standing.is_empty()),
                Some(1) => prop_assert_eq!(standing[0].severity, Severity::Critical),
                _ => prop_assert_eq!(standing[0].severity, Severity::Warning),
            }
        }
    }

    #[test]
    fn an_acknowledgement_lasts_until_it_escalates() {
        let mut alarms = Alarms::default();
        let [raised, escalated, _] = life().try_into().unwrap();
        alarms.take(&raised);
        alarms.acknowledge("temperature", Some("Ada"));
        alarms.acknowledge("another", Some("Ada"));
        alarms.take(&raised);
        assert_eq!(
            (alarms.standing()[0].is_acknowledged, alarms.standing()[0].by.as_deref()),
            (true, Some("Ada"))
        );
        alarms.take(&escalated);
        assert_eq!((alarms.standing()[0].is_acknowledged, alarms.standing()[0].by.as_deref()), (false, None));
    }

    #[test]
    fn the_twin_has_all_that_stand_unless_a_message_was_later() {
        let mut alarms = Alarms::default();
        let active = json!({"gpsGone": {"severity": "warning", "since": "2026-11-21T08:15:00.000Z", "acknowledged": true}, "bad": 7});
        alarms.take(&alarm(AlarmState::Raised, 60_000, Severity::Warning));
        alarms.reported(active.as_object().unwrap(), Some(DAY));
        let names =
            |alarms: &Alarms| alarms.standing().into_iter().map(|alarm| alarm.name).collect::<Vec<_>>();
        assert_eq!(names(&alarms), ["gpsGone", "temperature"]);
        alarms.reported(active.as_object().unwrap(), Some(DAY + 120_000));
        assert_eq!(names(&alarms), ["gpsGone"]);
        alarms.reported(json!({}).as_object().unwrap(), None);
        assert_eq!(names(&alarms), [""; 0]);
    }

    #[test]
    fn a_device_with_a_thousand_alarms_has_room_for_some() {
        let mut alarms = Alarms::default();
        for number in 0..1000 {
            let name = format!("alarm-{number}");
            alarms.take(&Alarm { name, ..alarm(AlarmState::Raised, 60, Severity::Warning) });
        }
        assert_eq!(alarms.standing().len(), MOST);
    }
}
