//! A file that keeps room on the disk, so that SQLite can at least forget what is acknowledged when all else is full.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file_system::{FileSystem, exists};
use super::files::SPARE;

const BYTES: usize = 256 * 1024;

/// The file, whether it is there or not.
pub(crate) struct Spare {
    files: Arc<dyn FileSystem>,
    path: PathBuf,
}

impl Spare {
    pub(crate) fn new(files: Arc<dyn FileSystem>, directory: &Path) -> Self {
        Self { files, path: directory.join(SPARE) }
    }

    /// Gives the room to others. Whether there was any.
    pub(crate) fn release(&self) -> bool {
        self.files.remove(&self.path).is_ok()
    }

    /// Takes the room back for the next time; without room there is none to keep.
    pub(crate) fn reserve(&self) {
        if exists(&*self.files, &self.path) {
            return;
        }
        if self.files.create(&self.path, &vec![0; BYTES]).is_err() {
            let _ = self.files.remove(&self.path);
        }
    }
}
