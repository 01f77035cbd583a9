//! A look at a journal from outside, which changes nothing, also while an agent works with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags};

use super::row::{NUMBERS_FROM_MS, PROVISIONAL};
use super::storage::disk::keep_log;
use super::storage::file_system::OsFileSystem;
use super::storage::files::{FILE, what_is_no_file};
use super::storage::notes;
use super::storage::schema::{damage, keep_for_oneself, lacks_shared_memory};
use super::storage::unreadable;

/// So long another program's turn is waited for.
const BUSY: Duration = Duration::from_secs(2);

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// SQLite's own verdict on the file; `None` when all is well.
    pub damage: Option<String>,
    /// Readings that the hub has not acknowledged.
    pub backlog: u64,
    /// Those of them that can't be read, in words, where there are any: the agent puts them aside.
    pub unreadable: Option<String>,
    /// Rows that could not be read, which the agent has put aside.
    pub put_aside: u64,
    /// When the oldest reading that waits was taken, where that is known.
    pub oldest: Option<DateTime<Utc>>,
    /// Bytes of the file and of what belongs to it.
    pub bytes: u64,
    /// Journals that could not be used and were set aside.
    pub set_aside: Vec<PathBuf>,
}

/// A time that has passed for certain, by the newest number that the journal in `directory` has given: numbers begin at
/// the milliseconds since 2026-01-01 and fall behind the time. `None` when there is none, or it can't be read.
pub fn newest_time(directory: &Path) -> Option<DateTime<Utc>> {
    let path = directory.join(FILE);
    // Opening a FIFO would wait for ever.
    if what_is_no_file(&OsFileSystem, directory).is_some() {
        return None;
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let query = "SELECT max(n) FROM (SELECT max(seq) AS n FROM reading WHERE seq < ?1 UNION ALL \
                 SELECT max(value) FROM counter WHERE name = 'last_seq' AND value < ?1)";
    let newest: Option<u64> = connection.query_row(query, [PROVISIONAL], |row| row.get(0)).ok()?;
    DateTime::from_timestamp_millis(NUMBERS_FROM_MS.checked_add_unsigned(newest?)?)
}

/// Whether the journal in `directory` has a chain of evidence, or a trip. False where it can't be read.
pub fn has_evidence(directory: &Path) -> bool {
    if what_is_no_file(&OsFileSystem, directory).is_some() {
        return false;
    }
    let connection = Connection::open_with_flags(directory.join(FILE), OpenFlags::SQLITE_OPEN_READ_ONLY);
    connection.and_then(|connection| notes::kept(&connection)).is_ok_and(|notes| !notes.is_empty())
}

/// Looks at the journal in `directory`; `None` when there is none.
pub fn inspect(directory: &Path) -> rusqlite::Result<Option<Inspection>> {
    let path = directory.join(FILE);
    let size = |suffix: &str| {
        let path = directory.join(format!("{FILE}{suffix}"));
        std::fs::metadata(path).map_or(0, |metadata| metadata.len())
    };
    if !path.exists() {
        return Ok(None);
    }
    if let Some((_, what)) = what_is_no_file(&OsFileSystem, directory) {
        return Ok(Some(Inspection { damage: Some(what), ..Inspection::default() }));
    }
    let mut connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY)?;
    if let Err(error) = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        && lacks_shared_memory(&error)
    {
        // Whoever is alone must be able to write, and writes nothing.
        connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY)?;
        keep_log(&connection, true);
        keep_for_oneself(&connection)?;
    }
    let damage = damage(&connection)?;
    let times = "SELECT count(*), min(CASE WHEN typeof(utc_ms) = 'integer' THEN utc_ms END) FROM reading";
    let (backlog, oldest) =
        connection.query_row(times, [], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, Option<i64>>(1)?)))?;
    // What is damaged as a whole tells nothing of its rows.
    let unreadable = if damage.is_none() { unreadable::find(&connection)? } else { None };
    let aside = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("journal.db.")
            && !["-wal", "-shm", "-journal"].iter().any(|suffix| name.ends_with(suffix))
    };
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    Ok(Some(Inspection {
        damage,
        backlog,
        unreadable: unreadable.map(|found| found.to_string()),
        put_aside: unreadable::count(&connection)?,
        oldest: oldest.and_then(DateTime::from_timestamp_millis),
        bytes: size("") + size("-wal"),
        set_aside: files.map(|entry| entry.path()).filter(aside).collect(),
    }))
}
