//! Alarms that are no bound of a field: sensors, position, doors, a box that should stand, battery, certificates, journal.

use serde_json::Value;

use crate::alarms::members::{Members, quoted};
use crate::alarms::rule::{Level, Rule, Severity};
use crate::alarms::signal::{Door, Night, Signal};
use crate::instruments::NAMES;

/// Members of `alarms` that switch one on, each with what it may say beside `severity` and `delay`.
const MEMBERS: [(&str, &[&str]); 8] = [
    ("sensorFailed", &[]),
    ("gpsGone", &[]),
    ("doorOpened", &["from", "to", "outside"]),
    ("moved", &["distance"]),
    ("batteryLow", &["low"]),
    ("certificateEnds", &["days"]),
    ("rootsEnd", &["days"]),
    ("journalThinned", &[]),
];
const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
/// Metres that a receiver's position may wander while the box stands, and the farthest that is asked for.
const LEAST_DISTANCE_M: f64 = 50.0;
const MOST_DISTANCE_M: f64 = 100_000.0;

/// Days that a certificate may have left when it is said to end.
const MOST_DAYS: f64 = 3650.0;
/// Days that roots have left when they are said to end: as many as `check` warns of them.
const RENEW_ROOTS_AT_DAYS: f64 = 180.0;

/// Characters of a fence's name.
const LONGEST_FENCE: usize = 64;

/// The members.
pub(super) fn members() -> impl Iterator<Item = &'static str> {
    MEMBERS.iter().map(|(name, _)| *name)
}

/// Whether an alarm of this name may be one of these.
pub(super) fn is_taken(name: &str) -> bool {
    members().any(|member| member == name) || NAMES.iter().any(|sensor| failed(sensor) == name)
}

fn failed(sensor: &str) -> String {
    format!("{sensor}Failed")
}

/// What one of them is set to.
struct Setting<'a> {
    members: Option<Members<'a>>,
    severity: Severity,
    delay_ms: i64,
}

impl Setting<'_> {
    /// A number of its own, within these bounds.
    fn number(&self, member: &str, otherwise: f64, least: f64, most: f64) -> Result<f64, String> {
        let Some(members) = &self.members else { return Ok(otherwise) };
        let Some(number) = members.number(member)? else { return Ok(otherwise) };
        if (least..=most).contains(&number) {
            return Ok(number);
        }
        Err(format!("{}: {number} is not between {least} and {most}", members.at(member)))
    }

    /// Its `days`, if it says some.
    fn days(&self) -> Result<Option<u32>, String> {
        let days = self.number("days", f64::NAN, 1.0, MOST_DAYS)?;
        Ok(days.is_finite().then_some(days as u32))
    }

    fn rule(&self, name: String, signal: Signal, bounds: (Option<f64>, Option<f64>)) -> Rule {
        let level = Level { low: bounds.0, high: bounds.1, delay_ms: self.delay_ms };
        let mut levels = [None, None];
        levels[self.severity as usize] = Some(level);
        Rule { name, signal, levels, hysteresis: 0.0, clear_ms: 0 }
    }

    /// Of what is so or is not.
    fn flag(&self, name: &str, signal: Signal) -> Rule {
        self.rule(name.into(), signal, (None, Some(0.5)))
    }
}

fn setting<'a>(
    all: &Members<'a>,
    name: &str,
    severity: Severity,
    delay_ms: i64,
) -> Result<Option<Setting<'a>>, String> {
    let members = match all.get(name) {
        None | Some(Value::Bool(false)) => return Ok(None),
        Some(Value::Bool(true)) => return Ok(Some(Setting { members: None, severity, delay_ms })),
        Some(value) => {
            let own = MEMBERS.iter().find(|(member, _)| *member == name).map_or(&[][..], |(_, own)| own);
            Members::of(value, name, &[&["severity", "delay"], own].concat())?
        }
    };
    let severity = match members.word("severity")? {
        None => severity,
        Some(word) => Severity::of(word).ok_or_else(|| {
            let value = quoted(&word.into());
            format!("{}: {value} is neither warning nor critical", members.at("severity"))
        })?,
    };
    let delay_ms = members.seconds("delay")?.unwrap_or(delay_ms);
    Ok(Some(Setting { members: Some(members), severity, delay_ms }))
}

/// The alarms that are switched on.
pub(super) fn rules(all: &Members<'_>) -> Result<Vec<Rule>, String> {
    use Severity::{Critical, Warning};
    let mut rules = Vec::new();
    if let Some(set) = setting(all, "sensorFailed", Warning, 600 * SECOND)? {
        rules.extend(NAMES.map(|sensor| set.flag(&failed(sensor), Signal::SensorFailed(sensor))));
    }
    if let Some(set) = setting(all, "gpsGone", Warning, 12 * HOUR)? {
        rules.push(set.flag("gpsGone", Signal::GpsGone));
    }
    if let Some(set) = setting(all, "doorOpened", Critical, 0)? {
        rules.push(set.flag("doorOpened", Signal::DoorOpened(door(&set)?)));
    }
    if let Some(set) = setting(all, "moved", Critical, 60 * SECOND)? {
        let distance = set.number("distance", 200.0, LEAST_DISTANCE_M, MOST_DISTANCE_M)?;
        rules.push(set.rule("moved".into(), Signal::Moved, (None, Some(distance))));
    }
    if let Some(set) = setting(all, "batteryLow", Warning, 600 * SECOND)? {
        let low = set.number("low", 20.0, 0.0, 100.0)?;
        let rule = set.rule("batteryLow".into(), Signal::Field("battery".into()), (Some(low), None));
        rules.push(Rule { hysteresis: 5.0, ..rule });
    }
    if let Some(set) = setting(all, "certificateEnds", Warning, 0)? {
        rules.push(set.flag("certificateEnds", Signal::CertificateEnds { days: set.days()? }));
    }
    if let Some(set) = setting(all, "rootsEnd", Warning, 0)? {
        let days = set.days()?.map_or(RENEW_ROOTS_AT_DAYS, f64::from);
        rules.push(set.rule("rootsEnd".into(), Signal::RootsEnd, (Some(days), None)));
    }
    if let Some(set) = setting(all, "journalThinned", Warning, 0)? {
        let rule = set.flag("journalThinned", Signal::JournalThinned);
        rules.push(Rule { clear_ms: 24 * HOUR, ..rule });
    }
    Ok(rules)
}

/// When and where a door that opens is an alarm.
fn door(set: &Setting<'_>) -> Result<Door, String> {
    let outside = match &set.members {
        Some(members) => members.word("outside")?.map(|name| (members, name)),
        None => None,
    };
    if let Some((members, name)) =
        outside.filter(|(_, name)| !(1..=LONGEST_FENCE).contains(&name.chars().count()))
    {
        let (at, name) = (members.at("outside"), quoted(&name.into()));
        return Err(format!("{at}: {name} is neither {:?} nor the name of one", Door::FENCES));
    }
    Ok(Door { night: night(set)?, outside: outside.map(|(_, name)| name.to_owned()) })
}

/// From which hour to which a door that opens is an alarm; `None`: always.
fn night(set: &Setting<'_>) -> Result<Option<Night>, String> {
    let Some(members) = &set.members else { return Ok(None) };
    let hour = |member: &str| {
        let Some(number) = members.number(member)? else { return Ok(None) };
        let is_hour = number.fract() == 0.0 && (0.0..24.0).contains(&number);
        let why = || format!("{}: {number} is no whole hour from 0 to 23", members.at(member));
        if is_hour { Ok(Some(number as u32)) } else { Err(why()) }
    };
    match (hour("from")?, hour("to")?) {
        (None, None) => Ok(None),
        (Some(from), Some(to)) if from != to => Ok(Some(Night { from, to })),
        _ => Err(format!("{}: from and to are two different hours, or neither is there", members.path)),
    }
}
