//! From where a reader begins: the selectors of Event Hubs' clients, read.
//!
//! ```text
//!  amqp.annotation.x-opt-offset > '-1'                        all that is kept
//!  amqp.annotation.x-opt-offset > '@latest'                   what comes from now on
//!  amqp.annotation.x-opt-offset >= '4711'                     from that event on
//!  amqp.annotation.x-opt-sequence-number > '12'               after that event
//!  amqp.annotation.x-opt-enqueued-time > '1700000000000'      what was enqueued after that, in milliseconds
//!  amqp.annotation.x-opt-enqueuedtimeutc > 1700000000000      the same, as az writes it
//! ```

use thiserror::Error;

/// A place in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Position {
    /// After all that is there.
    Latest,
    /// By a property of events that rises.
    By { property: Property, bound: i64, is_inclusive: bool },
}

/// What positions are told by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Property {
    Offset,
    SequenceNumber,
    /// In milliseconds since 1970.
    EnqueuedTime,
}

/// A selector that is none.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "the filter {selector:?} is not one of this event hub: it is amqp.annotation.x-opt-offset, \
     amqp.annotation.x-opt-sequence-number or amqp.annotation.x-opt-enqueued-time, then > or >=, then a number in single \
     quotes; the offset may be '-1' or '@latest'"
)]
pub(in crate::hub) struct PositionError {
    selector: String,
}

/// The longest selector that is looked at.
const MOST: usize = 256;

impl Position {
    /// From the oldest event on.
    pub(in crate::hub) const START: Self =
        Self::By { property: Property::Offset, bound: -1, is_inclusive: false };

    /// Reads a selector.
    pub(in crate::hub) fn parse(selector: &str) -> Result<Self, PositionError> {
        let shown = || selector.chars().take(MOST).collect();
        let read = || {
            let text = (selector.len() <= MOST).then(|| selector.trim())?;
            let (name, bound) = text.split_once('>')?;
            let name = name.trim().strip_prefix("amqp.annotation.")?;
            let property = match name.to_ascii_lowercase().as_str() {
                "x-opt-offset" => Property::Offset,
                "x-opt-sequence-number" => Property::SequenceNumber,
                "x-opt-enqueued-time" | "x-opt-enqueuedtimeutc" => Property::EnqueuedTime,
                _ => return None,
            };
            let (is_inclusive, bound) = match bound.strip_prefix('=') {
                Some(bound) => (true, bound.trim()),
                None => (false, bound.trim()),
            };
            let bound = match bound.strip_prefix('\'') {
                Some(quoted) => quoted.strip_suffix('\'')?,
                None => bound,
            };
            if bound.eq_ignore_ascii_case("@latest") {
                return (property != Property::EnqueuedTime).then_some(Self::Latest);
            }
            let bound = bound.parse().ok()?;
            Some(Self::By { property, bound, is_inclusive })
        };
        read().ok_or_else(|| PositionError { selector: shown() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(property: Property, bound: i64, is_inclusive: bool) -> Position {
        Position::By { property, bound, is_inclusive }
    }

    #[test]
    fn selectors_are_read_as_each_client_writes_them() {
        for (selector, position) in [
            ("amqp.annotation.x-opt-offset > '-1'", Position::START),
            ("amqp.annotation.x-opt-offset > '@latest'", Position::Latest),
            ("amqp.annotation.x-opt-offset >= '4711'", by(Property::Offset, 4711, true)),
            ("amqp.annotation.x-opt-sequence-number > '12'", by(Property::SequenceNumber, 12, false)),
            ("amqp.annotation.x-opt-sequence-number >= '0'", by(Property::SequenceNumber, 0, true)),
            (
                "amqp.annotation.x-opt-enqueued-time > '1700000000000'",
                by(Property::EnqueuedTime, 1_700_000_000_000, false),
            ),
            (
                "amqp.annotation.x-opt-enqueuedtimeutc > 1700000000000",
                by(Property::EnqueuedTime, 1_700_000_000_000, false),
            ),
            (" amqp.annotation.x-opt-offset>5 ", by(Property::Offset, 5, false)),
        ] {
            assert_eq!(Position::parse(selector), Ok(position), "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused_by_name() {
        let long = format!("amqp.annotation.x-opt-offset > '{}'", "1".repeat(300));
        for selector in [
            "",
            "x-opt-offset > '1'",
            "amqp.annotation.x-opt-offset",
            "amqp.annotation.x-opt-offset < '1'",
            "amqp.annotation.x-opt-offset > '1",
            "amqp.annotation.x-opt-offset > ''",
            "amqp.annotation.x-opt-offset > 'x'",
            "amqp.annotation.x-opt-enqueued-time > '@latest'",
            "amqp.annotation.x-opt-publisher > 'me'",
            "amqp.annotation.x-opt-offset > '99999999999999999999'",
            &long,
        ] {
            let error = Position::parse(selector).expect_err(selector).to_string();
            assert!(error.contains("x-opt-sequence-number") && error.len() < 700, "{error}");
        }
    }
}
