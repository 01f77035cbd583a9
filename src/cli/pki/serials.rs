//! A list of serial numbers: a text with one a line, or a table (CSV) of which one column has them.
//!
//! Every row is looked at before anything is done, and what is wrong is told by its number, as editors and spreadsheets count.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};

use super::rules::registration_id;
use crate::cli::text_file;
use crate::platform::plain_file;

/// Some hundred thousand rows of a wide table.
const LARGEST: u64 = 64 * 1024 * 1024;
const MOST: usize = 500_000;
/// How many bad rows are told.
const TOLD: usize = 20;

/// What the column is called, without capitals, blanks and the like.
const NAMES: [&str; 8] =
    ["serial", "serials", "serialnumber", "id", "deviceid", "registrationid", "cn", "name"];

/// One serial number, which is a registration ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Serial {
    /// The row that it stands in, from 1.
    pub(in crate::cli) row: usize,
    pub(in crate::cli) id: String,
}

/// A list that was read.
#[derive(Debug, Default)]
pub(in crate::cli) struct Serials {
    /// In their order.
    pub(in crate::cli) good: Vec<Serial>,
    /// A sentence for each bad row.
    pub(in crate::cli) bad: Vec<String>,
}

impl Serials {
    /// Reads a list. What is wrong with the file as a whole is an error.
    pub(in crate::cli) fn read(path: &Path, with_capitals: bool) -> anyhow::Result<Self> {
        let reading = || format!("can't read the serial numbers in {}", path.display());
        let bytes = plain_file::read(path, LARGEST).with_context(reading)?;
        let text = text_file::of(bytes).with_context(reading)?;
        let list = Self::of(&text, with_capitals);
        if list.good.is_empty() && list.bad.is_empty() {
            bail!("{} has no serial number; one a line is wanted", path.display());
        }
        if list.good.len() > MOST {
            bail!("{} has more than {MOST} rows; part it", path.display());
        }
        Ok(list)
    }

    /// As [`Serials::read`], and every bad row is an error.
    pub(in crate::cli) fn read_all(path: &Path, with_capitals: bool) -> anyhow::Result<Vec<Serial>> {
        let Self { good, bad } = Self::read(path, with_capitals)?;
        if bad.is_empty() {
            return Ok(good);
        }
        let more = bad.len().saturating_sub(TOLD);
        let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        bail!(
            "{} is not as it should be, and nothing was done:\n  {}{more}\nmend the list, or pass over these rows with --skip-bad",
            path.display(),
            bad[..bad.len().min(TOLD)].join("\n  ")
        );
    }

    fn of(text: &str, with_capitals: bool) -> Self {
        let mut list = Self::default();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut column = None;
        for (line, row) in text.split('\n').zip(1..) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.trim().is_empty() {
                continue;
            }
            if line.contains('\r') {
                list.bad.push(format!(
                    "row {row}: there is a carriage return in it; are these line ends of old Macs? Convert them: tr '\\r' '\\n'"
                ));
                continue;
            }
            let separator =
                [';', '\t', ','].into_iter().find(|separator| line.contains(*separator)).unwrap_or(',');
            let cells: Vec<String> = line.split(separator).map(cell).collect();
            let Some(column) = column else {
                let named = cells.iter().position(|cell| NAMES.contains(&plain(cell).as_str()));
                column = Some(named.unwrap_or(0));
                if named.is_none() {
                    list.take(&cells, 0, row, with_capitals, &mut seen);
                }
                continue;
            };
            list.take(&cells, column, row, with_capitals, &mut seen);
        }
        list
    }

    fn take(
        &mut self,
        cells: &[String],
        column: usize,
        row: usize,
        with_capitals: bool,
        seen: &mut HashMap<String, usize>,
    ) {
        let text = cells.get(column).map_or("", String::as_str);
        match registration_id(text, with_capitals) {
            Err(why) => self.bad.push(format!("row {row}: {why}")),
            Ok(id) => match seen.insert(text.to_ascii_lowercase(), row) {
                Some(first) => {
                    seen.insert(text.to_ascii_lowercase(), first);
                    self.bad.push(format!("row {row}: {text:?} stands in row {first} already"));
                }
                None => self.good.push(Serial { row, id: id.to_string() }),
            },
        }
    }
}

/// A cell without the blanks around it and its quotes.
fn cell(text: &str) -> String {
    let text = text.trim_matches([' ', '\t']);
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text).into()
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> (Vec<String>, Vec<String>) {
        let list = Serials::of(text, false);
        (list.good.into_iter().map(|serial| serial.id).collect(), list.bad)
    }

    #[test]
    fn lists_and_tables_of_all_systems_are_read() {
        for text in [
            "box-1\nbox-2",
            "box-1\r\n\r\nbox-2\r\n",
            "serial\nbox-1\nbox-2\n",
            "mac;Serial number;note\r\n00:11;box-1;x\r\n00:12;\"box-2\";\r\n",
            "box-1,x\nbox-2,y\n",
            " box-1 \nbox-2\t\n",
        ] {
            assert_eq!(ids(text), (vec!["box-1".into(), "box-2".into()], vec![]), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_row() {
        let (good, bad) = ids("box-1\nBad Name\nBOX-2\nbox-1\nbox/3\n..\n\rbox-4\n,x\n");
        assert_eq!(good, ["box-1"]);
        let told = [
            "row 2: \"Bad Name\"",
            "row 3: \"BOX-2\" has capitals",
            "row 4: \"box-1\" stands in row 1",
            "row 5: ",
            "row 6: ",
            "row 7: there is a carriage return",
            "row 8: a registration ID can't be empty",
        ];
        assert_eq!(bad.len(), told.len(), "{bad:?}");
        for (bad, told) in bad.iter().zip(told) {
            assert!(bad.starts_with(told), "{bad}");
        }
        assert_eq!(ids("box-1\rbox-2\r").1.len(), 1, "line ends of old Macs");
        assert_eq!(Serials::of("BOX-1\nbox-1", true).bad.len(), 1, "DPS does not tell them apart");
    }
}
