//! What goes when there is too much: readings first, the oldest of all devices, after they were rolled up.

use rusqlite::{Connection, params};

use super::key::{TIMES, device_of};
use super::rollup::Level;
use super::schema::used_bytes;
use super::store::roll_up_before_it_goes;

/// Segments that go in one transaction.
const AT_ONCE: i64 = 128;
/// Transactions in one go: the rest waits for the next.
const ROUNDS: usize = 40;

/// Removes the oldest until the file is no larger than `most` bytes. Its pages are used again.
pub(super) fn by_size(connection: &mut Connection, most: u64) -> rusqlite::Result<()> {
    for _ in 0..ROUNDS {
        if used_bytes(connection)? <= most {
            return Ok(());
        }
        if remove_segments(connection, i64::MAX)? == 0 && remove_oldest_of_all_else(connection)? == 0 {
            return Ok(());
        }
    }
    Ok(())
}

/// Removes all that ended before `since`, in milliseconds since 1970.
pub(super) fn by_age(connection: &mut Connection, since: i64) -> rusqlite::Result<()> {
    for _ in 0..ROUNDS {
        if remove_segments(connection, since)? == 0 {
            break;
        }
    }
    let rows =
        |level: Level| format!("DELETE FROM {} WHERE (id & {TIMES}) + {} < ?1", level.table(), level.span());
    for delete in [rows(Level::Fine), rows(Level::Coarse)] {
        connection.execute(&delete, [since])?;
    }
    connection.execute("DELETE FROM story WHERE time < ?1", [since])?;
    connection.execute("DELETE FROM span WHERE end < ?1", [since])?;
    connection.execute("DELETE FROM trip WHERE time < ?1", [since])?;
    connection.execute("UPDATE device SET first = NULL, last = NULL, fields = 0 WHERE last < ?1", [since])?;
    connection.execute("UPDATE device SET first = ?1 WHERE first < ?1", [since])?;
    Ok(())
}

/// Removes some segments that ended before a time; how many went.
pub(super) fn remove_segments(connection: &mut Connection, before: i64) -> rusqlite::Result<usize> {
    let transaction = connection.transaction()?;
    let oldest: Vec<(i64, i64)> = transaction
        .prepare_cached("SELECT id, end FROM segment WHERE end < ?1 ORDER BY end LIMIT ?2")?
        .query_map([before, AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, end) in &oldest {
        let device = device_of(*id);
        roll_up_before_it_goes(&transaction, *id, device)?;
        transaction.prepare_cached("DELETE FROM segment WHERE id = ?1")?.execute([id])?;
        transaction
            .prepare_cached("UPDATE device SET raw_since = max(raw_since, ?2) WHERE id = ?1")?
            .execute(params![device.0, end + 1])?;
    }
    transaction.commit()?;
    Ok(oldest.len())
}

/// Where readings are gone already: ten minutes, then the story, then six hours.
fn remove_oldest_of_all_else(connection: &Connection) -> rusqlite::Result<usize> {
    let rows = |level: Level| {
        let table = level.table();
        format!("DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id & {TIMES} LIMIT 256)")
    };
    let story =
        "DELETE FROM story WHERE id IN (SELECT id FROM story ORDER BY time, id LIMIT 1024)".to_owned();
    for delete in [rows(Level::Fine), story, rows(Level::Coarse)] {
        let gone = connection.execute(&delete, [])?;
        if gone > 0 {
            return Ok(gone);
        }
    }
    Ok(0)
}
