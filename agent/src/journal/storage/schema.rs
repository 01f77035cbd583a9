//! What makes an SQLite file a journal: its tables, its version, its settings, and how to tell one that can't be used.

use std::time::Duration;

use rusqlite::ffi::{SQLITE_IOERR_SHMLOCK, SQLITE_IOERR_SHMMAP, SQLITE_IOERR_SHMOPEN, SQLITE_IOERR_SHMSIZE};
use rusqlite::{Connection, ErrorCode};

use crate::journal::row::PROVISIONAL;

/// "CTR1".
const APPLICATION_ID: i64 = 0x4354_5231;
const VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE boot (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, offset_ms INTEGER);
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE reading (
        seq INTEGER PRIMARY KEY,
        start INTEGER NOT NULL,
        boot INTEGER NOT NULL REFERENCES boot (id),
        monotonic_ms INTEGER NOT NULL,
        utc_ms INTEGER,
        stands_for INTEGER NOT NULL,
        payload BLOB NOT NULL
    );
";
/// The columns of a reading, in the order in which rows are read and written.
pub(crate) const COLUMNS: &str = "seq, start, boot, monotonic_ms, utc_ms, stands_for, payload";

/// Why there is no file to work with.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The disk does not take one now.
    Disk(String),
    /// The file system has no memory that programs could share; whoever is alone needs none.
    NoSharedMemory(String),
    /// The file is not a journal, damaged, or of a newer version.
    Unusable(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            Self::Unusable(error.to_string())
        } else if lacks_shared_memory(&error) {
            Self::NoSharedMemory(error.to_string())
        } else {
            Self::Disk(error.to_string())
        }
    }
}

/// Whether an error means that the file itself is damaged.
pub(crate) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Whether an error means that there is no shared memory, as on some network shares, on 9p and on FUSE.
pub(crate) fn lacks_shared_memory(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(
        code,
        Some(SQLITE_IOERR_SHMOPEN | SQLITE_IOERR_SHMSIZE | SQLITE_IOERR_SHMLOCK | SQLITE_IOERR_SHMMAP)
    )
}

/// Has the file for oneself alone: nobody else can look into it meanwhile.
pub(crate) fn keep_for_oneself(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")
}

/// Makes the file ready to work with. Gives the row of this boot, and how many readings there are.
pub(crate) fn prepare(connection: &Connection, boot: &str) -> Result<(i64, u64), OpenError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(OpenError::Unusable("it is another program's database".into()));
    }
    if version > VERSION {
        return Err(OpenError::Unusable(format!(
            "it is of version {version}, and this program knows {VERSION}"
        )));
    }
    // Looked at before anything is written: a file that is set aside stays as it was.
    if tables > 0 {
        check(connection)?;
    }
    // A reading changes one or two pages, and small ones wear the card less; the module docs have the figures.
    connection.pragma_update(None, "page_size", 1024)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 512)?;
    connection.pragma_update(None, "journal_size_limit", 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -256)?;
    if tables == 0 {
        connection.execute_batch(&format!(
            "BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    forget_nonsense(connection)?;
    connection.execute("INSERT OR IGNORE INTO boot (name) VALUES (?1)", [boot])?;
    // Boots without readings tell nothing any more.
    connection.execute(
        "DELETE FROM boot WHERE name <> ?1 AND id NOT IN (SELECT DISTINCT boot FROM reading)",
        [boot],
    )?;
    let boot = connection.query_row("SELECT id FROM boot WHERE name = ?1", [boot], |row| row.get(0))?;
    let rows = connection.query_row("SELECT count(*) FROM reading", [], |row| row.get(0))?;
    Ok((boot, rows))
}

/// SQLite's verdict on the file, if it is a bad one. A value that its column doesn't take is damage of one row.
pub(crate) fn damage(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut query = connection.prepare("PRAGMA quick_check")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let verdict: String = row.get(0)?;
        if verdict != "ok" && !verdict.contains(" value in reading.") {
            return Ok(Some(verdict));
        }
    }
    Ok(None)
}

/// Whether the file is whole and has the tables it should have.
fn check(connection: &Connection) -> Result<(), OpenError> {
    if let Some(damage) = damage(connection)? {
        return Err(OpenError::Unusable(damage));
    }
    let queries = [
        format!("SELECT {COLUMNS} FROM reading LIMIT 0"),
        "SELECT id, name, offset_ms FROM boot LIMIT 0".into(),
        "SELECT name, value FROM counter LIMIT 0".into(),
    ];
    for query in queries {
        // What is missing is SQL's word for it; a disk that fails has words of its own.
        match connection.prepare(&query) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => {
                return Err(OpenError::Unusable(error.to_string()));
            }
            result => result.map(|_| ())?,
        }
    }
    Ok(())
}

/// Forgets numbers and offsets that are none: the numbers of readings go on by the time, and times stay unknown.
fn forget_nonsense(connection: &Connection) -> rusqlite::Result<()> {
    let counters = "DELETE FROM counter WHERE typeof(value) <> 'integer' OR value < 0 OR value >= ?1";
    connection.execute(counters, [PROVISIONAL])?;
    let offsets =
        "UPDATE boot SET offset_ms = NULL WHERE typeof(offset_ms) <> 'integer' AND offset_ms IS NOT NULL";
    connection.execute(offsets, []).map(|_| ())
}

/// Gives readings whose boot is not known one that has no time; they have their own, or none.
pub(crate) fn give_boots(connection: &Connection) -> rusqlite::Result<()> {
    let homeless = "SELECT count(*) FROM reading WHERE boot NOT IN (SELECT id FROM boot)";
    if connection.query_row(homeless, [], |row| row.get::<_, u64>(0))? > 0 {
        let give = "UPDATE reading SET boot = ?1 WHERE boot NOT IN (SELECT id FROM boot)";
        connection.execute(give, [unknown_boot(connection)?])?;
    }
    Ok(())
}

/// The row of a boot that nothing is known of.
pub(crate) fn unknown_boot(connection: &Connection) -> rusqlite::Result<i64> {
    let make = "INSERT INTO boot (name) VALUES ('unknown') ON CONFLICT (name) DO UPDATE SET offset_ms = NULL RETURNING id";
    connection.query_row(make, [], |row| row.get(0))
}
