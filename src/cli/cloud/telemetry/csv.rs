//! CSV (RFC 4180), with line feeds alone at the ends of lines, as programs of Unix want them.

use super::columns::Column;
use super::form::Form;
use crate::cli::cloud::readings::Row;

/// Rows of some columns, under their names.
pub(super) struct Csv {
    columns: Vec<Column>,
    cell: String,
}

impl Csv {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self { columns, cell: String::new() }
    }
}

impl Form for Csv {
    fn begin(&mut self, out: &mut String) -> anyhow::Result<()> {
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            quoted(&column.name(), out);
        }
        out.push('\n');
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut String) -> anyhow::Result<()> {
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            if column.is_free() {
                self.cell.clear();
                column.put(row, &mut self.cell);
                quoted(&self.cell, out);
            } else {
                column.put(row, out);
            }
        }
        out.push('\n');
        Ok(())
    }
}

/// Appends a text, between quotation marks where it has to be. One that a spreadsheet would take for a formula has an apostrophe
/// before it; a number is none.
fn quoted(text: &str, out: &mut String) {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    if !is_formula && !text.contains(['"', ',', '\n', '\r']) {
        out.push_str(text);
        return;
    }
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_quoted_where_it_has_to_be() {
        let quoted = |text: &str| {
            let mut out = String::new();
            quoted(text, &mut out);
            out
        };
        for (text, wanted) in [
            ("", ""),
            ("yard 1", "yard 1"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("-4.5", "-4.5"),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(quoted(text), wanted);
        }
    }
}
