//! Rows and columns of a result, before it is said how they are printed.

use serde_json::Value;

/// A column: its title, and where its value is found (RFC 6901).
pub(crate) type Column<'a> = (&'a str, &'a str);

/// Rows and columns.
#[derive(Debug)]
pub(super) struct Grid<'a> {
    pub titles: Vec<String>,
    pub rows: Vec<Vec<Option<&'a Value>>>,
}

impl<'a> Grid<'a> {
    /// Of one thing, or of a list of things, with these columns.
    pub(super) fn of(value: &'a Value, columns: &[Column<'_>]) -> Self {
        Self {
            titles: columns.iter().map(|(title, _)| (*title).to_owned()).collect(),
            rows: items(value)
                .iter()
                .map(|row| columns.iter().map(|(_, pointer)| row.pointer(pointer)).collect())
                .collect(),
        }
    }

    /// Of whatever it is, with the columns that it has itself: the members of objects, sorted by `place`, the items of lists,
    /// or the one value.
    pub(super) fn own(value: &'a Value, place: impl Fn(&str) -> usize) -> Self {
        let rows = if value.is_null() { &[] } else { items(value) };
        let mut names: Vec<&String> = Vec::new();
        for name in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.sort_by_key(|name| place(name));
        if !names.is_empty() {
            return Self {
                titles: names.iter().map(|name| (*name).clone()).collect(),
                rows: rows
                    .iter()
                    .map(|row| names.iter().map(|name| row.get(name.as_str())).collect())
                    .collect(),
            };
        }
        let width = rows.iter().filter_map(Value::as_array).map(Vec::len).max();
        let cells = |row: &'a Value| match row {
            Value::Array(cells) => cells.iter().map(Some).collect(),
            one => vec![Some(one)],
        };
        Self {
            titles: match width {
                None => vec!["Result".to_owned()],
                Some(width) => (1..=width).map(|number| format!("Column{number}")).collect(),
            },
            rows: rows.iter().map(cells).collect(),
        }
    }
}

fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}
