//! A query over documents: twins as the service shows them, or what jobs have done to devices.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{
    super::expression::{Document, Path, holds, member_without_case, number},
    parser::{Aggregate, Collection, Column, Item, Query},
};

/// What a query found, each row with the key it is ordered by.
pub(crate) struct Rows {
    pub rows: Vec<(String, Row)>,
    /// What a row is, in Azure's words.
    pub item_type: &'static str,
}

pub(crate) enum Row {
    /// What was selected.
    Of(Value),
    /// The document with the key of the row, as it is.
    Document,
}

pub(super) fn run(query: &Query, documents: &[(String, Value)]) -> Rows {
    let holds = |document: &Value| {
        let condition = query.condition.as_ref();
        condition.is_none_or(|condition| holds(condition, &Shown(document)))
    };
    let top = query.top.unwrap_or(usize::MAX);
    let found = documents.iter().filter(|(_, document)| holds(document));
    let rows = match &query.items {
        None => found.take(top).map(|(key, _)| (key.clone(), Row::Document)).collect(),
        Some(items) if is_grouped(query, items) => {
            let mut rows = grouped(query, items, found.map(|(_, document)| document).collect());
            rows.truncate(top);
            rows
        }
        Some(items) => found
            .take(top)
            .map(|(key, document)| {
                let row = items.iter().enumerate().filter_map(|(place, item)| {
                    let Column::Path(path) = &item.value else { return None };
                    Some((column_name(item, place), lookup(document, path)?.clone()))
                });
                (key.clone(), Row::Of(Value::Object(row.collect())))
            })
            .collect(),
    };
    let item_type = match (&query.items, query.collection) {
        (Some(_), _) => "Raw",
        (None, Collection::Devices | Collection::Modules) => "Twin",
        (None, Collection::Jobs) => "DeviceJob",
    };
    Rows { rows, item_type }
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

fn grouped(query: &Query, items: &[Item], twins: Vec<&Value>) -> Vec<(String, Row)> {
    let mut groups: Vec<(Vec<Option<Value>>, Vec<&Value>)> = Vec::new();
    if query.group_by.is_empty() {
        groups.push((Vec::new(), twins));
    } else {
        for twin in twins {
            let key: Vec<_> = query.group_by.iter().map(|path| lookup(twin, path).cloned()).collect();
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, members)) => members.push(twin),
                None => groups.push((key, vec![twin])),
            }
        }
    }
    let row = |members: &[&Value]| {
        let columns = items.iter().enumerate().filter_map(|(place, item)| {
            let value = match &item.value {
                Column::Path(path) => lookup(members.first()?, path)?.clone(),
                Column::Aggregate(aggregate, path) => total(*aggregate, path.as_ref(), members)?,
            };
            Some((column_name(item, place), value))
        });
        Row::Of(Value::Object(columns.collect::<Map<_, _>>()))
    };
    let rows = groups.iter().enumerate();
    rows.map(|(place, (_, members))| (format!("{place:010}"), row(members))).collect()
}

fn total(aggregate: Aggregate, path: Option<&Path>, members: &[&Value]) -> Option<Value> {
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

/// A document as conditions look into it.
pub(super) struct Shown<'t>(pub &'t Value);

impl Document for Shown<'_> {
    fn value(&self, path: &Path) -> Option<Cow<'_, Value>> {
        lookup(self.0, path).map(Cow::Borrowed)
    }
}

/// The value at a path. The first name, a system property, is compared without regard to case; `properties.` may not
/// be left out.
fn lookup<'t>(twin: &'t Value, path: &Path) -> Option<&'t Value> {
    let mut names = path.iter();
    let root = member_without_case(twin, names.next()?)?;
    names.try_fold(root, |value, name| value.get(name))
}
