//! Saves the readings of a file that is gone from its name, and still open, into the one that has its name now.

use std::collections::BTreeMap;

use rusqlite::params;

use super::disk::Disk;
use super::schema::{COLUMNS, unknown_boot};
use super::unreadable::stored;
use crate::journal::row::Row;

/// Rows copied in one transaction.
const AT_ONCE: u64 = 128;

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Adopted {
    /// Readings that are in the new file.
    pub(crate) saved: u64,
    /// Readings that could not be got out of the old one.
    pub(crate) lost: u64,
}

/// Copies everything from `old` to `new`. An error is one of the new file; done again, this goes on.
pub(crate) fn adopt(old: &mut Disk, new: &mut Disk) -> rusqlite::Result<Adopted> {
    let mut adopted = Adopted::default();
    let boots = adopt_boots(old, new)?;
    let unknown = unknown_boot(new.connection())?;
    let mut after = -1;
    // Where the old file can't be read any more, what is left of it is lost.
    while let Ok(mut rows) = rows_after(old, after) {
        let Some(last) = rows.last() else { break };
        after = last.seq as i64;
        for row in &mut rows {
            row.boot = row.boot.map(|boot| boots.get(&boot).copied().unwrap_or(unknown));
        }
        adopted.saved += rows.len() as u64;
        new.adopt(&mut rows, &[], &[])?;
    }
    adopted.lost = old.rows().saturating_sub(adopted.saved);
    Ok(adopted)
}

fn rows_after(old: &mut Disk, after: i64) -> rusqlite::Result<Vec<Row>> {
    old.read(|disk| {
        let query = format!("SELECT {COLUMNS} FROM reading WHERE seq > ?1 ORDER BY seq LIMIT ?2");
        disk.connection().prepare_cached(&query)?.query_map(params![after, AT_ONCE], stored)?.collect()
    })
}

/// Gives the boots of the old file by their rows there, each with its row in the new one; and what was thinned.
fn adopt_boots(old: &Disk, new: &Disk) -> rusqlite::Result<BTreeMap<i64, i64>> {
    let mut boots = BTreeMap::new();
    let read = || -> rusqlite::Result<Vec<(i64, String, Option<i64>)>> {
        let mut query = old.connection().prepare("SELECT id, name, offset_ms FROM boot")?;
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    };
    for (id, name, offset_ms) in read().unwrap_or_default() {
        let adopt = "INSERT INTO boot (name, offset_ms) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET offset_ms = coalesce(offset_ms, excluded.offset_ms)
                     RETURNING id";
        let here = new.connection().query_row(adopt, params![name, offset_ms], |row| row.get(0))?;
        boots.insert(id, here);
    }
    let thinned = old.thinned().unwrap_or(0);
    if thinned > 0 {
        let note = "INSERT INTO counter (name, value) VALUES ('thinned', ?1)
                    ON CONFLICT (name) DO UPDATE SET value = max(value, ?1)";
        new.connection().execute(note, [thinned])?;
    }
    Ok(boots)
}
