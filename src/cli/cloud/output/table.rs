//! A table for people.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_protocol::printable;

use super::grid::Grid;
use super::moment::relative;

/// No column gets narrower than this, however narrow the terminal is.
const NARROWEST: usize = 6;

/// Between two columns.
const GAP: usize = 2;

/// The table, cut to so many columns of a terminal if it goes to one.
pub(super) fn table(grid: &Grid<'_>, width: Option<usize>, now: DateTime<Utc>) -> String {
    let cells: Vec<Vec<String>> =
        grid.rows.iter().map(|row| row.iter().map(|value| cell(*value, now)).collect()).collect();
    let mut widths: Vec<usize> = grid.titles.iter().map(|title| title.chars().count()).collect();
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    if let Some(width) = width {
        fit(&mut widths, width);
    }
    let print = |row: &[String]| {
        let padded = row.iter().zip(&widths).map(|(text, width)| format!("{:<width$}", cut(text, *width)));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = vec![print(&grid.titles), print(&rules)];
    lines.extend(cells.iter().map(|row| print(row)));
    lines.join("\n")
}

/// Takes from the widest column until all fit.
fn fit(widths: &mut [usize], room: usize) {
    loop {
        let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let Some(excess) = total.checked_sub(room).filter(|excess| *excess > 0) else { return };
        let Some(widest) = widths.iter().copied().max().filter(|widest| *widest > NARROWEST) else { return };
        let next = widths.iter().copied().filter(|width| *width < widest).max().unwrap_or(0);
        // Down to the next one in one step, and only as far as is needed.
        let to = next.max(widest.saturating_sub(excess)).max(NARROWEST);
        if let Some(column) = widths.iter_mut().rev().find(|width| **width == widest) {
            *column = to.min(widest - 1);
        }
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

fn cell(value: Option<&Value>, now: DateTime<Utc>) -> String {
    match value {
        None | Some(Value::Null) => "-".into(),
        Some(value) => relative(value, now).unwrap_or_else(|| match value {
            Value::String(text) => printable(text),
            other => printable(other),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(rows: &Value, columns: &[(&str, &str)], width: Option<usize>) -> String {
        table(&Grid::of(rows, columns), width, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_table_is_aligned_and_shows_what_is_absent() {
        let rows = json!([
            {"id": "a", "n": {"m": 1}},
            {"id": "longer", "n": null},
            {"id": "never", "n": {"m": "0001-01-01T00:00:00.0000000Z"}},
        ]);
        assert_eq!(
            of(&rows, &[("Id", "/id"), ("Number", "/n/m")], None),
            "Id      Number\n------  ------\na       1\nlonger  -\nnever   -"
        );
    }

    #[test]
    fn a_table_shows_what_a_terminal_would_obey_and_stays_aligned() {
        let rows = json!([{"id": "a\n<3>b\u{1b}[2J", "n": ["\u{202e}\u{9b}"]}]);
        let shown = "a\\u{a}<3>b\\u{1b}[2J";
        let table = of(&rows, &[("Id", "/id"), ("Number", "/n")], None);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        assert_eq!(lines[2], format!("{shown}  [\"\\u{{202e}}\\u{{9b}}\"]"));
        assert_eq!(lines[1].find("  "), Some(shown.len()));
    }

    #[test]
    fn a_table_is_cut_to_the_terminal_at_its_widest_columns() {
        let rows = json!([{"id": "sensor-thl-001", "tags": "x".repeat(200), "more": "y".repeat(50)}]);
        let columns = [("Id", "/id"), ("Tags", "/tags"), ("More", "/more")];
        for width in 30..120 {
            let table = of(&rows, &columns, Some(width));
            assert!(table.lines().all(|line| line.chars().count() <= width), "{width}: {table}");
        }
        let table = of(&rows, &columns, Some(60));
        assert!(table.contains("sensor-thl-001  xxx") && table.contains("x…  y"), "{table}");
        assert!(of(&rows, &columns, Some(1)).lines().all(|line| line.chars().count() <= 3 * 6 + 4));
    }

    #[test]
    fn what_was_chosen_has_its_own_columns() {
        let own = |value: &Value| {
            table(&Grid::own(value, |name| usize::from(name == "a")), None, DateTime::UNIX_EPOCH)
        };
        assert_eq!(own(&json!([{"a": 1, "b": 2}, {"b": 3}])), "b  a\n-  -\n2  1\n3  -");
        assert_eq!(own(&json!([["x", 1], ["y"]])), "Column1  Column2\n-------  -------\nx        1\ny");
        assert_eq!(own(&json!("x")), "Result\n------\nx");
        assert_eq!(own(&Value::Null), "Result\n------");
    }
}
