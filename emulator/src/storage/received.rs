//! A file that is being received: beside the others until it is whole, and gone if it never is.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{StorageError, disk};
use crate::id::hexadecimal_of_chance;

/// What every file costs beside its bytes, so that small ones are bounded too.
const OVERHEAD: u64 = 4096;

/// The bytes of all files, and how many there may be.
#[derive(Debug)]
pub(super) struct Room {
    used: AtomicU64,
    limit: u64,
}

impl Room {
    pub(super) fn new(limit: u64) -> Self {
        Self { used: AtomicU64::new(0), limit }
    }

    /// A file of this size is there.
    pub(super) fn count(&self, size: u64) {
        self.used.fetch_add(size + OVERHEAD, Ordering::Relaxed);
    }

    /// A file of this size is not there any more.
    pub(super) fn release(&self, size: u64) {
        self.give_back(size + OVERHEAD);
    }

    fn give_back(&self, bytes: u64) {
        let less = |used: u64| Some(used.saturating_sub(bytes));
        // It always has a new value.
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    fn take(&self, bytes: u64) -> Result<(), StorageError> {
        let more = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).map(drop).map_err(|_| {
            let limit = self.limit / (1024 * 1024);
            let why = format!("the storage is full: all blobs together have {limit} MiB; delete some");
            StorageError::new(507, "InsufficientStorage", why)
        })
    }
}

/// A file that is being received.
#[derive(Debug)]
pub(crate) struct Received {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
    room: Arc<Room>,
    is_placed: bool,
}

impl Received {
    pub(super) fn begin(folder: &Path, limit: u64, room: Arc<Room>) -> Result<Self, StorageError> {
        room.take(OVERHEAD)?;
        let path = folder.join(hexadecimal_of_chance());
        let file = disk::make_file(&path).inspect_err(|_| room.give_back(OVERHEAD))?;
        Ok(Self { path, file, size: 0, limit, room, is_placed: false })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let more = bytes.len() as u64;
        if self.size + more > self.limit {
            return Err(StorageError::too_large(self.limit));
        }
        self.room.take(more)?;
        self.size += more;
        Ok(self.file.write_all(bytes)?)
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Moves it to its place, where it is counted as long as it is there.
    pub(super) fn place(mut self, at: &Path) -> Result<(), StorageError> {
        self.file.sync_all()?;
        disk::move_into_place(&self.path, at)?;
        self.is_placed = true;
        Ok(())
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.is_placed {
            // What can't be removed now is at the next start.
            let _ = fs::remove_file(&self.path);
            self.room.release(self.size);
        }
    }
}
