//! A table for people. Its widths are those of what is usual, since rows are printed as they come.

use tracker_protocol::printable;

use super::columns::Column;
use super::form::Form;
use crate::cli::cloud::readings::Row;

/// Columns of a width.
pub(super) struct Table {
    columns: Vec<(Column, usize)>,
    cell: String,
}

/// What a table has without being asked.
const USUAL: [&str; 9] = [
    "device",
    "time",
    "temperature",
    "humidity",
    "pressure",
    "location.lat",
    "location.lon",
    "speed",
    "place",
];

impl Table {
    pub(super) fn new(mut columns: Vec<Column>) -> Self {
        // All fields, as they come without being asked for, would not fit.
        if columns.len() > USUAL.len() {
            columns.retain(|column| USUAL.contains(&column.name().as_str()));
        }
        let width = |column: &Column| match column {
            Column::Device => 18,
            Column::Time => 24,
            Column::Place => 12,
            Column::Field(_, name) if name.starts_with("location") => 11,
            other => other.name().len().max(8),
        };
        let columns = columns.into_iter().map(|column| (width(&column), column));
        Self { columns: columns.map(|(width, column)| (column, width)).collect(), cell: String::new() }
    }

    fn line(&self, cells: impl Iterator<Item = String>, out: &mut String) {
        let padded = cells.zip(&self.columns).map(|(cell, (_, width))| format!("{cell:<width$}"));
        out.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
}

impl Form for Table {
    fn begin(&mut self, out: &mut String) -> anyhow::Result<()> {
        self.line(self.columns.iter().map(|(column, _)| printable(column.name())), out);
        self.line(self.columns.iter().map(|(_, width)| "-".repeat(*width)), out);
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut String) -> anyhow::Result<()> {
        let mut cells = Vec::with_capacity(self.columns.len());
        for (column, _) in &self.columns {
            self.cell.clear();
            column.put(row, &mut self.cell);
            cells.push(if self.cell.is_empty() { "-".to_owned() } else { printable(&self.cell) });
        }
        self.line(cells.into_iter(), out);
        Ok(())
    }
}
