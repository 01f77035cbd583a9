//! How a trip went: readings, gaps, extremes, means, times beyond bounds, doors and distance, in bounded memory.
//!
//! A trip is fed with the bodies of readings as they are delivered, in the order of their numbers, and knows nothing else. So
//! who has received the readings makes the same report of them as the device does.
//!
//! # Which time counts
//!
//! The order of numbers is that in which readings were taken, whatever their times say. A reading stands for the time until the
//! next one, told by both their `time`s, or, of readings that will never have a time, by their `uptime`s. The journal feeds a
//! reading when its time is final: one that was taken before the time was known is stamped first, so that it counts where it
//! belongs although it comes late.
//!
//! | from one reading to the next | |
//! |---|---|
//! | both have a time, or both an uptime that grows | that long |
//! | longer than the trip's `gapAfter` | a gap of that length: nothing is said of what was between |
//! | the time steps back, or begins to be known or unknown | a gap, whose length is told where both ends have a time |
//!
//! A gap ends every unbroken time, and weighs nothing. The last reading of a trip weighs nothing either.
//!
//! # Readings that say what was measured before them
//!
//! With intervals by state not every measurement is a reading. Such a reading says minimum, maximum and mean of the time since the
//! last one, and its `period`. Then there is no gap, however long that was; extremes are those that were measured, with the time of
//! the reading that tells them; and the mean stands for the time before the reading, in place of the last reading's value. Where
//! minimum and maximum lie on two sides of a bound nobody knows how long it was beyond: that time is counted by itself, and ends
//! every unbroken time. In the mean kinetic temperature a period weighs as its mean does.
//!
//! # Mean kinetic temperature
//!
//! With ΔH = 83.144 kJ/mol, over the trip, and over the worst 24 and 720 (30 days) clock hours on end, of UTC; a trip that
//! touches fewer is its own worst window.

mod bound;
mod field;
mod kinetic;
mod numbers;
mod route;
mod sample;
mod spread;
#[cfg(test)]
mod summary_tests;
mod terms;
#[cfg(test)]
mod tests;
mod timeline;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::platform::clock::rfc3339;
use field::Field;
pub use kinetic::Hours;
use kinetic::Kinetic;
use route::Route;
use sample::Sample;
use spread::Spread;
use terms::ALWAYS;
pub use terms::{BY_ITSELF, LONGEST_NAME, Limits, MOST_BOUNDS, Terms, TermsError};
use timeline::{Gaps, Timeline};
use tracker_evidence::canonical::{Member, members};

/// A trip under way. What is serialised is small, and changes with every reading; [`Hours`] are kept beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trip {
    terms: Terms,
    readings: u64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    timeline: Timeline,
    gaps: Gaps,
    fields: Vec<Field>,
    kinetic: Kinetic,
    openings: Option<u64>,
    opened: u64,
    route: Route,
}

impl Trip {
    /// A trip that begins, measured by these terms.
    pub fn new(terms: Terms) -> Self {
        let others = terms.bounds.keys().map(String::as_str).filter(|name| !ALWAYS.contains(name));
        let fields = ALWAYS.into_iter().chain(others);
        let fields = fields.map(|name| Field::new(name, terms.bounds.get(name))).collect();
        Self {
            terms,
            readings: 0,
            first_ms: None,
            last_ms: None,
            timeline: Timeline::default(),
            gaps: Gaps::default(),
            fields,
            kinetic: Kinetic::default(),
            openings: None,
            opened: 0,
            route: Route::default(),
        }
    }

    /// By what it is measured.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The completed hours, to be kept beside; they change once an hour.
    pub fn hours(&self) -> &Hours {
        self.kinetic.hours()
    }

    /// Gives back the hours that were kept beside.
    pub fn set_hours(&mut self, hours: Hours) {
        self.kinetic.set_hours(hours);
    }

    /// Takes the body of the next reading. What is no reading is passed over.
    pub fn feed(&mut self, body: &str) {
        if let Some(members) = members(body) {
            self.feed_members(&members);
        }
    }

    /// As [`Trip::feed`], of a body that has these members.
    pub fn feed_members(&mut self, body: &[Member<'_>]) {
        let Some(sample) = Sample::read(body, &self.fields) else { return };
        self.readings += 1;
        let utc = sample.when.utc_ms();
        self.first_ms = self.first_ms.or(utc);
        self.last_ms = utc.or(self.last_ms);
        let gap_after = self.terms.gap_after_ms();
        // Its clock and the one of the times do not go quite alike.
        let covered = sample.period_ms.map_or(0, |ms| ms + ms / 100 + 2000);
        let held = self.timeline.advance(sample.when, gap_after.max(covered), &mut self.gaps);
        for (index, field) in self.fields.iter_mut().enumerate() {
            let told = sample.values[index];
            // What is not summarised, or was not measured all the time, is known as far as its readings tell.
            let held = held.filter(|held| {
                sample.period_ms.is_none()
                    || told.spread().is_some()
                    || !field.is_summarised() && held.ms <= gap_after
            });
            let stood = field.stood(told);
            if let (Some(held), 0, Some(Spread { mean, .. })) = (held, index, stood) {
                self.kinetic.hold(mean, held);
            }
            field.hold(stood.zip(held));
            field.take(told, utc);
        }
        if let Some(openings) = sample.openings {
            // The counter begins anew with the agent.
            let before = self.openings.replace(openings);
            self.opened += before.map_or(0, |before| openings.checked_sub(before).unwrap_or(openings));
        }
        if let Some(position) = sample.position {
            self.route.take(position);
        }
    }

    /// The report as of now.
    pub fn report(&self) -> Map<String, Value> {
        let time = |ms: Option<i64>| ms.and_then(DateTime::from_timestamp_millis).map(rfc3339);
        let mut report = self.terms.to_map();
        let mut put = |name: &str, value: Value| report.insert(name.to_owned(), value);
        put("readings", self.readings.into());
        put("first", json!(time(self.first_ms)));
        put("last", json!(time(self.last_ms)));
        put("gaps", self.gaps.report());
        for (index, field) in self.fields.iter().enumerate() {
            let mut shown = field.report();
            if index == 0 && field.is_known() {
                shown.extend(self.kinetic.report());
            }
            put(field.name(), shown.into());
        }
        if self.openings.is_some() {
            put("doorOpenings", self.opened.into());
        }
        put("distanceKm", self.route.report());
        report
    }
}
