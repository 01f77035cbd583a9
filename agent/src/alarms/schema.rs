//! The alarms as they are set, in the twin and in the configuration file alike: `docs/alarms.md` describes the schema.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use crate::alarms::built_in;
use crate::alarms::members::{Members, list, quoted};
use crate::alarms::profiles;
use crate::alarms::rule::{Level, Rule, Severity};
use crate::alarms::signal::Signal;
use crate::instruments::NUMBERS;

/// More are too many to be told apart, and their state must stay small.
const MOST: usize = 32;
/// Characters of a name.
const LONGEST_NAME: usize = 40;

/// What is set, with every value known to be good.
#[derive(Clone)]
pub struct Alarms {
    /// As it was written; `None`: nothing.
    value: Option<Arc<Value>>,
    rules: Option<Arc<[Rule]>>,
}

impl Alarms {
    /// No alarm at all.
    pub const NONE: Self = Self { value: None, rules: None };

    /// Understands what the twin or the file has. An error is a sentence that names the member.
    pub fn read(value: &Value) -> Result<Self, String> {
        let allowed: Vec<&str> = ["profile", "bounds"].into_iter().chain(built_in::members()).collect();
        let members = Members::of(value, "", &allowed)?;
        let mut rules = match members.word("profile")? {
            Some(name) => profiles::rules(name).ok_or_else(|| {
                format!("profile: there is no {:?}; there are {}", short(name), list(profiles::names()))
            })?,
            None => Vec::new(),
        };
        if let Some(bounds) = members.get("bounds") {
            for (name, value) in Members::any(bounds, "bounds")?.all() {
                let rule = bound(name, value)?;
                // What is said in particular goes before the profile.
                match rules.iter_mut().find(|other| other.name == rule.name) {
                    Some(other) => *other = rule,
                    None => rules.push(rule),
                }
            }
        }
        rules.extend(built_in::rules(&members)?);
        if rules.len() > MOST {
            return Err(format!("bounds: there would be {} alarms; there may be {MOST}", rules.len()));
        }
        Ok(Self { value: Some(Arc::new(value.clone())), rules: Some(rules.into()) })
    }

    /// As it was written.
    pub fn value(&self) -> Value {
        self.value.as_deref().cloned().unwrap_or_else(|| Value::Object(Map::new()))
    }

    /// Every alarm.
    pub fn rules(&self) -> Arc<[Rule]> {
        static NONE: LazyLock<Arc<[Rule]>> = LazyLock::new(|| Arc::from([]));
        self.rules.clone().unwrap_or_else(|| NONE.clone())
    }
}

impl PartialEq for Alarms {
    fn eq(&self, other: &Self) -> bool {
        self.rules() == other.rules() && self.value() == other.value()
    }
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = self.value.as_ref().map(|value| &value["profile"]);
        f.debug_struct("Alarms").field("profile", &profile).finish_non_exhaustive()
    }
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST_NAME).collect()
}

/// An alarm over a field.
fn bound(name: &str, value: &Value) -> Result<Rule, String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_of_name) {
        return Err(format!(
            "bounds: {:?} is no name of an alarm: 1 to {LONGEST_NAME} letters, digits, - and _",
            short(name)
        ));
    }
    if built_in::is_taken(name) {
        return Err(format!("bounds.{name}: an alarm that is built in has this name; give it another"));
    }
    let path = format!("bounds.{name}");
    let members = Members::of(value, &path, &["field", "warning", "critical", "hysteresis", "clear"])?;
    let field = members.word("field")?.ok_or_else(|| {
        format!("{}: it is missing; there are {}", members.at("field"), list(NUMBERS.into_iter()))
    })?;
    if !NUMBERS.contains(&field) {
        return Err(format!(
            "{}: telemetry has no number {:?}; there are {}",
            members.at("field"),
            short(field),
            list(NUMBERS.into_iter())
        ));
    }
    let mut levels = [None, None];
    for severity in Severity::ALL {
        let at = members.at(severity.word());
        levels[severity as usize] =
            members.get(severity.word()).map(|value| level(value, &at)).transpose()?;
    }
    let hysteresis = members.number("hysteresis")?.unwrap_or(0.0);
    let clear_ms = members.seconds("clear")?.unwrap_or(0);
    let rule = Rule { name: name.into(), signal: Signal::Field(field.into()), levels, hysteresis, clear_ms };
    check(&rule, &members)?;
    Ok(rule)
}

fn level(value: &Value, path: &str) -> Result<Level, String> {
    let members = Members::of(value, path, &["low", "high", "delay"])?;
    let (low, high) = (members.number("low")?, members.number("high")?);
    if let Some((low, high)) = low.zip(high).filter(|(low, high)| low > high) {
        return Err(format!("{}: {low} is above {}, which is {high}", members.at("low"), members.at("high")));
    }
    if low.is_none() && high.is_none() {
        return Err(format!("{path}: {} has neither low nor high", quoted(value)));
    }
    Ok(Level { low, high, delay_ms: members.seconds("delay")?.unwrap_or(0) })
}

/// Whether what is good by itself is good together.
fn check(rule: &Rule, members: &Members<'_>) -> Result<(), String> {
    let Some(outermost) = rule.outermost() else {
        return Err(format!("{}: it has neither warning nor critical bounds", members.path));
    };
    if rule.hysteresis < 0.0 {
        return Err(format!("{}: {} is negative", members.at("hysteresis"), rule.hysteresis));
    }
    if let (Some(low), Some(high)) = (outermost.low, outermost.high)
        && rule.hysteresis * 2.0 > high - low
    {
        return Err(format!(
            "{}: {} is more than half of what is between {low} and {high}; the alarm would never clear",
            members.at("hysteresis"),
            rule.hysteresis
        ));
    }
    let [Some(warning), Some(critical)] = &rule.levels else { return Ok(()) };
    let sides = [
        ("low", warning.low, critical.low, "above", critical.low > warning.low),
        ("high", warning.high, critical.high, "below", critical.high < warning.high),
    ];
    for (side, warning, critical, is, is_nearer) in sides {
        let Some(bound) = critical else { continue };
        let (critical, its) =
            (members.at(&format!("critical.{side}")), members.at(&format!("warning.{side}")));
        match warning {
            None => {
                return Err(format!("{critical}: there is no {its}; give both, or make it another alarm"));
            }
            Some(warning) if is_nearer => {
                return Err(format!(
                    "{critical}: {bound} is {is} {its}, which is {warning}: it would be critical before it is a warning"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use Severity::{Critical, Warning};

    use super::*;

    fn cargo(value: &Value) -> Value {
        json!({"bounds": {"cargo": value}})
    }

    #[test]
    fn bounds_are_understood_and_go_before_a_profile() {
        let value = json!({"profile": "gouda", "bounds": {
            "temperature": {"field": "temperature", "critical": {"high": 9}},
            "damp": {"field": "humidity", "warning": {"low": 40, "high": 85.5, "delay": 1800}, "hysteresis": 2, "clear": 0.5},
        }});
        let alarms = Alarms::read(&value).unwrap();
        assert_eq!(alarms.value(), value);
        let rules = alarms.rules();
        let [temperature, damp] = &rules[..] else { panic!("{rules:?}") };
        assert_eq!(temperature.levels, [None, Some(Level { low: None, high: Some(9.0), delay_ms: 0 })]);
        let warning = Level { low: Some(40.0), high: Some(85.5), delay_ms: 1_800_000 };
        assert_eq!((damp.levels, damp.hysteresis, damp.clear_ms), ([Some(warning), None], 2.0, 500));
        assert!(Alarms::read(&json!({})).unwrap().rules().is_empty());
    }

    #[test]
    fn every_profile_is_good_and_its_fields_are_there() {
        for name in profiles::names() {
            let alarms = Alarms::read(&json!({"profile": name})).unwrap();
            assert!(!alarms.rules().is_empty());
            for rule in &*alarms.rules() {
                let Signal::Field(field) = &rule.signal else { panic!("{rule:?}") };
                assert!(NUMBERS.contains(&field.as_str()), "{name}: {field}");
                let path = Members::any(&json!({}), name).map(|members| check(rule, &members));
                assert_eq!(path, Ok(Ok(())), "{name}");
            }
        }
    }

    #[test]
    fn what_is_built_in_is_switched_on_by_name() {
        let all = json!({
            "sensorFailed": true, "gpsGone": {"delay": 3600}, "doorOpened": {"from": 22, "to": 6, "outside": "yard"}, "moved": {"distance": 500},
            "batteryLow": {"low": 30, "severity": "critical"}, "certificateEnds": true, "rootsEnd": {"days": 90}, "journalThinned": true,
        });
        let rules = Alarms::read(&all).unwrap().rules();
        let told: Vec<_> = rules
            .iter()
            .map(|rule| {
                let severity =
                    Severity::ALL.into_iter().find(|severity| rule.level(*severity).is_some()).unwrap();
                (rule.name.as_str(), severity, rule.level(severity).unwrap().delay_ms / 1000)
            })
            .collect();
        let expected = [
            ("bme280Failed", Warning, 600),
            ("gpsFailed", Warning, 600),
            ("doorFailed", Warning, 600),
            ("lightFailed", Warning, 600),
            ("gpsGone", Warning, 3600),
            ("doorOpened", Critical, 0),
            ("moved", Critical, 60),
            ("batteryLow", Critical, 600),
            ("certificateEnds", Warning, 0),
            ("rootsEnd", Warning, 0),
            ("journalThinned", Warning, 0),
        ];
        assert_eq!(told, expected);
        assert!(Alarms::read(&json!({"moved": false})).unwrap().rules().is_empty());
    }

    #[test]
    fn what_is_built_in_is_refused_by_the_member() {
        let cases = [
            (json!({"moved": 7}), "moved: 7 is no object"),
            (
                json!({"moved": {"low": 7}}),
                "moved.low: there is no such member; there are severity, delay, distance",
            ),
            (json!({"moved": {"distance": 7}}), "moved.distance: 7 is not between 50 and 100000"),
            (json!({"rootsEnd": {"days": 0}}), "rootsEnd.days: 0 is not between 1 and 3650"),
            (
                json!({"certificateEnds": {"days": 4000}}),
                "certificateEnds.days: 4000 is not between 1 and 3650",
            ),
            (
                json!({"gpsGone": {"severity": "bad"}}),
                "gpsGone.severity: \"bad\" is neither warning nor critical",
            ),
            (
                json!({"gpsGone": {"delay": -1}}),
                "gpsGone.delay: -1 is negative; it is in seconds, 0 to 2592000",
            ),
            (
                json!({"doorOpened": {"from": 24, "to": 6}}),
                "doorOpened.from: 24 is no whole hour from 0 to 23",
            ),
            (
                json!({"doorOpened": {"from": 6}}),
                "doorOpened: from and to are two different hours, or neither is there",
            ),
            (
                json!({"doorOpened": {"outside": ""}}),
                "doorOpened.outside: \"\" is neither \"fences\" nor the name of one",
            ),
            (json!({"doorOpened": {"outside": true}}), "doorOpened.outside: true is no text"),
            (
                json!({"bounds": {"moved": {"field": "speed", "warning": {"high": 1}}}}),
                "bounds.moved: an alarm that is built in has this name; give it another",
            ),
        ];
        for (value, why) in cases {
            assert_eq!(Alarms::read(&value).map(|_| ()), Err(why.to_owned()), "{value}");
        }
    }

    #[test]
    fn a_sentence_names_the_member() {
        let long = "x".repeat(41);
        let many: Map<_, _> =
            (0..33).map(|n| (format!("a{n}"), json!({"field": "speed", "warning": {"high": 1}}))).collect();
        let cases = [
            (json!([]), "[] is no object"),
            (
                json!({"profiles": "gouda"}),
                "profiles: there is no such member; there are profile, bounds, sensorFailed, gpsGone, doorOpened, moved, batteryLow, \
                 certificateEnds, rootsEnd, journalThinned",
            ),
            (json!({"profile": 7}), "profile: 7 is no text"),
            (
                json!({"profile": "brie"}),
                "profile: there is no \"brie\"; there are bananas, butter, cheddar, cherries, dry, edam, frozen, gouda, \
                 pharma2to8, pharma15to25, softCheese",
            ),
            (json!({"bounds": 7}), "bounds: 7 is no object"),
            (
                json!({"bounds": {long: {}}}),
                "bounds: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" is no name of an alarm: 1 to 40 letters, digits, - and _",
            ),
            (json!({"bounds": many}), "bounds: there would be 33 alarms; there may be 32"),
            (cargo(&json!(true)), "bounds.cargo: true is no object"),
            (
                cargo(&json!({"field": "temperature", "severity": "warning"})),
                "bounds.cargo.severity: there is no such member; there are field, warning, critical, hysteresis, clear",
            ),
            (
                cargo(&json!({"warning": {"high": 8}})),
                "bounds.cargo.field: it is missing; there are temperature, humidity, pressure, speed, course, satellites, hdop, \
                 doorOpenings, light",
            ),
            (
                cargo(&json!({"field": "temprature", "warning": {"high": 8}})),
                "bounds.cargo.field: telemetry has no number \"temprature\"; there are temperature, humidity, pressure, speed, \
                 course, satellites, hdop, doorOpenings, light",
            ),
            (cargo(&json!({"field": "speed"})), "bounds.cargo: it has neither warning nor critical bounds"),
            (
                cargo(&json!({"field": "speed", "warning": {"delay": 3}})),
                "bounds.cargo.warning: {\"delay\":3} has neither low nor high",
            ),
            (
                cargo(&json!({"field": "speed", "warning": {"high": "8"}})),
                "bounds.cargo.warning.high: \"8\" is no number",
            ),
            (
                cargo(&json!({"field": "speed", "warning": {"low": 9, "high": 8}})),
                "bounds.cargo.warning.low: 9 is above bounds.cargo.warning.high, which is 8",
            ),
            (
                cargo(&json!({"field": "speed", "warning": {"high": 8, "delay": -1}})),
                "bounds.cargo.warning.delay: -1 is negative; it is in seconds, 0 to 2592000",
            ),
            (
                cargo(&json!({"field": "speed", "warning": {"high": 8}, "clear": 1e9})),
                "bounds.cargo.clear: 1000000000 is longer than 30 days; it is in seconds, 0 to 2592000",
            ),
            (
                cargo(&json!({"field": "speed", "warning": {"high": 8}, "hysteresis": -0.5})),
                "bounds.cargo.hysteresis: -0.5 is negative",
            ),
            (
                cargo(&json!({"field": "speed", "warning": {"low": 1, "high": 3}, "hysteresis": 1.5})),
                "bounds.cargo.hysteresis: 1.5 is more than half of what is between 1 and 3; the alarm would never clear",
            ),
            (
                cargo(&json!({"field": "speed", "warning": {"high": 8}, "critical": {"high": 7}})),
                "bounds.cargo.critical.high: 7 is below bounds.cargo.warning.high, which is 8: it would be critical before it is \
                 a warning",
            ),
            (
                cargo(&json!({"field": "speed", "warning": {"high": 8}, "critical": {"low": 7}})),
                "bounds.cargo.critical.low: there is no bounds.cargo.warning.low; give both, or make it another alarm",
            ),
        ];
        for (value, why) in cases {
            assert_eq!(Alarms::read(&value).map(|_| ()), Err(why.to_owned()), "{value}");
        }
    }
}
