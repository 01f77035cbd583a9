//! What makes an SQLite file a history: its tables, its version, its settings, and how to tell one that can't be used.
//!
//! Readings are in segments of up to 256 of one device, a row each (`segment.rs`). Against a row a reading, the file of a year of
//! 1,000 containers takes a third, and a second of 1,000 readings a tenth of the pages that are written. What is full is
//! rolled up once (`rollup.rs`); `rolled` says into what: 0 nothing, 1 six hours, 2 ten minutes and six hours. Where readings are
//! farther apart than minutes, buckets of ten minutes would be larger than they are.

use rusqlite::{Connection, ErrorCode};

/// "CTH1".
pub(super) const APPLICATION_ID: i64 = 0x4354_4831;
pub(super) const VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE device (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        fields INTEGER NOT NULL,
        first INTEGER,
        last INTEGER,
        -- Readings before are gone, and only what was rolled up is left.
        raw_since INTEGER NOT NULL,
        state TEXT
    );
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY,
        end INTEGER NOT NULL,
        covers INTEGER NOT NULL,
        count INTEGER NOT NULL,
        rolled INTEGER NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX segment_by_rolled ON segment (rolled, id);
    CREATE INDEX segment_by_end ON segment (end);
    CREATE TABLE fine (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE coarse (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE story (
        id INTEGER PRIMARY KEY,
        device INTEGER NOT NULL,
        time INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        entry TEXT NOT NULL
    );
    CREATE UNIQUE INDEX story_by_device ON story (device, time, digest);
    CREATE INDEX story_by_time ON story (time, id);
    CREATE TABLE span (
        device INTEGER NOT NULL,
        name TEXT NOT NULL,
        begin INTEGER NOT NULL,
        end INTEGER,
        told INTEGER NOT NULL,
        critical INTEGER NOT NULL,
        extreme REAL,
        bound REAL,
        field TEXT,
        PRIMARY KEY (device, name, begin)
    ) WITHOUT ROWID;
    CREATE TABLE trip (
        device INTEGER NOT NULL,
        time INTEGER NOT NULL,
        digest INTEGER NOT NULL,
        report TEXT NOT NULL,
        PRIMARY KEY (device, time, digest)
    ) WITHOUT ROWID;
";

/// Why there is no file to work with.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The disk does not take one now.
    Disk(String),
    /// The file is not a history, damaged, or of a newer version.
    Unusable(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            Self::Unusable(error.to_string().replace('\n', " "))
        } else {
            Self::Disk(error.to_string())
        }
    }
}

/// Whether an error means that the file itself is damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Makes the file ready to work with. It is not looked through, which would take seconds for a large one: damage is found by who
/// comes upon it.
pub(super) fn prepare(connection: &Connection, is_temporary: bool) -> Result<(), OpenError> {
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
    // Nobody else may write to it; that is seen to by a lock of our own, which can say who has it. Others may read.
    connection.pragma_update(None, "page_size", 4096)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // With NORMAL a power cut takes the last seconds and damages nothing: the devices' journals have a better right to the
    // disk's patience. What goes with the process needs not even that.
    connection.pragma_update(None, "synchronous", if is_temporary { "OFF" } else { "NORMAL" })?;
    connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
    connection.pragma_update(None, "journal_size_limit", 8 * 1024 * 1024)?;
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.set_prepared_statement_cache_capacity(32);
    if tables == 0 {
        connection.execute_batch(&format!(
            "BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    for table in ["device", "segment", "fine", "coarse", "story", "span", "trip"] {
        let select = format!("SELECT count(*) FROM (SELECT * FROM {table} LIMIT 1)");
        // What is missing is SQL's word for it; a disk that fails has words of its own.
        match connection.query_row(&select, [], |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => {
                return Err(OpenError::Unusable(error.to_string()));
            }
            result => result?,
        }
    }
    Ok(())
}

/// Bytes that the file's used part has.
pub(super) fn used_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
    Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
}
