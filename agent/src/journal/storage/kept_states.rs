//! What is kept over a restart beside readings, by name: the table `state`, there only once something was kept.

use rusqlite::{Connection, Result};

use crate::journal::bundle::States;

/// Keeps these, within the caller's transaction.
pub(crate) fn write(connection: &Connection, states: &[(&str, &str)]) -> Result<()> {
    if states.is_empty() {
        return Ok(());
    }
    let make = "CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID";
    connection.prepare_cached(make)?.execute([])?;
    let keep = "INSERT INTO state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    let mut keep = connection.prepare_cached(keep)?;
    for (name, value) in states {
        keep.execute([name, value])?;
    }
    Ok(())
}

/// Forgets all of it.
pub(crate) fn forget(connection: &Connection) -> Result<()> {
    connection.execute_batch("DROP TABLE IF EXISTS state")
}

/// All that is kept. What is no text is left out.
pub(crate) fn read(connection: &Connection) -> Result<States> {
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'state'";
    if connection.query_row(table, [], |row| row.get::<_, u64>(0))? == 0 {
        return Ok(States::new());
    }
    let mut query = connection.prepare("SELECT name, value FROM state WHERE typeof(value) = 'text'")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
