//! The life of one alarm, reading by reading: pending, raised, escalated, cleared.
//!
//! Time between two readings counts as time beyond a bound where both are beyond it, and as time within where both are
//! within. The time of a gap counts as neither: it is not known what was. It neither raises nor clears, and what was
//! counted before goes on after it.

use serde::{Deserialize, Serialize};

use crate::alarms::rule::{Rule, Severity};

/// An alarm that is not at rest. Moments and times are in milliseconds, on the clock of `timeline.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Life {
    /// The first reading beyond the bounds.
    #[serde(rename = "b")]
    pub begin: i64,
    /// The last reading that had a value.
    #[serde(rename = "s")]
    pub seen: i64,
    /// How long the value has been beyond the bounds of each severity; `None` where it is not.
    #[serde(rename = "c")]
    pub beyond: [Option<i64>; 2],
    /// What was raised: 1 a warning, 2 a critical one; 0: it is pending.
    #[serde(rename = "r")]
    raised: u8,
    /// Somebody knows of it.
    #[serde(rename = "k")]
    pub acknowledged: bool,
    /// The value farthest beyond the bounds, and when.
    #[serde(rename = "x")]
    pub extreme: (f64, i64),
    /// Since when the value is back, and how long that was seen.
    #[serde(rename = "i")]
    pub back: Option<(i64, i64)>,
    /// How long there was no value since it began.
    #[serde(rename = "g")]
    pub gap: i64,
}

/// What an event message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The bounds were crossed for as long as the delay is.
    Raised,
    /// It was a warning, and is critical now.
    Escalated,
    /// The value is back.
    Cleared,
}

impl Kind {
    /// As messages have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Escalated => "escalated",
            Self::Cleared => "cleared",
        }
    }
}

/// What a reading has changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Nothing that must be kept.
    None,
    /// Times and extremes that go on.
    Progress,
    /// It began to be pending, or to be back, or ended to.
    Phase,
    /// What is to be told; the life is as it was when it happened.
    Told(Kind, Life),
}

impl Life {
    fn new(now: i64, value: f64) -> Self {
        Self {
            begin: now,
            seen: now,
            beyond: [None, None],
            raised: 0,
            acknowledged: false,
            extreme: (value, now),
            back: None,
            gap: 0,
        }
    }

    /// How bad it is; `None` while it is pending.
    pub fn severity(&self) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| *severity as u8 + 1 == self.raised)
    }

    /// What happened up to `before` happened earlier, by so much.
    pub fn shift(&mut self, before: i64, by: i64) {
        let moments = [Some(&mut self.begin), Some(&mut self.seen), Some(&mut self.extreme.1)];
        let back = self.back.as_mut().map(|(since, _)| since);
        for moment in moments.into_iter().flatten().chain(back).filter(|moment| **moment <= before) {
            *moment -= by;
        }
    }
}

/// Takes a value of `now`. What is farther from the last one than `longest` has a gap before it.
pub fn step(rule: &Rule, life: &mut Option<Life>, now: i64, longest: i64, value: f64) -> Change {
    let Some(outermost) = rule.outermost() else { return Change::None };
    let excess = outermost.excess(value);
    let Some(alive) = life else {
        if excess > 0.0 {
            let mut new = Life::new(now, value);
            advance(rule, &mut new, 0, value);
            return conclude(rule, life.insert(new), now, Change::Phase);
        }
        return Change::None;
    };
    let passed = (now - alive.seen).max(0);
    let observed = if passed <= longest { passed } else { 0 };
    let before = Life { seen: now, ..*alive };
    alive.gap += passed - observed;
    alive.seen = now;
    advance(rule, alive, observed, value);
    if alive.raised == 0 && excess <= 0.0 {
        *life = None;
        return Change::Phase;
    }
    if excess > outermost.excess(alive.extreme.0) {
        alive.extreme = (value, now);
    }
    alive.back = match alive.back {
        _ if excess > -rule.hysteresis => None,
        Some((since, seen)) => Some((since, seen + observed)),
        None => Some((now, 0)),
    };
    let is_new_phase = alive.back.is_some() != before.back.is_some();
    let change = if is_new_phase {
        Change::Phase
    } else if *alive == before {
        Change::None
    } else {
        Change::Progress
    };
    if alive.raised > 0 && alive.back.is_some_and(|(_, seen)| seen >= rule.clear_ms) {
        let told = Change::Told(Kind::Cleared, *alive);
        *life = None;
        return told;
    }
    conclude(rule, alive, now, change)
}

/// Counts how long the value is beyond the bounds of each severity that is not raised yet.
fn advance(rule: &Rule, life: &mut Life, observed: i64, value: f64) {
    for severity in Severity::ALL {
        let counted = &mut life.beyond[severity as usize];
        let is_beyond = rule.level(severity).is_some_and(|level| level.excess(value) > 0.0);
        let is_open = severity as u8 + 1 > life.raised;
        *counted = (is_beyond && is_open).then(|| counted.map_or(0, |counted| counted + observed));
    }
}

/// Raises or escalates what has lasted long enough.
fn conclude(rule: &Rule, life: &mut Life, now: i64, change: Change) -> Change {
    let lasted = |severity: &Severity| {
        let delay = rule.level(*severity).map(|level| level.delay_ms);
        life.beyond[*severity as usize].zip(delay).is_some_and(|(counted, delay)| counted >= delay)
    };
    let Some(severity) = Severity::ALL.into_iter().rev().find(lasted) else { return change };
    let kind = if life.raised == 0 { Kind::Raised } else { Kind::Escalated };
    life.raised = severity as u8 + 1;
    life.acknowledged = false;
    for open in &mut life.beyond[..=severity as usize] {
        *open = None;
    }
    life.seen = now;
    Change::Told(kind, *life)
}
