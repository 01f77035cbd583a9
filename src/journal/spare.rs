use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const BYTES: usize = 256 * 1024;

/// A file that keeps room: released when the disk is full, so that SQLite can at least forget what is acknowledged.
pub(super) struct Spare {
    path: PathBuf,
}

impl Spare {
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join("journal.spare") }
    }

    /// Gives the room to others. Whether there was any.
    pub(super) fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    /// Takes the room back for the next time; without room there is none to keep.
    pub(super) fn reserve(&self) {
        if self.path.exists() {
            return;
        }
        let fill = |mut file: File| {
            file.write_all(&vec![0; BYTES])?;
            // Only what has been written out is sure to have its room.
            file.sync_all()
        };
        let result = OpenOptions::new().write(true).create_new(true).open(&self.path).and_then(fill);
        if result.is_err() {
            let _ = fs::remove_file(&self.path);
        }
    }
}
