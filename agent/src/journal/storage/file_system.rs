//! What the journal asks of the file system, behind a trait, so that tests can let it fail.
//!
//! SQLite reads and writes its files by itself: through the VFS that [`FileSystem::vfs`] names.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::platform::plain_file;

/// What is read as a whole is not larger.
const SMALL: u64 = 64 * 1024;

/// What a file is, whatever its name: its device, and its inode there.
pub(crate) type FileId = (u64, u64);

/// Files of one directory. All paths are those of the operating system.
pub trait FileSystem: Debug + Send + Sync {
    /// Bytes of a file; an error of the kind `NotFound` when there is none.
    fn length(&self, path: &Path) -> io::Result<u64>;

    /// Whether there is a file under this name, or nothing; an error says what is there instead.
    fn is_plain_or_missing(&self, path: &Path) -> io::Result<()> {
        plain_file::is_plain_or_missing(path)
    }

    /// What is under this name; an error of the kind `NotFound` when there is nothing.
    fn id(&self, path: &Path) -> io::Result<FileId> {
        fs::metadata(path).map(|metadata| id(&metadata))
    }

    /// The content of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The first bytes of a file, as many as there are.
    fn head(&self, path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        plain_file::open(path)?.take(bytes).read_to_end(&mut head)?;
        Ok(head)
    }

    /// Makes a file that does not exist yet. Its content is durable when this returns, its name is not.
    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Gives a file another name, in the place of what has that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; an error of the kind `NotFound` when there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the directory, if it is not there.
    fn make_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// The name of the VFS by which SQLite works in the same directory; `None` for SQLite's own.
    fn vfs(&self) -> Option<&str> {
        None
    }
}

/// Whether there is such a file. One that can't be looked at may be there.
pub(crate) fn exists(files: &dyn FileSystem, path: &Path) -> bool {
    !matches!(files.length(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

#[cfg(unix)]
fn id(metadata: &fs::Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Elsewhere an open file can't be removed.
#[cfg(not(unix))]
fn id(_: &fs::Metadata) -> FileId {
    (0, 0)
}

/// The operating system's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn length(&self, path: &Path) -> io::Result<u64> {
        fs::metadata(path).map(|metadata| metadata.len())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        plain_file::read(path, SMALL)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = plain_file::create_new(path, 0o666)?;
        file.write_all(content)?;
        // Only what has been written out is sure to have its room.
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
