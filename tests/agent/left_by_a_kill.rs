//! Readings that a killed agent has left in the waiting room belong to the journal, whatever becomes of that.

#![allow(clippy::disallowed_methods, reason = "half a file is what a test may want")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use container_tracker::journal::waiting_rooms;

use crate::support::journal::{Recorded, reading};
use crate::support::service::{Installation, PATIENCE};

/// An installation whose agent was killed when it had taken two readings, of which none was in the journal yet; and its
/// waiting room.
async fn killed() -> (Installation, PathBuf) {
    let installation = Installation::new();
    let state = installation.path("state");
    fs::create_dir(&state).unwrap();
    let room = waiting_rooms(&state).into_iter().find(|path| path.extension().is_some_and(|is| is == "room"));
    let room = installation.path("run").join(room.unwrap().file_name().unwrap());
    let journal = Recorded::open_with_room(&state, &room);
    journal.append(reading(0)).await;
    journal.flush().await;
    journal.append(reading(1)).await;
    journal.append(reading(2)).await;
    let left = fs::read(&room).unwrap();
    journal.close().await;
    assert!(!room.exists(), "in good order nothing is left");
    let file = rusqlite::Connection::open(state.join("journal.db")).unwrap();
    file.busy_timeout(PATIENCE).unwrap();
    file.execute("DELETE FROM reading", []).unwrap();
    fs::write(&room, left).unwrap();
    fs::set_permissions(&room, fs::Permissions::from_mode(0o600)).unwrap();
    (installation, room)
}

fn deprovision(installation: &Installation, journal: &str) -> String {
    let output = installation.ask("deprovision", &["--yes", "--journal", journal]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn it_is_set_aside_with_the_journal() {
    let (installation, room) = killed().await;
    let said = deprovision(&installation, "set-aside");
    assert!(said.contains("; 2 readings are set aside"), "{said}");
    assert!(!room.exists());
    let aside = rusqlite::Connection::open(installation.path("state/journal.db.old-1")).unwrap();
    let count: u64 = aside.query_row("SELECT count(*) FROM reading", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 2);
}

#[tokio::test]
async fn it_is_deleted_with_the_journal() {
    let (installation, room) = killed().await;
    let said = deprovision(&installation, "delete");
    assert!(said.contains("; 2 readings are deleted, for ever"), "{said}");
    assert!(!room.exists());
}

#[tokio::test]
async fn it_stays_with_the_journal() {
    let (installation, room) = killed().await;
    let said = deprovision(&installation, "keep");
    assert!(said.contains("; 2 readings stay, for the next hub"), "{said}");
    let journal = Recorded::open_with_room(&installation.path("state"), &room);
    assert_eq!((journal.drain().await, journal.story().as_str()), (vec![2, 1], ""));
}
