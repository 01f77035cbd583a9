//! Whether the journal's file is still the one under its name: somebody may remove it, or put a backup in its place, while
//! the agent works with it. The open file goes on working then, and is gone with the agent.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file_system::{FileId, FileSystem};
use super::files::{FILE, INDEX, LOG, with};

/// The file and its log as they were when they were opened.
pub(crate) struct Place {
    files: Arc<dyn FileSystem>,
    file: (PathBuf, Option<FileId>),
    log: (PathBuf, Option<FileId>),
    index: (PathBuf, Option<FileId>),
}

/// What is not under its name any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Displaced {
    /// The file, whatever may be in its place.
    File,
    /// The log alone.
    Log,
}

impl Place {
    /// Takes note of what has just been opened.
    pub(crate) fn new(files: Arc<dyn FileSystem>, directory: &Path) -> Self {
        let note = |suffix| {
            let path = with(&directory.join(FILE), suffix);
            let id = files.id(&path).ok();
            (path, id)
        };
        let (file, log, index) = (note(""), note(LOG), note(INDEX));
        Self { files, file, log, index }
    }

    pub(crate) fn displaced(&self) -> Option<Displaced> {
        if self.has_gone(&self.file) {
            Some(Displaced::File)
        } else if self.has_gone(&self.log) {
            Some(Displaced::Log)
        } else {
            None
        }
    }

    fn has_gone(&self, (path, was): &(PathBuf, Option<FileId>)) -> bool {
        let Some(was) = was else { return false };
        match self.files.id(path) {
            Ok(is) => is != *was,
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }

    /// Takes away log and index of a file that is gone, if they are not: SQLite would do to the next file what they say.
    pub(crate) fn remove_log(&self) {
        for part in [&self.log, &self.index] {
            if part.1.is_some() && !self.has_gone(part) {
                // What can't be removed keeps the next file from being opened, and that is told.
                let _ = self.files.remove(&part.0);
            }
        }
    }
}
