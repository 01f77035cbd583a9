//! The columns of forms that have such.

use anyhow::bail;
use serde_json::Value;
use tracker_console::history::{Cell, Exported, put_time};
use tracker_protocol::printable;

use crate::cli::cloud::readings::{Row, Source};

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    Device,
    Time,
    TimeUnknown,
    Seq,
    Place,
    /// By its number among the fields of the console.
    Field(usize, &'static str),
    /// A member that the console does not know, by its path.
    Member(Vec<String>),
}

const FRAME: [(&str, Column); 5] = [
    ("device", Column::Device),
    ("time", Column::Time),
    ("timeUnknown", Column::TimeUnknown),
    ("seq", Column::Seq),
    ("place", Column::Place),
];

impl Column {
    /// As it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Field(_, name) => (*name).to_owned(),
            Self::Member(path) => path.join("."),
            frame => FRAME.iter().find(|(_, of)| of == frame).map_or("", |(name, _)| name).to_owned(),
        }
    }

    /// Whether it has the numbers of a field.
    #[cfg(feature = "parquet")]
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Field(_, name) if !["door", "fix"].contains(name))
    }

    /// Appends what a row has in it.
    pub(super) fn put(&self, row: &Row<'_>, out: &mut String) {
        match self {
            Self::Device => out.push_str(row.device),
            Self::Time => put_time(row.reading.milliseconds(), out),
            Self::TimeUnknown if row.reading.has_time() => {}
            Self::TimeUnknown => out.push_str("true"),
            Self::Seq => row.reading.seq().into_iter().for_each(|seq| out.push_str(&seq.to_string())),
            Self::Place => out.push_str(row.reading.place().unwrap_or_default()),
            Self::Field(number, _) => match row.reading.cell(*number) {
                Some(Cell::Number(number)) => number.put(out),
                Some(Cell::Word(word)) => out.push_str(word),
                None => {}
            },
            Self::Member(path) => match member(row, path) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => out.push_str(text),
                Some(other) => out.push_str(&other.to_string()),
            },
        }
    }

    /// Whether what it has may be any text.
    pub(super) fn is_free(&self) -> bool {
        matches!(self, Self::Device | Self::Place | Self::Member(_))
    }
}

fn member<'a>(row: &Row<'a>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(row.more?.get(first)?, |value, name| value.get(name))
}

/// Reads names; of a history they have to be known.
pub(super) fn parse(names: &[String], is_history: bool) -> anyhow::Result<Vec<Column>> {
    let mut columns = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        let frame = FRAME.iter().find(|(known, _)| *known == name).map(|(_, column)| column.clone());
        let field = || {
            let (number, name) = Exported::fields().enumerate().find(|(_, field)| *field == name)?;
            Some(Column::Field(number, name))
        };
        let Some(column) = frame.or_else(field) else {
            if is_history || name.is_empty() {
                bail!("there is no column {:?}{}", printable(name), instead(name));
            }
            columns.push(Column::Member(name.split('.').map(str::to_owned).collect()));
            continue;
        };
        columns.push(column);
    }
    if let Some(twice) = (1..columns.len()).find(|at| columns[..*at].contains(&columns[*at])) {
        bail!("--columns has {} twice", printable(columns[twice].name()));
    }
    Ok(columns)
}

/// What was meant, or what there is.
fn instead(name: &str) -> String {
    let all: Vec<&str> = FRAME.iter().map(|(name, _)| *name).chain(Exported::fields()).collect();
    let likeness = |known: &&&str| (strsim::jaro_winkler(known, name) * 1000.0) as u32;
    match all.iter().max_by_key(likeness).filter(|known| likeness(known) > 850) {
        Some(near) => format!("; is {near} meant?"),
        None => format!("; there are {}", all.join(", ")),
    }
}

/// The columns that were asked for; without such those in which there is anything.
pub(super) fn columns_of(wanted: Vec<Column>, source: &Source) -> anyhow::Result<Vec<Column>> {
    if wanted.is_empty() {
        let fields = Exported::fields().enumerate().filter(|(number, _)| source.has(*number));
        let fields = fields.map(|(number, name)| Column::Field(number, name));
        return Ok(FRAME.iter().map(|(_, column)| column.clone()).chain(fields).collect());
    }
    let known = source.unknown_members();
    for column in &wanted {
        if let Column::Member(path) = column
            && !known.iter().any(|(name, _)| Some(name) == path.first())
        {
            let name = column.name();
            bail!("no reading has a member {:?}{}", printable(&name), instead(&name));
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_is_not_there_is_named_with_what_is_meant() {
        let parse = |names: &[&str], is_history| {
            parse(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), is_history)
        };
        let names: Vec<_> =
            parse(&["time", "location.lat", "door"], true).unwrap().iter().map(Column::name).collect();
        assert_eq!(names, ["time", "location.lat", "door"]);
        let why = |names: &[&str]| parse(names, true).unwrap_err().to_string();
        assert!(why(&["temprature"]).ends_with("is temperature meant?"));
        assert!(why(&["vibration"]).contains("there are device, time, timeUnknown, seq, place, temperature"));
        assert!(why(&["seq", "seq"]).contains("seq twice"));
        assert!(why(&[""]).contains("no column"));
        assert_eq!(parse(&["shock.g"], false).unwrap()[0], Column::Member(vec!["shock".into(), "g".into()]));
    }
}
