//! Rows that can't be read, as a card leaves them that returns one wrong bit: what makes one, and where it goes.
//!
//! It is the row that is bad and not the disk: the others are delivered, and the bad one is kept, as it is, in a table of
//! its own, for somebody to look at.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, Type, ValueRef};
use rusqlite::{Connection, Error};

use super::schema::COLUMNS;
use crate::journal::row::{Row, is_number, is_payload, is_time};

/// So many are kept: beyond that they would take the room of good ones.
const KEPT: u64 = 1000;
/// Rows that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// Their numbers, which may be nonsense too.
    pub(crate) seqs: Vec<i64>,
    /// What is wrong with the first.
    pub(crate) why: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seqs, why } = self;
        match seqs.as_slice() {
            [seq] => write!(f, "1 reading can't be read (number {seq}: {why})"),
            _ => write!(f, "{} readings can't be read (the first, number {}: {why})", seqs.len(), seqs[0]),
        }
    }
}

/// Reads a row whose first columns are [`COLUMNS`]; an error of [`is_of_row`] when no reading can look like that.
pub(crate) fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let seq: u64 = within(row, 0, |seq: &i64| u64::try_from(*seq).is_ok_and(is_number))? as u64;
    let utc_ms = |ms: &Option<i64>| ms.is_none_or(is_time);
    Ok(Row {
        seq,
        start: row.get(1)?,
        boot: Some(within(row, 2, |boot| *boot >= 0)?),
        monotonic_ms: within(row, 3, |ms| *ms >= 0)?,
        utc_ms: within(row, 4, utc_ms)?,
        stands_for: within(row, 5, |count| *count > 0)?,
        payload: row.get(6)?,
        known: None,
    })
}

/// A column whose value must be `good`.
fn within<T: FromSql>(
    row: &rusqlite::Row<'_>,
    column: usize,
    good: impl Fn(&T) -> bool,
) -> rusqlite::Result<T> {
    let value = row.get(column)?;
    if good(&value) {
        return Ok(value);
    }
    let number = match row.get_ref(column)? {
        ValueRef::Integer(number) => number,
        _ => 0,
    };
    Err(Error::IntegralValueOutOfRange(column, number))
}

/// Whether an error is about the row that was read, and not about the disk.
pub(crate) fn is_of_row(error: &Error) -> bool {
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    )
}

/// Reads every row, and gives those that can't be; `None` when all can.
pub(crate) fn find(connection: &Connection) -> rusqlite::Result<Option<Unreadable>> {
    let mut query = connection.prepare(&format!("SELECT {COLUMNS} FROM reading"))?;
    let mut rows = query.query([])?;
    let mut found = None;
    while let Some(row) = rows.next()? {
        let payload_is_good = |good: Row| {
            let error =
                || Error::FromSqlConversionFailure(6, Type::Blob, Box::new(FromSqlError::InvalidType));
            if is_payload(&good.payload) { Ok(()) } else { Err(error()) }
        };
        let why = match stored(row).and_then(payload_is_good) {
            Ok(()) => continue,
            Err(error) if is_of_row(&error) => error.to_string(),
            Err(error) => return Err(error),
        };
        let found = found.get_or_insert_with(|| Unreadable { seqs: Vec::new(), why });
        found.seqs.push(row.get(0)?);
    }
    Ok(found)
}

/// Moves every row that can't be read to the table `unreadable`, in one transaction; `None` when there is none.
pub(crate) fn put_aside(connection: &mut Connection) -> rusqlite::Result<Option<Unreadable>> {
    let Some(found) = find(connection)? else { return Ok(None) };
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS unreadable (seq, start, boot, monotonic_ms, utc_ms, stands_for, payload)",
    )?;
    for seq in &found.seqs {
        let copy = format!("INSERT INTO unreadable SELECT {COLUMNS} FROM reading WHERE seq = ?1");
        transaction.execute(&copy, [seq])?;
        transaction.execute("DELETE FROM reading WHERE seq = ?1", [seq])?;
    }
    let old = "DELETE FROM unreadable WHERE rowid <= (SELECT max(rowid) FROM unreadable) - ?1";
    transaction.execute(old, [KEPT])?;
    transaction.commit()?;
    Ok(Some(found))
}

/// How many rows were put aside and are still there.
pub(crate) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'unreadable'";
    if connection.query_row(table, [], |row| row.get::<_, u64>(0))? == 0 {
        return Ok(0);
    }
    connection.query_row("SELECT count(*) FROM unreadable", [], |row| row.get(0))
}
