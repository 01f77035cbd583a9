//! What an expression comes to over a document.

use std::{borrow::Cow, cmp::Ordering};

use serde_json::Value;

use super::{
    number::number,
    syntax::{Expression, Operator, Path},
};

/// What paths lead into.
pub(in crate::hub) trait Document {
    /// The value at a path; `None` is "undefined". Bodies may be large: what is there already is not copied.
    fn value(&self, path: &Path) -> Option<Cow<'_, Value>>;
}

/// Whether the expression is true over the document; whatever else it is, it does not hold.
pub(in crate::hub) fn holds(expression: &Expression, document: &impl Document) -> bool {
    Evaluator(document).holds(expression)
}

/// A member of an object, or an item of a list.
pub(in crate::hub) fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The same, where a name of another case will do if there is none of this.
pub(in crate::hub) fn member_without_case<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    member(value, name).or_else(|| {
        let mut members = value.as_object()?.iter();
        members.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

pub(in crate::hub) struct Evaluator<'d, D>(pub &'d D);

impl<D: Document> Evaluator<'_, D> {
    /// `None` is "undefined", which no comparison holds for.
    pub(in crate::hub) fn evaluate<'a>(&'a self, expression: &'a Expression) -> Option<Cow<'a, Value>> {
        let value = match expression {
            Expression::Literal(value) => return Some(Cow::Borrowed(value)),
            Expression::Path(path) => return self.0.value(path),
            Expression::Undefined => None,
            Expression::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|argument| self.evaluate(argument)).collect();
                function.call(&arguments)
            }
            Expression::Not(inner) => Some((*self.evaluate(inner)? != Value::Bool(true)).into()),
            Expression::Negate(inner) => number(-self.evaluate(inner)?.as_f64()?),
            Expression::In(left, list, negated) => {
                let left = self.evaluate(left)?;
                let found = list
                    .iter()
                    .filter_map(|value| self.evaluate(value))
                    .any(|value| compare(&left, &value) == Some(Ordering::Equal));
                Some((found != *negated).into())
            }
            Expression::Binary(left, Operator::Or, right) => {
                Some((self.holds(left) || self.holds(right)).into())
            }
            Expression::Binary(left, Operator::And, right) => {
                Some((self.holds(left) && self.holds(right)).into())
            }
            Expression::Binary(left, operator, right) => {
                binary(&*self.evaluate(left)?, *operator, &*self.evaluate(right)?)
            }
        };
        value.map(Cow::Owned)
    }

    fn holds(&self, expression: &Expression) -> bool {
        self.evaluate(expression).as_deref() == Some(&Value::Bool(true))
    }
}

fn binary(left: &Value, operator: Operator, right: &Value) -> Option<Value> {
    let order = || compare(left, right);
    let holds = match operator {
        Operator::Equal => order()? == Ordering::Equal,
        // Values of different kinds are different.
        Operator::NotEqual => order() != Some(Ordering::Equal),
        Operator::Less => order()? == Ordering::Less,
        Operator::LessOrEqual => order()? != Ordering::Greater,
        Operator::Greater => order()? == Ordering::Greater,
        Operator::GreaterOrEqual => order()? != Ordering::Less,
        _ => {
            let (left, right) = (left.as_f64()?, right.as_f64()?);
            return number(match operator {
                Operator::Add => left + right,
                Operator::Subtract => left - right,
                Operator::Multiply => left * right,
                Operator::Divide => left / right,
                _ => left % right,
            });
        }
    };
    Some(holds.into())
}

/// Only primitives of one kind can be compared.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
