use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::row::Row;

const FILE: &str = "journal.db";
/// "CTR1".
const APPLICATION_ID: i64 = 0x4354_5231;
const VERSION: i64 = 1;
/// Released when the disk is full, so that SQLite has room to delete.
const SPARE_FILE: &str = "journal.spare";
const SPARE_BYTES: usize = 256 * 1024;
/// Rows looked at in one step of thinning; half of them go.
const THINNED_AT_ONCE: u64 = 512;

const SCHEMA: &str = "
    CREATE TABLE boot (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, offset_ms INTEGER);
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE reading (
        seq INTEGER PRIMARY KEY,
        start INTEGER NOT NULL,
        boot INTEGER NOT NULL REFERENCES boot (id),
        monotonic_ms INTEGER NOT NULL,
        utc_ms INTEGER,
        payload BLOB NOT NULL
    );
";

/// The journal's file.
pub(super) struct Disk {
    connection: Connection,
    boot: i64,
    spare: PathBuf,
}

/// Why there is no file to work with.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The disk does not take one now.
    Disk(rusqlite::Error),
    /// The file is not a journal, damaged, or of a newer version.
    Unusable(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Unusable(error.to_string()),
            _ => Self::Disk(error),
        }
    }
}

/// Whether an error means that the file itself is damaged.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

impl Disk {
    /// Opens or makes the file; `boot` names this boot.
    pub(super) fn open(directory: &Path, boot: &str) -> Result<Self, OpenError> {
        let connection = Connection::open(directory.join(FILE))?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
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
        // Small pages: one reading changes one or two of them.
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
        } else {
            let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(OpenError::Unusable(verdict));
            }
        }
        connection.execute("INSERT OR IGNORE INTO boot (name) VALUES (?1)", [boot])?;
        // Boots without readings tell nothing any more.
        connection.execute(
            "DELETE FROM boot WHERE name <> ?1 AND id NOT IN (SELECT DISTINCT boot FROM reading)",
            [boot],
        )?;
        let boot = connection.query_row("SELECT id FROM boot WHERE name = ?1", [boot], |row| row.get(0))?;
        let disk = Self { connection, boot, spare: directory.join(SPARE_FILE) };
        disk.reserve_spare();
        Ok(disk)
    }

    /// Moves the file, and what belongs to it, to a name that no file has; gives that name.
    pub(super) fn set_aside(directory: &Path) -> std::io::Result<PathBuf> {
        let aside = (1..10_000)
            .map(|n| directory.join(format!("{FILE}.bad-{n}")))
            .find(|path| !path.exists())
            .ok_or_else(|| std::io::Error::other("too many journals were set aside already"))?;
        fs::rename(directory.join(FILE), &aside)?;
        for suffix in ["-wal", "-shm"] {
            let companion = directory.join(format!("{FILE}{suffix}"));
            if companion.exists() {
                let mut target = aside.clone().into_os_string();
                target.push(suffix);
                fs::rename(companion, target)?;
            }
        }
        Ok(aside)
    }

    /// Inserts `rows` and deletes `gone` in one transaction; durable when it returns.
    pub(super) fn append<'a>(
        &mut self,
        rows: impl IntoIterator<Item = &'a Row>,
        gone: impl IntoIterator<Item = &'a u64>,
    ) -> rusqlite::Result<()> {
        let boot = self.boot;
        let transaction = self.connection.transaction()?;
        {
            let mut delete = transaction.prepare_cached("DELETE FROM reading WHERE seq = ?1")?;
            for seq in gone {
                delete.execute([seq])?;
            }
            let mut insert = transaction.prepare_cached(
                "INSERT INTO reading (seq, start, boot, monotonic_ms, utc_ms, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for row in rows {
                let boot = row.boot.unwrap_or(boot);
                insert.execute(params![
                    row.seq,
                    row.start,
                    boot,
                    row.monotonic_ms,
                    row.utc_ms,
                    row.payload
                ])?;
            }
        }
        transaction.commit()
    }

    /// Up to `limit` rows after `seq`, oldest first, each with the offset of its boot.
    pub(super) fn after(&self, seq: u64, limit: usize) -> rusqlite::Result<Vec<(Row, Option<i64>)>> {
        let mut query = self.connection.prepare_cached(
            "SELECT seq, start, boot, monotonic_ms, utc_ms, payload, offset_ms
             FROM reading JOIN boot ON boot.id = reading.boot WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        query.query_map(params![seq, limit], with_offset)?.collect()
    }

    /// The row with the highest number.
    pub(super) fn newest(&self) -> rusqlite::Result<Option<(Row, Option<i64>)>> {
        let mut query = self.connection.prepare_cached(
            "SELECT seq, start, boot, monotonic_ms, utc_ms, payload, offset_ms
             FROM reading JOIN boot ON boot.id = reading.boot ORDER BY seq DESC LIMIT 1",
        )?;
        query.query_row([], with_offset).optional()
    }

    pub(super) fn count(&self) -> rusqlite::Result<u64> {
        self.connection.query_row("SELECT count(*) FROM reading", [], |row| row.get(0))
    }

    /// Notes what UTC less monotonic time is in this boot.
    pub(super) fn set_offset(&self, offset_ms: i64) -> rusqlite::Result<()> {
        let mut update = self.connection.prepare_cached("UPDATE boot SET offset_ms = ?1 WHERE id = ?2")?;
        update.execute([offset_ms, self.boot]).map(|_| ())
    }

    /// Raises the numbers from `first` on by `by`.
    pub(super) fn renumber(&mut self, first: u64, by: u64) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        // Through negative numbers, so that no raised one meets one still to be raised.
        transaction.execute("UPDATE reading SET seq = -(seq + ?2) WHERE seq >= ?1", [first, by])?;
        transaction.execute("UPDATE reading SET seq = -seq WHERE seq < 0", [])?;
        transaction.commit()
    }

    /// Size of the file's used part, in bytes.
    pub(super) fn used_bytes(&self) -> rusqlite::Result<u64> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
        Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
    }

    /// Makes the older half of the history coarser by one step: every second of some rows goes, except those `kept`.
    /// Gives the numbers that went. The steps move from the oldest row to the middle and begin anew.
    pub(super) fn thin(&mut self, kept: impl Fn(u64) -> bool) -> rusqlite::Result<Vec<u64>> {
        let transaction = self.connection.transaction()?;
        let gone = {
            let counter = "SELECT value FROM counter WHERE name = 'thinning_at'";
            let at: u64 = transaction.query_row(counter, [], |row| row.get(0)).optional()?.unwrap_or(0);
            let middle: Option<u64> = transaction
                .query_row(
                    "SELECT seq FROM reading ORDER BY seq LIMIT 1 OFFSET (SELECT count(*) / 2 FROM reading)",
                    [],
                    |row| row.get(0),
                )
                .optional()?;
            let middle = middle.unwrap_or(0);
            let mut query = transaction.prepare_cached(
                "SELECT seq FROM reading WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3",
            )?;
            let mut rows = |from: u64| -> rusqlite::Result<Vec<u64>> {
                query.query_map([from, middle, THINNED_AT_ONCE], |row| row.get(0))?.collect()
            };
            let mut window = rows(at)?;
            if window.len() < 2 {
                window = rows(0)?;
            }
            let gone: Vec<u64> =
                window.iter().skip(1).step_by(2).copied().filter(|seq| !kept(*seq)).collect();
            let mut delete = transaction.prepare_cached("DELETE FROM reading WHERE seq = ?1")?;
            for seq in &gone {
                delete.execute([seq])?;
            }
            let mut store = transaction.prepare_cached(
                "INSERT INTO counter (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = CASE name WHEN 'thinned' THEN value ELSE 0 END + ?2",
            )?;
            store.execute(params!["thinning_at", window.last().copied().unwrap_or(0)])?;
            store.execute(params!["thinned", gone.len()])?;
            gone
        };
        transaction.commit()?;
        Ok(gone)
    }

    /// Readings thinned, ever.
    pub(super) fn thinned(&self) -> rusqlite::Result<u64> {
        let query = "SELECT value FROM counter WHERE name = 'thinned'";
        Ok(self.connection.query_row(query, [], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// Leaves the file without a WAL.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Gives the disk room to delete in. Whether it did anything.
    pub(super) fn release_spare(&self) -> bool {
        fs::remove_file(&self.spare).is_ok()
    }

    /// Takes the room back for the next time; without room there is none to keep.
    pub(super) fn reserve_spare(&self) {
        if self.spare.exists() {
            return;
        }
        let write = |mut file: File| file.write_all(&[0; SPARE_BYTES]);
        let result = OpenOptions::new().write(true).create_new(true).open(&self.spare).and_then(write);
        if result.is_err() {
            let _ = fs::remove_file(&self.spare);
        }
    }
}

fn with_offset(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Row, Option<i64>)> {
    let stored = Row {
        seq: row.get(0)?,
        start: row.get(1)?,
        boot: Some(row.get(2)?),
        monotonic_ms: row.get(3)?,
        utc_ms: row.get(4)?,
        payload: row.get(5)?,
    };
    Ok((stored, row.get(6)?))
}
