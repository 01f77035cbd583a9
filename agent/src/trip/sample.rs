//! What a trip takes from the body of a reading.

use chrono::DateTime;

use super::field::Field;
use super::route::Position;
use super::spread::{Told, summarised};
use super::terms::{ALWAYS, MOST_BOUNDS};
use super::timeline::When;
use tracker_evidence::canonical::{Member, decoded, members};

/// Fields of a trip, at the most.
const MOST_FIELDS: usize = ALWAYS.len() + MOST_BOUNDS;

/// One reading, as far as it counts.
#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) when: When,
    /// Milliseconds since the reading before during which was measured; `None`: this was the next measurement.
    pub(super) period_ms: Option<i64>,
    /// In the order of the trip's fields.
    pub(super) values: [Told; MOST_FIELDS],
    pub(super) position: Option<Position>,
    pub(super) openings: Option<u64>,
}

impl Sample {
    /// Reads a body by its members; `None` where it is no reading.
    pub(super) fn read(body: &[Member<'_>], fields: &[Field]) -> Option<Self> {
        let (mut time, mut uptime, mut period_ms) = (None, None, None);
        let (mut values, mut position, mut openings) = ([Told::default(); MOST_FIELDS], None, None);
        for Member { name, value: text, .. } in body {
            match &**name {
                "time" => time = Some(DateTime::parse_from_rfc3339(&decoded(text)?).ok()?.timestamp_millis()),
                "uptime" => uptime = Some((number(text)? * 1000.0).round() as i64),
                "location" => position = read_position(text),
                "period" => period_ms = Some((number(text)? * 1000.0).round() as i64),
                "doorOpenings" => openings = text.parse().ok(),
                name => {
                    let place_of = |name: &str| fields.iter().position(|field| field.name() == name);
                    if let Some(told) = place_of(name).and_then(|place| values.get_mut(place)) {
                        told.value = number(text);
                    } else if let Some((of, which)) = summarised(name)
                        && let Some(told) = place_of(of).and_then(|place| values.get_mut(place))
                    {
                        told.spread[which] = number(text);
                    }
                }
            }
        }
        let when = time.map(When::Utc).or(uptime.map(When::Uptime))?;
        Some(Self { when, period_ms, values, position, openings })
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn read_position(text: &str) -> Option<Position> {
    let members = members(text)?;
    let member = |name: &str| number(members.iter().find(|member| member.name == name)?.value);
    Some((member("lat")?, member("lon")?))
}
