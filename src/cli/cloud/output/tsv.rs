//! Values between tabs, for scripts: a row a line, nothing cut, no titles.

use serde_json::Value;
use tracker_protocol::printable;

use super::grid::Grid;

/// The rows; what is absent is empty, and a tab or a line feed in a value is written as `\u{9}` or `\u{a}`.
pub(super) fn rows(grid: &Grid<'_>) -> String {
    let line =
        |row: &Vec<Option<&Value>>| row.iter().map(|value| cell(*value)).collect::<Vec<_>>().join("\t");
    grid.rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => printable(text),
        Some(other) => printable(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_row_is_a_line_whatever_is_in_it() {
        let value = json!([{"a": "x\ty\n", "b": {"c": 1}}, {"a": null, "b": 2.5}]);
        let grid = Grid::of(&value, &[("A", "/a"), ("B", "/b")]);
        assert_eq!(rows(&grid), "x\\u{9}y\\u{a}\t{\"c\":1}\n\t2.5");
    }
}
