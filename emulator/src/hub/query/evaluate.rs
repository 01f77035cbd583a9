//! A query over twins as the service shows them.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::parser::{Aggregate, Column, Expression, Item, Operator, Path, Query};

/// What a query found, each row with the key it is ordered by.
pub(crate) struct Rows {
    pub rows: Vec<(String, Value)>,
    /// `SELECT *`; otherwise the rows are what was selected.
    pub are_twins: bool,
}

pub(super) fn run(query: &Query, twins: Vec<(String, Value)>) -> Rows {
    let holds = |twin: &Value| {
        let condition = query.condition.as_ref();
        condition.is_none_or(|condition| evaluate(condition, twin) == Some(Value::Bool(true)))
    };
    let found = twins.into_iter().filter(|(_, twin)| !query.is_empty && holds(twin));
    let mut rows: Vec<_> = match &query.items {
        None => found.collect(),
        Some(items) if is_grouped(query, items) => {
            grouped(query, items, found.map(|(_, twin)| twin).collect())
        }
        Some(items) => found
            .map(|(key, twin)| {
                let row = items.iter().enumerate().filter_map(|(place, item)| {
                    let Column::Path(path) = &item.value else { return None };
                    Some((column_name(item, place), lookup(&twin, path)?.clone()))
                });
                (key, Value::Object(row.collect()))
            })
            .collect(),
    };
    rows.truncate(query.top.unwrap_or(usize::MAX));
    Rows { rows, are_twins: query.items.is_none() }
}

fn is_grouped(query: &Query, items: &[Item]) -> bool {
    !query.group_by.is_empty() || items.iter().any(|item| matches!(item.value, Column::Aggregate(..)))
}

/// A column without a name is called by the last name of its path; an aggregate by Azure's way of numbering.
fn column_name(item: &Item, place: usize) -> String {
    item.name.clone().unwrap_or_else(|| match &item.value {
        Column::Path(path) | Column::Aggregate(_, Some(path)) => path.last().cloned().unwrap_or_default(),
        Column::Aggregate(_, None) => format!("${}", place + 1),
    })
}

fn grouped(query: &Query, items: &[Item], twins: Vec<Value>) -> Vec<(String, Value)> {
    let mut groups: Vec<(Vec<Option<Value>>, Vec<Value>)> = Vec::new();
    if query.group_by.is_empty() {
        groups.push((Vec::new(), twins));
    } else {
        for twin in twins {
            let key: Vec<_> = query.group_by.iter().map(|path| lookup(&twin, path).cloned()).collect();
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, members)) => members.push(twin),
                None => groups.push((key, vec![twin])),
            }
        }
    }
    let row = |members: &[Value]| {
        let columns = items.iter().enumerate().filter_map(|(place, item)| {
            let value = match &item.value {
                Column::Path(path) => lookup(members.first()?, path)?.clone(),
                Column::Aggregate(aggregate, path) => total(*aggregate, path.as_ref(), members)?,
            };
            Some((column_name(item, place), value))
        });
        Value::Object(columns.collect::<Map<_, _>>())
    };
    let rows = groups.iter().enumerate();
    rows.map(|(place, (_, members))| (format!("{place:010}"), row(members))).collect()
}

fn total(aggregate: Aggregate, path: Option<&Path>, members: &[Value]) -> Option<Value> {
    let Some(path) = path else {
        return Some(members.len().into());
    };
    let values: Vec<&Value> = members.iter().filter_map(|twin| lookup(twin, path)).collect();
    if matches!(aggregate, Aggregate::Count) {
        return Some(values.len().into());
    }
    let numbers: Vec<f64> = values.iter().filter_map(|value| value.as_f64()).collect();
    if numbers.is_empty() {
        return None;
    }
    let sum: f64 = numbers.iter().sum();
    number(match aggregate {
        Aggregate::Count | Aggregate::Sum => sum,
        Aggregate::Average => sum / numbers.len() as f64,
        Aggregate::Minimum => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        Aggregate::Maximum => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    })
}

/// Whole numbers are printed as such.
fn number(value: f64) -> Option<Value> {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some(Value::from(value as i64));
    }
    Number::from_f64(value).map(Value::Number)
}

/// The value at a path. The first name, a system property, is compared without regard to case; `properties.` may not
/// be left out.
fn lookup<'t>(twin: &'t Value, path: &Path) -> Option<&'t Value> {
    let mut names = path.iter();
    let first = names.next()?;
    let members = twin.as_object()?;
    let root = members.get(first).or_else(|| {
        members.iter().find(|(name, _)| name.eq_ignore_ascii_case(first)).map(|(_, value)| value)
    })?;
    names.try_fold(root, |value, name| value.get(name))
}

/// `None` is "undefined", which no comparison holds for.
fn evaluate(expression: &Expression, twin: &Value) -> Option<Value> {
    match expression {
        Expression::Literal(value) => Some(value.clone()),
        Expression::Path(path) => lookup(twin, path).cloned(),
        Expression::IsDefined(path) => Some(lookup(twin, path).is_some().into()),
        Expression::Not(inner) => Some((evaluate(inner, twin)? != Value::Bool(true)).into()),
        Expression::Negate(inner) => number(-evaluate(inner, twin)?.as_f64()?),
        Expression::In(left, list, negated) => {
            let left = evaluate(left, twin)?;
            let found = list
                .iter()
                .filter_map(|value| evaluate(value, twin))
                .any(|value| compare(&left, &value) == Some(Ordering::Equal));
            Some((found != *negated).into())
        }
        Expression::Binary(left, operator, right) => {
            let holds = |side: &Expression| evaluate(side, twin) == Some(Value::Bool(true));
            match operator {
                Operator::Or => return Some((holds(left) || holds(right)).into()),
                Operator::And => return Some((holds(left) && holds(right)).into()),
                _ => {}
            }
            binary(&evaluate(left, twin)?, *operator, &evaluate(right, twin)?)
        }
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
