//! Results on standard output: JSON, or a table for people.

use serde_json::Value;
use tracker_protocol::{printable, printable_json};

use crate::platform::stdout::line;

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Indented JSON.
    #[default]
    Json,
    /// The most important columns.
    Table,
    /// Of `telemetry`.
    #[value(hide = true)]
    Csv,
    /// Of `telemetry`.
    #[value(hide = true)]
    Jsonl,
    /// Of `telemetry`.
    #[value(hide = true)]
    Geojson,
    /// Of `telemetry`.
    #[value(hide = true)]
    Gpx,
    /// Of `telemetry`.
    #[value(hide = true)]
    Influx,
    /// Of `telemetry`.
    #[value(hide = true)]
    Parquet,
}

/// A column: its title, and where its value is found (RFC 6901).
pub(super) type Column<'a> = (&'a str, &'a str);

impl OutputFormat {
    /// Prints one thing, or a list of things.
    pub(super) fn show(self, value: &Value, columns: &[Column<'_>]) -> anyhow::Result<()> {
        let text = match self {
            Self::Json => printable_json(serde_json::to_string_pretty(value)?),
            Self::Table => table(value, columns),
            _ => anyhow::bail!(
                "--output csv, jsonl, geojson, gpx, influx and parquet are forms of `cloud telemetry`"
            ),
        };
        line(&text);
        Ok(())
    }
}

fn table(value: &Value, columns: &[Column<'_>]) -> String {
    let rows = match value {
        Value::Array(items) => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))).collect())
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(index, (title, _))| {
            let widest = cells.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count()).max();
            widest.unwrap_or(0).max(title.len())
        })
        .collect();
    let print = |row: Vec<&str>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = vec![
        print(columns.iter().map(|(title, _)| *title).collect()),
        print(rules.iter().map(String::as_str).collect()),
    ];
    lines.extend(cells.iter().map(|row| print(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".into(),
        // So Azure writes a time that has not come.
        Some(Value::String(text)) if text.starts_with("0001-01-01T00:00:00") => "-".into(),
        Some(Value::String(text)) => printable(text),
        Some(other) => printable(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_aligned_and_shows_what_is_absent() {
        let rows = json!([
            {"id": "a", "n": {"m": 1}},
            {"id": "longer", "n": null},
            {"id": "never", "n": {"m": "0001-01-01T00:00:00.0000000Z"}},
        ]);
        assert_eq!(
            table(&rows, &[("Id", "/id"), ("Number", "/n/m")]),
            "Id      Number\n------  ------\na       1\nlonger  -\nnever   -"
        );
    }

    #[test]
    fn a_table_shows_what_a_terminal_would_obey_and_stays_aligned() {
        let rows = json!([{"id": "a\n<3>b\u{1b}[2J", "n": ["\u{202e}\u{9b}"]}]);
        let shown = "a\\u{a}<3>b\\u{1b}[2J";
        let table = table(&rows, &[("Id", "/id"), ("Number", "/n")]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert_eq!(lines[2], format!("{shown}  [\"\\u{{202e}}\\u{{9b}}\"]"));
        assert_eq!(lines[1].find("  "), Some(shown.len()));
    }
}
