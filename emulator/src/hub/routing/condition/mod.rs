//! The condition of a route: read once, when the route is made, and held against every message of its source
//! (IoT Hub developer guide, "message routing query syntax").
//!
//! `$contentType` is a system property, `severity` an application property, `$body.a.b[0].c` looks into the body and
//! `$twin.tags.a` into the twin of the device. Names know no case. What is undefined holds for nothing.

mod subject;
#[cfg(test)]
mod tests;

use chrono::DateTime;
use serde_json::Value;

use super::super::expression::{Dialect, Evaluator, Expression, MAX_LENGTH, Operator, Parser, Path};
use crate::clock::wire_time;
pub(super) use subject::Subject;

/// The longest path into a body or a twin, in names.
const MAX_STEPS: usize = 32;

const ENQUEUED_TIME: &str = "$enqueuedTime";

/// What a condition says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Verdict {
    True,
    False,
    /// It asks for what is not there, or compares what can't be compared. The message takes another route.
    Undefined,
}

/// A condition that was understood.
#[derive(Clone, Debug)]
pub(in crate::hub) struct Condition {
    expression: Expression,
    uses_twin: bool,
}

impl Condition {
    /// Reads a condition; an empty one is `true`.
    pub(in crate::hub) fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > MAX_LENGTH {
            return Err(format!("the condition has more than {MAX_LENGTH} characters"));
        }
        if text.trim().is_empty() {
            return Ok(Self { expression: Expression::Literal(Value::Bool(true)), uses_twin: false });
        }
        let mut parser = Parser::new(text, Dialect::Routes)?;
        let mut expression = parser.expression()?;
        parser.end()?;
        let mut uses_twin = false;
        expression.try_for_each(&mut |part| match part {
            Expression::Path(path) => {
                check_path(path)?;
                uses_twin |= begins(path, "$twin");
                Ok(())
            }
            Expression::Binary(left, operator, right) if operator.is_comparison() => {
                normalize_time(left, *operator, right)?;
                normalize_time(right, *operator, left)
            }
            _ => Ok(()),
        })?;
        Ok(Self { expression, uses_twin })
    }

    /// Whether it looks into the twin.
    pub(in crate::hub) fn uses_twin(&self) -> bool {
        self.uses_twin
    }

    /// What it says of a message with its twin.
    pub(in crate::hub) fn judge(&self, subject: &Subject<'_>) -> Verdict {
        match Evaluator(subject).evaluate(&self.expression).as_deref() {
            Some(Value::Bool(true)) => Verdict::True,
            Some(Value::Null) | None => Verdict::Undefined,
            Some(_) => Verdict::False,
        }
    }
}

/// What can be known to be wrong of a path before there is a message.
fn check_path(path: &Path) -> Result<(), String> {
    if path.len() > MAX_STEPS {
        return Err(format!("the path {} has more than {MAX_STEPS} names", path.join(".")));
    }
    if begins(path, "$body") {
        return match path.get(1) {
            Some(_) => Ok(()),
            None => Err("$body needs a path into the body, as $body.temperature".into()),
        };
    }
    if begins(path, "$twin") {
        let names: Vec<_> = path.iter().skip(1).map(|name| name.to_ascii_lowercase()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        return match names.as_slice() {
            ["tags", _, ..] | ["properties", "desired" | "reported", _, ..] => Ok(()),
            _ => Err(format!(
                "{} is not in a twin's reach: $twin.tags.…, $twin.properties.desired.… and \
                 $twin.properties.reported.… are",
                path.join(".")
            )),
        };
    }
    if path.len() > 1 {
        return Err(format!(
            "{} is a path, and properties of a message have none; a path begins with $body or $twin",
            path.join(".")
        ));
    }
    Ok(())
}

/// A constant beside `$enqueuedTime` has to be a time, and is written as the hub writes its own, so that they compare as
/// texts do.
fn normalize_time(left: &Expression, operator: Operator, right: &mut Expression) -> Result<(), String> {
    let is_time = matches!(left, Expression::Path(path) if begins(path, ENQUEUED_TIME));
    if let (true, Expression::Literal(value)) = (is_time, right) {
        let time = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let time = time.ok_or_else(|| {
            format!("{ENQUEUED_TIME} {operator:?} needs a time, as \"2026-01-31T12:00:00Z\", not {value}")
        })?;
        *value = wire_time::print(time.to_utc()).into();
    }
    Ok(())
}

fn begins(path: &Path, name: &str) -> bool {
    path.first().is_some_and(|first| first.eq_ignore_ascii_case(name))
}
