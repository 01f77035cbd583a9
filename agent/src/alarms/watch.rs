//! All alarms of a device over its readings: what is told, what must be kept, what is active.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::alarms::life::{Change, Kind, Life, step};
use crate::alarms::rule::{Rule, Severity};
use crate::alarms::timeline::{Kept, Shift, Timeline};
use crate::event_message::When;

/// Readings with more than so many intervals between them have a gap there.
const GAP_INTERVALS: i64 = 3;
/// What merely goes on is kept so often: after a restart no more of it is missing.
const KEEP_PROGRESS_MS: i64 = 60_000;
/// And what stands still.
const KEEP_ALIVE_MS: i64 = 600_000;

/// When a reading was taken.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Since the boot.
    pub monotonic: Duration,
    /// If it is known.
    pub utc: Option<DateTime<Utc>>,
    /// The interval between readings that is in force.
    pub interval: Duration,
}

/// What happened to an alarm, as seen from the reading that told.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The alarm.
    pub rule: Rule,
    /// What.
    pub kind: Kind,
    /// How bad it is, or was.
    pub severity: Severity,
    /// The first reading beyond the bounds.
    pub begin: When,
    /// The first one that was back; `None` while none is.
    pub end: Option<When>,
    /// The value farthest beyond the bounds.
    pub extreme: f64,
    /// When it was measured.
    pub extreme_at: When,
    /// The bound that it was beyond.
    pub limit: Option<f64>,
    /// How long of it nobody measured, in milliseconds.
    pub gap: i64,
    /// It ended because nobody asks for it any more.
    pub removed: bool,
}

/// An alarm that is raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Active {
    /// Its name.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// Somebody knows of it.
    pub acknowledged: bool,
    /// Milliseconds since it began, at the last reading.
    pub begin: i64,
}

/// What a reading has brought.
#[derive(Debug, Default)]
pub struct Outcome {
    /// To be told, in this order.
    pub told: Vec<Told>,
    /// The state has changed and must be kept, with the reading.
    pub keep: bool,
}

/// Alarms at work. Their state is small: what is not pending or raised takes nothing.
#[derive(Debug)]
pub struct Watch {
    rules: Arc<[Rule]>,
    lives: Vec<Option<Life>>,
    /// Alarms that were kept and that no rule has, until they are told as cleared.
    orphans: Vec<(Rule, Life)>,
    timeline: Timeline,
    /// The last reading's interval.
    interval_ms: i64,
    /// The last reading.
    now: i64,
    kept_at: i64,
    /// Something has changed beside readings.
    dirty: bool,
}

/// As it is kept over a restart, JSON.
#[derive(Serialize, Deserialize)]
struct Stored {
    time: Kept,
    interval: i64,
    alarms: Vec<(String, Life)>,
}

impl Watch {
    /// Nothing is pending or raised.
    pub fn new(boot: &str) -> Self {
        Self {
            rules: Arc::from([]),
            lives: Vec::new(),
            orphans: Vec::new(),
            timeline: Timeline::new(boot),
            interval_ms: 0,
            now: 0,
            kept_at: 0,
            dirty: false,
        }
    }

    /// Goes on from what [`Watch::state`] gave.
    pub fn after(state: &str, boot: &str, rules: Arc<[Rule]>) -> serde_json::Result<Self> {
        let Stored { time, interval, alarms } = serde_json::from_str(state)?;
        let mut watch =
            Self { timeline: Timeline::after(&time, boot), interval_ms: interval, ..Self::new(boot) };
        let lives = alarms.into_iter().map(|(name, life)| (Rule::unknown(name), life));
        watch.adopt(rules, lives.collect());
        Ok(watch)
    }

    /// Other rules are in force. An alarm lives on where a rule has its name; else it ends with the next reading.
    pub fn set_rules(&mut self, rules: Arc<[Rule]>) {
        if self.rules == rules {
            return;
        }
        let alive = self.rules.iter().cloned().zip(&self.lives);
        let mut lives: Vec<_> = alive.filter_map(|(rule, life)| Some((rule, (*life)?))).collect();
        lives.append(&mut self.orphans);
        self.dirty |= !lives.is_empty();
        self.adopt(rules, lives);
    }

    fn adopt(&mut self, rules: Arc<[Rule]>, alive: Vec<(Rule, Life)>) {
        self.lives = vec![None; rules.len()];
        for (old, life) in alive {
            match rules.iter().position(|rule| rule.name == old.name) {
                Some(at) => self.lives[at] = Some(life),
                // What was only pending was never told.
                None if life.severity().is_some() => self.orphans.push((old, life)),
                None => {}
            }
        }
        self.rules = rules;
    }

    /// Whether a reading can change anything.
    pub fn is_idle(&self) -> bool {
        self.rules.is_empty() && self.orphans.is_empty() && !self.dirty
    }

    /// Takes a reading; `value` gives what each rule watches, `None` where it is not known.
    pub fn look(&mut self, moment: Moment, mut value: impl FnMut(&Rule) -> Option<f64>) -> Outcome {
        let (now, shift) = self.timeline.now(moment.monotonic, moment.utc);
        let interval = i64::try_from(moment.interval.as_millis()).unwrap_or(i64::MAX);
        let longest = self.interval_ms.max(interval).saturating_mul(GAP_INTERVALS);
        (self.now, self.interval_ms) = (now, interval);
        let mut outcome = Outcome { told: Vec::new(), keep: std::mem::take(&mut self.dirty) };
        if let Some(shift) = shift {
            outcome.keep |= self.shift(shift);
        }
        for (rule, life) in self.orphans.drain(..) {
            let told = told(&rule, Kind::Cleared, &life, &self.timeline, now);
            outcome.told.extend(told.map(|told| Told { removed: true, ..told }));
            outcome.keep = true;
        }
        let mut progress = false;
        for (rule, life) in self.rules.iter().zip(&mut self.lives) {
            let Some(value) = value(rule) else { continue };
            // Across a boot of which it is not known how long it took, nothing can be counted.
            let is_untied = life.as_ref().is_some_and(|life| self.timeline.is_untied(life.seen));
            let longest = if is_untied { -1 } else { longest };
            match step(rule, life, now, longest, value) {
                Change::None => {}
                Change::Progress => progress = true,
                Change::Phase => outcome.keep = true,
                Change::Told(kind, life) => {
                    outcome.told.extend(told(rule, kind, &life, &self.timeline, now));
                    outcome.keep = true;
                }
            }
        }
        let since = now - self.kept_at;
        outcome.keep |= progress && since >= KEEP_PROGRESS_MS;
        outcome.keep |= since >= KEEP_ALIVE_MS && self.lives.iter().any(Option::is_some);
        if outcome.keep {
            self.kept_at = now;
        }
        outcome
    }

    fn shift(&mut self, Shift { before, by }: Shift) -> bool {
        let lives = self.lives.iter_mut().flatten().chain(self.orphans.iter_mut().map(|(_, life)| life));
        let mut any = false;
        for life in lives {
            life.shift(before, by);
            any = true;
        }
        any
    }

    /// The state, to be kept with a reading of this moment.
    pub fn state(&self, moment: Moment) -> String {
        let alive = self.rules.iter().zip(&self.lives);
        let alarms = alive.filter_map(|(rule, life)| Some((rule.name.clone(), (*life)?)));
        let stored = Stored {
            time: self.timeline.keep(moment.monotonic, moment.utc),
            interval: self.interval_ms,
            alarms: alarms.collect(),
        };
        // There are no maps with other keys than text in it.
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// What is raised.
    pub fn active(&self) -> Vec<Active> {
        let alive = self.rules.iter().zip(&self.lives);
        let active = alive.filter_map(|(rule, life)| {
            let life = life.as_ref()?;
            Some(Active {
                name: rule.name.clone(),
                severity: life.severity()?,
                acknowledged: life.acknowledged,
                begin: self.now - life.begin,
            })
        });
        active.collect()
    }

    /// Whether an alarm is pending or raised.
    pub fn is_any_alive(&self) -> bool {
        self.lives.iter().any(Option::is_some)
    }

    /// Somebody knows of this alarm. Whether it is raised; an alarm that escalates is to be acknowledged anew.
    pub fn acknowledge(&mut self, name: &str) -> bool {
        let mut alive = self.rules.iter().zip(&mut self.lives);
        let found = alive.find_map(|(rule, life)| life.as_mut().filter(|_| rule.name == name));
        let Some(life) = found.filter(|life| life.severity().is_some()) else { return false };
        self.dirty |= !std::mem::replace(&mut life.acknowledged, true);
        true
    }
}

fn told(rule: &Rule, kind: Kind, life: &Life, timeline: &Timeline, now: i64) -> Option<Told> {
    let severity = life.severity()?;
    let (extreme, extreme_at) = life.extreme;
    let when = |moment| timeline.when(moment, now);
    Some(Told {
        rule: rule.clone(),
        kind,
        severity,
        begin: when(life.begin),
        end: life.back.filter(|_| kind == Kind::Cleared).map(|(since, _)| when(since)),
        extreme,
        extreme_at: when(extreme_at),
        limit: rule.level(severity).and_then(|level| level.limit(extreme)),
        gap: life.gap,
        removed: false,
    })
}
