//! What the ledger keeps in the journal's file, in a table that is there only once there is something to keep: programs that know
//! no ledger leave it alone.

use rusqlite::Connection;

use crate::journal::ledger::Note;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS evidence (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID";

/// Keeps notes, each in the place of what had its name.
pub(crate) fn keep(connection: &Connection, notes: &[Note]) -> rusqlite::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    connection.execute(TABLE, [])?;
    let mut keep =
        connection.prepare_cached("INSERT OR REPLACE INTO evidence (name, value) VALUES (?1, ?2)")?;
    for (name, value) in notes {
        keep.execute((name, value))?;
    }
    Ok(())
}

/// All that was kept. What is no note is passed over.
pub(crate) fn kept(connection: &Connection) -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
    let has_table = connection
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'evidence'")?
        .exists([])?;
    if !has_table {
        return Ok(Vec::new());
    }
    let mut query = connection.prepare("SELECT name, value FROM evidence WHERE typeof(value) = 'blob'")?;
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}
