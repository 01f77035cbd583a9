//! Which measurements are reported, and what of the others is kept for the next report.
//!
//! A report comes when the interval of the situation is over since the last one. Where the situation changes, the shorter of the
//! two intervals decides about the next report: at once where that time has passed already, which it has for what stood, and when
//! the last situation's report was due for what stands now. So a change shows within the shorter interval, and a situation that
//! comes and goes makes no more reports than the shortest. An event is reported with the measurement that showed it, at once.

use std::time::Duration;

use tokio::time::Instant;

use super::motion::{Motion, Seen};
use super::summary::Summary;
use crate::config::{Pace, Situation};
use crate::instruments::fields::Fields;
use crate::reading::Stamp;

/// Decides about measurements, one after the other.
#[derive(Debug)]
pub struct Reports {
    pace: Pace,
    situation: Situation,
    /// When the last measurement and the last report were due.
    measured: Option<Instant>,
    reported: Option<Instant>,
    /// The shortest interval that was asked for since then.
    every: Duration,
    motion: Motion,
    summary: Summary,
    /// The last measurement, where it was not reported.
    held: Option<(Stamp, Fields)>,
}

/// What is known of a measurement, beside its fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    /// When it was due.
    pub(super) due: Instant,
    /// When it was.
    pub(super) stamp: Stamp,
    /// Between measurements, as stamps count it.
    pub(super) interval: Duration,
    /// What it says of motion.
    pub(super) seen: Seen,
    /// It is in a fence.
    pub(super) is_in_fence: bool,
    /// An alarm is pending or raised.
    pub(super) is_alarm: bool,
    /// It has shown something that is told by itself.
    pub(super) has_events: bool,
}

impl Reports {
    /// Nothing was measured yet.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            situation: Situation::default(),
            measured: None,
            reported: None,
            every: pace.report(Situation::default()),
            motion: Motion::default(),
            summary: Summary::default(),
            held: None,
        }
    }

    /// When is to be measured next: at once first, and what was missed can't be made up for.
    pub(super) fn next(&mut self, pace: Pace) -> Instant {
        if self.pace != pace {
            (self.pace, self.every) = (pace, pace.report(self.situation));
        }
        let now = Instant::now();
        let (Some(measured), Some(reported)) = (self.measured, self.reported) else { return now };
        now.max((measured + pace.shortest()).min(reported + self.every))
    }

    /// What was measured where the situation does not matter: reported as it is, unless something waits to be told with it.
    pub(super) fn take_all(&mut self, due: Instant, mut fields: Fields) -> Fields {
        (self.measured, self.reported) = (Some(due), Some(due));
        if self.held.take().is_some() {
            self.summary.tell(&mut fields);
        }
        fields
    }

    /// Gives back what is to be reported, with what was measured since the last report; `None`: it is kept for the next.
    pub(super) fn take(&mut self, measured: Measured, mut fields: Fields) -> Option<Fields> {
        let Measured { due, stamp, interval, seen, is_in_fence, is_alarm, has_events } = measured;
        self.measured = Some(due);
        self.situation = Situation::of(is_alarm, is_in_fence, self.motion.take(seen));
        self.every = self.every.min(self.pace.report(self.situation));
        let is_due = self.reported.is_none_or(|reported| due >= reported + self.every);
        if is_due || has_events {
            (self.reported, self.every) = (Some(due), self.pace.report(self.situation));
            if self.held.take().is_some() {
                self.summary.take(stamp.monotonic, interval, &fields);
                self.summary.tell(&mut fields);
            } else {
                self.summary.skip(stamp.monotonic);
            }
            return Some(fields);
        }
        self.summary.take(stamp.monotonic, interval, &fields);
        self.held = Some((stamp, fields));
        None
    }

    /// At the end, what would have been told with the next report.
    pub(super) fn rest(&mut self) -> Option<(Stamp, Fields)> {
        let (stamp, mut fields) = self.held.take()?;
        self.summary.tell(&mut fields);
        Some((stamp, fields))
    }
}
