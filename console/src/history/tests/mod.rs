//! The history against a plain model, and under all that can go wrong.

mod faults;
mod model;
mod old;
mod questions;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use super::shelf::Shelf;
use super::*;
use crate::lock::lock;
use crate::model::StoryEntry;
use crate::telemetry::{Alarm, Field, Reading, Trip, Values};

/// A whole day since 1970, in milliseconds.
const DAY: i64 = 20_780 * 86_400_000;
const HOUR: i64 = 3_600_000;

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(DAY + ms).unwrap()
}

fn reading(ms: i64, seq: u64, degrees: f64) -> Reading {
    let mut values = Values::default();
    values.set(Field::Temperature, Field::Temperature.keep(degrees));
    Reading { time: DAY + ms, has_time: true, seq: Some(seq), values, place: None }
}

fn placed(ms: i64, seq: u64, longitude: f64, latitude: f64) -> Reading {
    let mut reading = reading(ms, seq, 4.0);
    reading.values.set(Field::Longitude, Field::Longitude.keep(longitude));
    reading.values.set(Field::Latitude, Field::Latitude.keep(latitude));
    reading
}

/// What was measured between the reading before and this one.
fn aggregated(ms: i64, seq: u64, [min, mean, max]: [f64; 3], period_s: f64) -> Reading {
    let mut reading = reading(ms, seq, mean);
    let values = [
        (Field::TemperatureMin, min),
        (Field::TemperatureMean, mean),
        (Field::TemperatureMax, max),
        (Field::Period, period_s),
    ];
    for (field, value) in values {
        reading.values.set(field, field.keep(value));
    }
    reading
}

fn history() -> History {
    History::open(HistoryOptions::in_memory())
}

fn temperature() -> Vec<String> {
    vec!["temperature".into()]
}

fn exported(history: &History, device: &str) -> Vec<Reading> {
    let (mut all, mut mark) = (Vec::new(), None);
    loop {
        let (page, next) =
            history.readings(device, at(-1_000_000 * HOUR), at(1_000_000 * HOUR), mark, 7).unwrap();
        all.extend(page.into_iter().map(|exported| exported.0));
        mark = next;
        if mark.is_none() {
            return all;
        }
    }
}
