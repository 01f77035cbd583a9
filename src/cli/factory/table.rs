//! What came of each box: `factory.csv`, a row a box, in which a box that is tried again has its newest result.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tracker_protocol::printable;

use crate::cli::pki::place::{Access, put};
use crate::cli::pki::serials::Serial;
use crate::platform::clock::system_time;
use crate::platform::plain_file;

const HEADER: &str = "id,result,step,hub,deviceId,thumbprint,notAfter,seconds,at,row,why";
const COLUMNS: usize = 11;
const GOOD: &str = "good";
const BAD: &str = "bad";
const LARGEST: u64 = 256 * 1024 * 1024;

/// The result of a box.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) id: String,
    /// Which step went wrong; empty if none did.
    pub(super) step: &'static str,
    pub(super) hub: String,
    pub(super) device_id: String,
    pub(super) thumbprint: String,
    pub(super) not_after: String,
    pub(super) seconds: u64,
    /// The row of the list.
    pub(super) row: usize,
    pub(super) why: String,
}

impl Row {
    pub(super) fn new(serial: &Serial) -> Self {
        Self { id: serial.id.clone(), row: serial.row, step: "request", ..Self::default() }
    }

    pub(super) fn is_green(&self) -> bool {
        self.step.is_empty()
    }

    fn line(&self) -> String {
        let result = if self.is_green() { GOOD } else { BAD };
        let at = system_time().format("%Y-%m-%dT%H:%M:%SZ");
        let Self { id, step, hub, device_id, thumbprint, not_after, seconds, row, why } = self;
        let (hub, device_id, why) = (cell(hub), cell(device_id), cell(why));
        format!("{id},{result},{step},{hub},{device_id},{thumbprint},{not_after},{seconds},{at},{row},{why}")
    }
}

/// A text of others, as a cell: one line, quoted where it must be, and no formula for a spreadsheet.
fn cell(text: &str) -> String {
    let mut text = printable(text);
    if text.starts_with(['=', '+', '-', '@']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"', ';']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// All results, while nobody else writes them.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    _lock: File,
    /// In the order of the file.
    lines: Vec<String>,
    /// Where the line of a box is, and whether it is good.
    boxes: HashMap<String, (usize, bool)>,
}

impl Table {
    /// Reads what an earlier run has left; half a row at the end is none.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let reading = || format!("can't read the table {}", path.display());
        plain_file::is_plain_or_missing(path).with_context(reading)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let lock_path = path.with_file_name(format!(".{name}.lock"));
        let lock = OpenOptions::new().create(true).append(true).open(&lock_path);
        let lock = lock.with_context(|| format!("can't write beside the table {}", path.display()))?;
        if let Err(TryLockError::WouldBlock) = plain_file::lock(&lock) {
            bail!("another program writes {} now; wait for its end", path.display());
        }
        let mut table = Self { path: path.into(), _lock: lock, lines: Vec::new(), boxes: HashMap::new() };
        if !path.exists() {
            put(path, format!("{HEADER}\n").as_bytes(), Access::Public)?;
            return Ok(table);
        }
        let text = plain_file::read_text(path, LARGEST).with_context(reading)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for (line, number) in whole.lines().zip(1..) {
            if number == 1 && line == HEADER {
                continue;
            }
            let mut cells = line.splitn(COLUMNS, ',');
            let (id, result) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
            if number == 1 || !matches!(result, GOOD | BAD) || cells.count() != COLUMNS - 2 {
                bail!(
                    "row {number} of {} is not as this program writes it; choose another table (--out), or put it right",
                    path.display()
                );
            }
            table.know(id.into(), line.into(), result == GOOD);
        }
        if whole.len() + 1 != text.len() {
            table.write_all()?;
        }
        Ok(table)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_green(&self, id: &str) -> bool {
        self.boxes.get(id).is_some_and(|(_, is_green)| *is_green)
    }

    /// Keeps a result.
    pub(super) fn put(&mut self, row: Row) -> anyhow::Result<()> {
        let line = row.line();
        let is_new = !self.boxes.contains_key(&row.id);
        let is_green = row.is_green();
        self.know(row.id, line.clone(), is_green);
        if !is_new {
            return self.write_all();
        }
        let appended = OpenOptions::new().append(true).open(&self.path).and_then(|mut file| {
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_all()
        });
        appended.with_context(|| format!("can't write to {}", self.path.display()))
    }

    fn know(&mut self, id: String, line: String, is_green: bool) {
        match self.boxes.get_mut(&id) {
            Some((index, known)) => {
                *known = is_green;
                self.lines[*index] = line;
            }
            None => {
                self.boxes.insert(id, (self.lines.len(), is_green));
                self.lines.push(line);
            }
        }
    }

    fn write_all(&self) -> anyhow::Result<()> {
        let lines: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        put(&self.path, format!("{HEADER}\n{lines}").as_bytes(), Access::Public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_a_box_whatever_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("factory.csv");
        let serial = |id: &str| Serial { row: 7, id: id.into() };
        let mut table = Table::open(&path).unwrap();
        table.put(Row { why: "=1,\"x\"\n".into(), ..Row::new(&serial("box-1")) }).unwrap();
        table.put(Row { step: "", ..Row::new(&serial("box-2")) }).unwrap();
        assert!(Table::open(&path).unwrap_err().to_string().contains("another program"));
        drop(table);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"box-3,good,la").unwrap();
        let mut table = Table::open(&path).unwrap();
        assert_eq!(["box-1", "box-2", "box-3"].map(|id| table.is_green(id)), [false, true, false]);
        table.put(Row { step: "", ..Row::new(&serial("box-1")) }).unwrap();
        drop(table);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(Table::open(&path).unwrap().is_green("box-1"));
    }
}
