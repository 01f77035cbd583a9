//! The folder in which everything of this is kept, as far as a power cut is concerned: what is durable when.

use std::fmt::Debug;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::platform::plain_file;

/// No file here is larger.
const LIMIT: u64 = 256 * 1024;
/// What a file is called until it is whole.
pub(super) const UNFINISHED: &str = ".new";

/// One folder. Names of files are without it.
pub(super) trait Disk: Debug + Send {
    /// Where a file is, for people.
    fn path(&self, name: &str) -> PathBuf;

    /// All that is there, in any order; an error of the kind `NotFound` when there is no folder.
    fn names(&self) -> io::Result<Vec<String>>;

    /// Makes the folder, if it is not there; its own name is durable then.
    fn make(&self) -> io::Result<()>;

    /// The content of a file; an error of the kind `NotFound` when there is none.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Makes a file for its owner alone, in the place of what has the name. Its content is durable when this returns, its name
    /// is not.
    fn create(&self, name: &str, content: &[u8]) -> io::Result<()>;

    /// Gives something another name, in the place of what has that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; an error of the kind `NotFound` when there is none.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names durable.
    fn sync(&self) -> io::Result<()>;

    /// Removes the folder with all that is in it; no error when there is none.
    fn clear(&self) -> io::Result<()>;

    /// Replaces a file: after a power cut there is the old one or the new one, whole, and when this has returned the new one.
    fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let unfinished = format!("{name}{UNFINISHED}");
        let written = self.create(&unfinished, content).and_then(|()| self.rename(&unfinished, name));
        if let Err(error) = written {
            // On a full disk the room is wanted back; what can't be removed now is so at the next start.
            let _ = self.remove(&unfinished);
            return Err(error);
        }
        self.sync()
    }
}

/// The operating system's own.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Disk for Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        // A name that is no text is none of ours, and can't be in the way.
        names.filter_map(Result::transpose).collect()
    }

    fn make(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made.and_then(|()| sync(self.0.parent().unwrap_or(Path::new(".")))),
        }
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        plain_file::read(&self.path(name), LIMIT)
    }

    fn create(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut file = plain_file::create(&self.path(name), 0o600)?;
        file.write_all(content)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync(&self) -> io::Result<()> {
        sync(&self.0)
    }

    fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync(self.0.parent().unwrap_or(Path::new(".")))),
        }
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
