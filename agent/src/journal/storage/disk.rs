//! The journal's file: what is read from it, and what is written to it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use super::file_system::FileSystem;
use super::files::FILE;
use super::kept_states;
use super::notes;
use super::place::{Displaced, Place};
use super::schema::{COLUMNS, OpenError, give_boots, keep_for_oneself, prepare, unknown_boot};
use super::spare::Spare;
use super::unreadable::{self, Unreadable, stored};
use crate::journal::ledger::{Ledger, Note};
use crate::journal::rechain::{begins, rechain, runs};
use crate::journal::row::{BEFORE_HASH, EVENT, HASH_LENGTH, PROVISIONAL, Row, TURN, UNKNOWN_BOOT};
use crate::journal::thinning::{coarsen, coarseness};
use tracker_evidence::Run;

/// Rows looked at in one step of thinning.
const WINDOW: u64 = 512;
/// Rows numbered in one transaction: it must be small enough for a nearly full disk.
const NUMBERED_AT_ONCE: u64 = 128;

/// A row, and the offset of its boot.
pub(crate) type Stored = (Row, Option<i64>);

/// The journal's file.
pub(crate) struct Disk {
    connection: Connection,
    boot: i64,
    rows: u64,
    /// No reading has a higher final number.
    highest: u64,
    spare: Spare,
    place: Place,
    sweep: Option<Sweep>,
    /// Rows put aside that nobody has been told of.
    unreadable: Option<Unreadable>,
}

/// A sweep of thinning that is under way.
struct Sweep {
    /// Rows up to here are done.
    at: u64,
    /// Rows from here on are of the newer half.
    end: u64,
    coarseness: u32,
}

fn is_full(error: &rusqlite::Error) -> bool {
    // A WAL that can't grow is an I/O error, a file that can't is "full".
    matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure))
}

impl Disk {
    /// Opens or makes the file; `boot` names this boot.
    pub(crate) fn open(files: &Arc<dyn FileSystem>, directory: &Path, boot: &str) -> Result<Self, OpenError> {
        let spare = Spare::new(files.clone(), directory);
        let vfs = files.vfs();
        let mut opened = connect(directory, vfs, boot, false);
        let alone = matches!(opened, Err(OpenError::NoSharedMemory(_)));
        if alone {
            opened = connect(directory, vfs, boot, true);
        }
        if let Err(OpenError::Disk(_)) = &opened
            && spare.release()
        {
            opened = connect(directory, vfs, boot, alone);
        }
        let (connection, boot, rows) = opened?;
        let place = Place::new(files.clone(), directory);
        let mut disk =
            Self { connection, boot, rows, highest: 0, spare, place, sweep: None, unreadable: None };
        disk.put_unreadable_aside()?;
        disk.with_spare(|disk| give_boots(&disk.connection))?;
        disk.highest = disk.last_stored()?.unwrap_or(0);
        keep_log(&disk.connection, false);
        disk.spare.reserve();
        Ok(disk)
    }

    /// Inserts `rows`, deletes `gone`, notes that numbers up to `given` are not free any more, and keeps `states`, and `notes` of
    /// the ledger, in one transaction; durable when it returns.
    pub(crate) fn append<'a>(
        &mut self,
        rows: &(impl Iterator<Item = &'a Row> + Clone),
        gone: &BTreeSet<u64>,
        given: u64,
        states: &[(&str, &str)],
        notes: &[Note],
    ) -> rusqlite::Result<()> {
        self.with_spare(|disk| disk.try_append(rows.clone(), gone, given, states, notes))
    }

    fn try_append<'a>(
        &mut self,
        rows: impl Iterator<Item = &'a Row>,
        gone: &BTreeSet<u64>,
        given: u64,
        states: &[(&str, &str)],
        notes: &[Note],
    ) -> rusqlite::Result<()> {
        let boot = self.boot;
        let transaction = self.connection.transaction()?;
        let (mut inserted, mut deleted, mut highest) = (0, 0, 0);
        {
            let mut delete = transaction.prepare_cached("DELETE FROM reading WHERE seq = ?1")?;
            for seq in gone {
                deleted += delete.execute([seq])? as u64;
            }
            let mut insert = prepare_insert(&transaction, "INSERT")?;
            for row in rows {
                insert_row(&mut insert, row, boot)?;
                inserted += 1;
                if row.seq < PROVISIONAL {
                    highest = row.seq;
                }
            }
            // The highest number ever given outlives its reading.
            let given = gone.last().map_or(given, |last| given.max(*last));
            if given > highest {
                transaction
                    .prepare_cached(
                        "INSERT INTO counter (name, value) VALUES ('last_seq', ?1)
                         ON CONFLICT (name) DO UPDATE SET value = max(value, ?1)",
                    )?
                    .execute([given])?;
            }
            kept_states::write(&transaction, states)?;
            notes::keep(&transaction, notes)?;
        }
        transaction.commit()?;
        self.rows = self.rows + inserted - deleted;
        self.highest = self.highest.max(highest);
        Ok(())
    }

    /// No reading has a higher final number than this.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether there is surely no row after `seq` that has its final number.
    pub(crate) fn has_none_after(&self, seq: u64) -> bool {
        seq >= self.highest
    }

    /// Up to `limit` rows after `seq` that have their final number, oldest first.
    pub(crate) fn after(&mut self, seq: u64, limit: usize) -> rusqlite::Result<Vec<Stored>> {
        if self.has_none_after(seq) {
            return Ok(Vec::new());
        }
        self.read(|disk| {
            let mut query = disk.connection.prepare_cached(&format!(
                "SELECT {COLUMNS}, offset_ms FROM reading LEFT JOIN boot ON boot.id = reading.boot
                 WHERE seq > ?1 AND seq < {PROVISIONAL} ORDER BY seq LIMIT ?2"
            ))?;
            query.query_map(params![seq, limit], with_offset)?.collect()
        })
    }

    /// The row with the highest final number.
    pub(crate) fn newest(&mut self) -> rusqlite::Result<Option<Stored>> {
        self.read(|disk| {
            let mut query = disk.connection.prepare_cached(&format!(
                "SELECT {COLUMNS}, offset_ms FROM reading LEFT JOIN boot ON boot.id = reading.boot
                 WHERE seq < {PROVISIONAL} ORDER BY seq DESC LIMIT 1"
            ))?;
            query.query_row([], with_offset).optional()
        })
    }

    /// Reads rows. Where one can't be read it is put aside, and then the others are read.
    pub(crate) fn read<T>(&mut self, deed: impl Fn(&Self) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        match deed(self) {
            Err(error) if unreadable::is_of_row(&error) => {
                self.put_unreadable_aside()?;
                deed(self)
            }
            result => result,
        }
    }

    /// Looks at every row, and puts aside those that can't be read.
    pub(crate) fn put_unreadable_aside(&mut self) -> rusqlite::Result<()> {
        let found = self.with_spare(|disk| unreadable::put_aside(&mut disk.connection))?;
        if let Some(found) = found {
            self.rows = self.rows.saturating_sub(found.seqs.len() as u64);
            self.unreadable = Some(found);
        }
        Ok(())
    }

    /// Rows that were put aside since this was last asked.
    pub(crate) fn take_unreadable(&mut self) -> Option<Unreadable> {
        self.unreadable.take()
    }

    /// The highest final number of a reading.
    fn last_stored(&self) -> rusqlite::Result<Option<u64>> {
        let query = "SELECT max(seq) FROM reading WHERE seq < ?1";
        self.connection.query_row(query, [PROVISIONAL], |row| row.get(0))
    }

    /// The highest final number that the file knows of, and the highest provisional one.
    pub(crate) fn last_numbers(&self) -> rusqlite::Result<(Option<u64>, Option<u64>)> {
        let last = |sql: &str| self.connection.query_row(sql, [PROVISIONAL], |row| row.get(0));
        let stored = self.last_stored()?;
        let forgotten: Option<u64> =
            last("SELECT max(value) FROM counter WHERE name = 'last_seq' AND value < ?1")?;
        Ok((stored.max(forgotten), last("SELECT max(seq) FROM reading WHERE seq >= ?1")?))
    }

    /// Numbers of the first events, so many at the most.
    pub(crate) fn events(&self, limit: usize) -> rusqlite::Result<Vec<u64>> {
        let query = "SELECT seq FROM reading WHERE substr(payload, 1, ?1) = ?2 ORDER BY seq LIMIT ?3";
        let mut query = self.connection.prepare(query)?;
        query.query_map(params![EVENT.len(), EVENT, limit], |row| row.get(0))?.collect()
    }

    /// Whether an event waits for its final number that means something for the trip.
    pub(crate) fn has_turn(&self) -> rusqlite::Result<bool> {
        let query =
            "SELECT 1 FROM reading WHERE seq >= ?1 AND substr(payload, 1, ?2) = ?3 AND instr(payload, ?4)";
        self.connection.prepare(query)?.exists(params![PROVISIONAL, EVENT.len(), EVENT, TURN])
    }

    /// The row with this number, if it is there.
    pub(crate) fn at(&mut self, seq: u64) -> rusqlite::Result<Option<Stored>> {
        self.read(|disk| {
            let mut query = disk.connection.prepare_cached(&format!(
                "SELECT {COLUMNS}, offset_ms FROM reading LEFT JOIN boot ON boot.id = reading.boot WHERE seq = ?1"
            ))?;
            query.query_row([seq], with_offset).optional()
        })
    }

    /// Whether a row was taken in this boot.
    pub(crate) fn is_of_this_boot(&self, row: &Row) -> bool {
        row.boot == Some(self.boot)
    }

    /// How many readings there are.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether it has this very reading.
    pub(crate) fn holds(&self, row: &Row) -> rusqlite::Result<bool> {
        let mut query =
            self.connection.prepare_cached("SELECT 1 FROM reading WHERE seq = ?1 AND start = ?2")?;
        query.exists(params![row.seq, row.start])
    }

    /// Notes what UTC less monotonic time is in this boot.
    pub(crate) fn set_offset(&mut self, offset_ms: i64) -> rusqlite::Result<()> {
        self.with_spare(|disk| {
            let mut update =
                disk.connection.prepare_cached("UPDATE boot SET offset_ms = ?1 WHERE id = ?2")?;
            update.execute([offset_ms, disk.boot]).map(|_| ())
        })
    }

    /// Brings back the times of readings of this boot, from that monotonic time on, that ran ahead by so much. What is in the
    /// chain stays as it is.
    pub(crate) fn mend_times(&mut self, from_monotonic_ms: i64, ms: i64) -> rusqlite::Result<()> {
        self.with_spare(|disk| {
            let mend = "UPDATE reading SET utc_ms = utc_ms - ?1 WHERE boot = ?2 AND monotonic_ms >= ?3
                        AND substr(payload, ?4, ?5) <> ?6";
            let (at, length) = (-(HASH_LENGTH as i64), BEFORE_HASH.len());
            let hash = BEFORE_HASH.as_bytes();
            let done =
                disk.connection.execute(mend, params![ms, disk.boot, from_monotonic_ms, at, length, hash]);
            done.map(|_| ())
        })
    }

    /// Gives some provisional rows, oldest first, their final numbers, which are lower by `shift`; says how many. Where there is
    /// a chain, or a trip, each is sealed on the way; `offset` is that of this boot.
    pub(crate) fn number_some(
        &mut self,
        shift: u64,
        offset: Option<i64>,
        ledger: &mut Ledger,
    ) -> rusqlite::Result<usize> {
        if ledger.is_active() {
            return self.number_and_seal(shift, offset, ledger);
        }
        self.with_spare(|disk| {
            let transaction = disk.connection.transaction()?;
            let seqs: Vec<u64> = transaction
                .prepare_cached("SELECT seq FROM reading WHERE seq >= ?1 ORDER BY seq LIMIT ?2")?
                .query_map([PROVISIONAL, NUMBERED_AT_ONCE], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            {
                let mut update = transaction.prepare_cached("UPDATE reading SET seq = ?2 WHERE seq = ?1")?;
                for seq in &seqs {
                    update.execute([*seq, seq - shift])?;
                }
            }
            transaction.commit()?;
            disk.highest = disk.highest.max(seqs.last().map_or(0, |last| last - shift));
            Ok(seqs.len())
        })
    }

    fn number_and_seal(
        &mut self,
        shift: u64,
        offset: Option<i64>,
        ledger: &mut Ledger,
    ) -> rusqlite::Result<usize> {
        let rows: Vec<Stored> = self.read(|disk| {
            let mut query = disk.connection.prepare_cached(&format!(
                "SELECT {COLUMNS}, offset_ms FROM reading LEFT JOIN boot ON boot.id = reading.boot
                 WHERE seq >= ?1 ORDER BY seq LIMIT ?2"
            ))?;
            query.query_map([PROVISIONAL, NUMBERED_AT_ONCE], with_offset)?.collect()
        })?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mark = ledger.mark();
        let here = Some(self.boot);
        let seal = |(mut row, stored): Stored| {
            let provisional = row.seq;
            row.seq -= shift;
            // The file may not have been able to note what is known of this boot.
            let known = offset.filter(|_| row.boot == here).or(stored);
            ledger.seal(&mut row, known);
            (provisional, row)
        };
        let sealed: Vec<(u64, Row)> = rows.into_iter().map(seal).collect();
        let notes = ledger.notes(false);
        let written = self.with_spare(|disk| {
            let transaction = disk.connection.transaction()?;
            {
                let mut update = transaction.prepare_cached(
                    "UPDATE reading SET seq = ?2, utc_ms = ?3, payload = ?4 WHERE seq = ?1",
                )?;
                for (provisional, row) in &sealed {
                    update.execute(params![provisional, row.seq, row.utc_ms, row.payload])?;
                }
                notes::keep(&transaction, &notes)?;
            }
            transaction.commit()
        });
        match written {
            Ok(()) => ledger.noted(false),
            Err(_) => ledger.go_back(mark),
        }
        written?;
        self.highest = self.highest.max(sealed.last().map_or(0, |(_, row)| row.seq));
        Ok(sealed.len())
    }

    /// What was kept of the ledger.
    pub(crate) fn notes(&self) -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
        notes::kept(&self.connection)
    }

    /// Forgets what was kept of the ledger, and the hashes of readings.
    pub(crate) fn forget_evidence(&mut self) -> rusqlite::Result<()> {
        self.with_spare(|disk| {
            disk.connection.execute("DROP TABLE IF EXISTS evidence", [])?;
            let forget =
                "UPDATE reading SET payload = CAST(substr(payload, 1, length(payload) - ?1) || '}' AS BLOB)
                          WHERE substr(payload, -?1, ?2) = ?3";
            let hash = BEFORE_HASH.as_bytes();
            disk.connection.execute(forget, params![HASH_LENGTH, BEFORE_HASH.len(), hash])?;
            // Also from the pages that nothing is in any more.
            disk.connection.execute_batch("VACUUM")
        })
    }

    /// Size of the file's used part, in bytes.
    pub(crate) fn used_bytes(&self) -> rusqlite::Result<u64> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, u64>(0));
        Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
    }

    /// Takes thinning one step further, sparing rows that are `kept`, and maybe events; says how many went. Where runs of the chain
    /// become coarser by it, the row that `state` makes of that is kept with them.
    pub(crate) fn thin(
        &mut self,
        kept: impl Fn(u64) -> bool,
        spares_events: bool,
        state: impl FnOnce(u64, Vec<Run>) -> Option<Row>,
    ) -> rusqlite::Result<u64> {
        let mut sweep = match self.sweep.take() {
            Some(sweep) => sweep,
            None => self.begin_sweep()?,
        };
        let rows: Vec<Row> = self.read(|disk| {
            let mut query = disk.connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM reading WHERE seq > ?1 AND seq < ?2 ORDER BY seq LIMIT ?3"
            ))?;
            query.query_map([sweep.at, sweep.end, WINDOW], stored)?.collect()
        })?;
        let (Some(first), Some(last)) = (rows.first().map(|row| row.seq), rows.last().map(|row| row.seq))
        else {
            return Ok(0);
        };
        let before = rows.len();
        let chained = runs(&rows, &kept, spares_events);
        let kept = |seq| kept(seq) || begins(&chained, seq);
        let mut left = coarsen(rows, sweep.coarseness, kept, spares_events);
        let gone = (before - left.len()) as u64;
        if gone > 0 {
            let runs = rechain(&chained, &mut left);
            let stated = if runs.is_empty() { None } else { state(gone, runs) };
            self.rewrite(first, last, &left, stated.as_ref(), gone)?;
        }
        sweep.at = last;
        self.sweep = Some(sweep);
        Ok(gone)
    }

    /// Puts `rows` in the place of all from `first` to `last`: written anew they fill their pages, where mere deleting
    /// would leave pages half empty.
    fn rewrite(
        &mut self,
        first: u64,
        last: u64,
        rows: &[Row],
        stated: Option<&Row>,
        gone: u64,
    ) -> rusqlite::Result<()> {
        let boot = self.boot;
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM reading WHERE seq BETWEEN ?1 AND ?2", [first, last])?;
        {
            let mut insert = prepare_insert(&transaction, "INSERT")?;
            for row in rows.iter().chain(stated) {
                insert_row(&mut insert, row, boot)?;
            }
            transaction
                .prepare_cached(
                    "INSERT INTO counter (name, value) VALUES ('thinned', ?1)
                     ON CONFLICT (name) DO UPDATE SET value = value + ?1",
                )?
                .execute([gone])?;
        }
        transaction.commit()?;
        self.rows = self.rows + u64::from(stated.is_some()) - gone;
        self.highest = self.highest.max(stated.map_or(0, |row| row.seq));
        Ok(())
    }

    fn begin_sweep(&self) -> rusqlite::Result<Sweep> {
        let end = self
            .connection
            .query_row("SELECT seq FROM reading ORDER BY seq LIMIT 1 OFFSET ?1", [self.rows / 2], |row| {
                row.get(0)
            })
            .optional()?
            .unwrap_or(0);
        let average: Option<f64> = self.connection.query_row(
            "SELECT avg(stands_for) FROM reading WHERE seq < ?1",
            [end],
            |row| row.get(0),
        )?;
        Ok(Sweep { at: 0, end, coarseness: coarseness(average.unwrap_or(1.0)) })
    }

    /// Readings thinned, ever.
    pub(crate) fn thinned(&self) -> rusqlite::Result<u64> {
        let query = "SELECT value FROM counter WHERE name = 'thinned'";
        Ok(self.connection.query_row(query, [], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// Leaves the file without a WAL. Whether it could; another program may be reading.
    pub(crate) fn checkpoint(&self) -> rusqlite::Result<bool> {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
    }

    /// Closes the file and leaves its log as it is: of a damaged file both are kept to be looked at.
    pub(crate) fn abandon(self) {
        keep_log(&self.connection, true);
    }

    /// Takes the room of the spare file back, where there is room.
    pub(crate) fn reserve_spare(&self) {
        self.spare.reserve();
    }

    /// Does it again with the room of the spare file, if the disk is full.
    fn with_spare<T>(&mut self, deed: impl Fn(&mut Self) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        match deed(self) {
            Err(error) if is_full(&error) && self.spare.release() => deed(self),
            result => result,
        }
    }

    /// What of it is not under its name any more.
    pub(crate) fn displaced(&self) -> Option<Displaced> {
        self.place.displaced()
    }

    /// Makes room for another file under its name, and keeps itself open.
    pub(crate) fn make_way(&self) {
        keep_log(&self.connection, true);
        self.place.remove_log();
    }

    /// Inserts rows of another file, or of the waiting room, but for those that are here already, and keeps `states`, and `notes` of
    /// the ledger, in one transaction. A boot that nothing is known of gets a row.
    pub(crate) fn adopt(
        &mut self,
        rows: &mut [Row],
        states: &[(&str, &str)],
        notes: &[Note],
    ) -> rusqlite::Result<()> {
        if rows.iter().any(|row| row.boot == Some(UNKNOWN_BOOT)) {
            let unknown = Some(unknown_boot(&self.connection)?);
            rows.iter_mut().filter(|row| row.boot == Some(UNKNOWN_BOOT)).for_each(|row| row.boot = unknown);
        }
        let rows = &*rows;
        let inserted = self.with_spare(|disk| {
            let boot = disk.boot;
            let transaction = disk.connection.transaction()?;
            let mut inserted = 0;
            {
                let mut insert = prepare_insert(&transaction, "INSERT OR IGNORE")?;
                for row in rows {
                    inserted += insert_row(&mut insert, row, boot)? as u64;
                }
                kept_states::write(&transaction, states)?;
                notes::keep(&transaction, notes)?;
            }
            transaction.commit().map(|()| inserted)
        })?;
        self.rows += inserted;
        let last = rows.iter().map(|row| row.seq).filter(|seq| *seq < PROVISIONAL).max();
        self.highest = self.highest.max(last.unwrap_or(0));
        Ok(())
    }

    /// The connection, for what is done with it elsewhere.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// The connection, the row of this boot, and how many readings there are. `alone` keeps others out.
fn connect(
    directory: &Path,
    vfs: Option<&str>,
    boot: &str,
    alone: bool,
) -> Result<(Connection, i64, u64), OpenError> {
    let (path, flags) = (directory.join(FILE), OpenFlags::default());
    let connection = match vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs),
        None => Connection::open_with_flags(path, flags),
    }?;
    // Until it is known that the file can be used.
    keep_log(&connection, true);
    if alone {
        keep_for_oneself(&connection)?;
    }
    let (boot, rows) = prepare(&connection, boot)?;
    Ok((connection, boot, rows))
}

/// Whether the log outlives the connection. SQLite would otherwise delete it, also when it could make nothing of the file.
pub(crate) fn keep_log(connection: &Connection, keep: bool) {
    // It is known to every SQLite of the last years, and there is nothing else that could be done.
    let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep);
}

fn prepare_insert<'a>(connection: &'a Connection, how: &str) -> rusqlite::Result<CachedStatement<'a>> {
    connection.prepare_cached(&format!("{how} INTO reading ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))
}

fn insert_row(insert: &mut rusqlite::Statement<'_>, row: &Row, boot: i64) -> rusqlite::Result<usize> {
    let boot = row.boot.unwrap_or(boot);
    let Row { seq, start, monotonic_ms, utc_ms, stands_for, payload, .. } = row;
    insert.execute(params![seq, start, boot, monotonic_ms, utc_ms, stands_for, payload])
}

fn with_offset(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    Ok((stored(row)?, row.get(7)?))
}
