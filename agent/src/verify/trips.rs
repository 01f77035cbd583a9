//! Reports of trips, made from what was received alone.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::chain::Chain;
use super::record::{Record, is_reading, statement};
use crate::trip::{Terms, Trip};
use tracker_evidence::Statement;

/// A trip in the record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Found {
    /// The entry that began it.
    pub(super) seq: u64,
    /// The report made here.
    pub(super) report: Map<String, Value>,
    /// The entry that ended it; `None` where it is under way, or its end was not received.
    pub(super) ended: Option<u64>,
    /// Members of the device's report that say something else.
    pub(super) differs: Vec<String>,
}

/// The trips of a record.
pub(super) fn of(record: &Record, chain: &Chain) -> Vec<Found> {
    let mut found = Vec::new();
    let mut current: Option<(u64, Trip)> = None;
    // The device knows nothing of what it has lost, or of what is not its own.
    let counts =
        |seq: &u64| chain.hashes.is_empty() || !(chain.loose.contains(seq) || chain.outside.contains(seq));
    let mut begins: BTreeMap<u64, (u64, Terms)> = BTreeMap::new();
    // By the last entry that belongs to the trip.
    let mut ends: BTreeMap<u64, (u64, Map<String, Value>)> = BTreeMap::new();
    for (seq, statement) in record.statements() {
        match statement {
            Statement::TripBegin(map) => {
                if let Ok(terms) = serde_json::from_value::<Terms>(map.into()) {
                    begins.insert(terms.from.unwrap_or(seq), (seq, terms));
                }
            }
            Statement::TripEnd(told) => {
                ends.insert(told.get("to").and_then(Value::as_u64).unwrap_or(seq), (seq, told));
            }
            _ => {}
        }
    }
    for (seq, numbered) in record.entries.iter().filter(|(seq, _)| counts(seq)) {
        while let Some(end) = ends.first_entry().filter(|end| end.key() < seq) {
            let (seq, told) = end.remove();
            found.extend(current.take().map(|(begun, trip)| ended(begun, &trip, seq, &told)));
        }
        while let Some(begin) = begins.first_entry().filter(|begin| begin.key() <= seq) {
            let (seq, terms) = begin.remove();
            found.extend(current.replace((seq, Trip::new(terms))).map(|(seq, trip)| under_way(seq, &trip)));
        }
        let chosen = chain.chosen.get(seq).and_then(|index| numbered.versions.get(*index));
        let body = chosen.map_or(numbered.body(), |version| version.body.as_str());
        if let Some((_, trip)) = current.as_mut().filter(|_| statement(body).is_none() && is_reading(body)) {
            trip.feed(body);
        }
    }
    for (seq, told) in ends.into_values() {
        found.extend(current.take().map(|(begun, trip)| ended(begun, &trip, seq, &told)));
    }
    found.extend(current.map(|(seq, trip)| under_way(seq, &trip)));
    found
}

/// A trip with its end, and what differs in the report that was `told` there.
fn ended(begun: u64, trip: &Trip, end: u64, told: &Map<String, Value>) -> Found {
    let report = trip.report();
    let differs = report.iter().filter(|(name, value)| !same(told.get(*name), value));
    let differs = differs.map(|(name, _)| name.clone()).collect();
    Found { seq: begun, report, ended: Some(end), differs }
}

fn under_way(seq: u64, trip: &Trip) -> Found {
    Found { seq, report: trip.report(), ended: None, differs: Vec::new() }
}

/// Whether two values say the same; sums that were made over reboots may differ in their last digit.
fn same(told: Option<&Value>, made: &Value) -> bool {
    match (told, made) {
        (None, made) => made.is_null(),
        (Some(Value::Object(told)), Value::Object(made)) => {
            made.iter().all(|(name, value)| same(told.get(name), value))
        }
        (Some(told), made) => match told.as_f64().zip(made.as_f64()) {
            Some((told, made)) => (told - made).abs() <= 0.011,
            None => told == made,
        },
    }
}
