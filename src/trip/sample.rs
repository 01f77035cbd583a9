//! What a trip takes from the body of a reading.

use chrono::DateTime;

use super::field::Field;
use super::route::Position;
use super::terms::{ALWAYS, MOST_BOUNDS};
use super::timeline::When;
use crate::evidence::canonical::{decoded, members};

/// Fields of a trip, at the most.
const MOST_FIELDS: usize = ALWAYS.len() + MOST_BOUNDS;

/// One reading, as far as it counts.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) when: When,
    /// In the order of the trip's fields.
    pub(super) values: [Option<f64>; MOST_FIELDS],
    pub(super) position: Option<Position>,
    pub(super) openings: Option<u64>,
}

impl Sample {
    /// Reads a body; `None` where it is no reading.
    pub(super) fn read(body: &str, fields: &[Field]) -> Option<Self> {
        let (mut time, mut uptime) = (None, None);
        let (mut values, mut position, mut openings) = ([None; MOST_FIELDS], None, None);
        for (name, text) in members(body)? {
            match &*name {
                "time" => time = Some(DateTime::parse_from_rfc3339(&decoded(text)?).ok()?.timestamp_millis()),
                "uptime" => uptime = Some((number(text)? * 1000.0).round() as i64),
                "location" => position = read_position(text),
                "doorOpenings" => openings = text.parse().ok(),
                name => {
                    let place = fields.iter().position(|field| field.name() == name);
                    if let Some(value) = place.and_then(|place| values.get_mut(place)) {
                        *value = number(text);
                    }
                }
            }
        }
        let when = time.map(When::Utc).or(uptime.map(When::Uptime))?;
        Some(Self { when, values, position, openings })
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn read_position(text: &str) -> Option<Position> {
    let members = members(text)?;
    let member = |name: &str| number(members.iter().find(|(of, _)| of == name)?.1);
    Some((member("lat")?, member("lon")?))
}
