//! Small files that survive a power cut: written beside the old one, flushed, then put in its place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::platform::plain_file;

/// None of these files is larger.
const LIMIT: u64 = 1024 * 1024;
/// By all, as far as the process' mask lets them.
pub const READABLE: u32 = 0o666;

/// Replaces `path` by `content` as JSON. After a power cut there is either the old file or the new one, whole.
pub fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let temporary = replacement(path);
    let mut file = plain_file::create(&temporary, READABLE)?;
    serde_json::to_writer_pretty(&mut file, content)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    // The rename itself is durable once the directory is.
    File::open(directory)?.sync_all()
}

/// Where what replaces `path` is written; a power cut may leave it behind.
pub fn replacement(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Reads what [`replace`] wrote; `None` when there is no file.
pub fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match plain_file::read(path, LIMIT) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes `path`; no error when there is none.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("settings.json");
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), None);
        replace(&path, &vec![1, 2]).unwrap();
        replace(&path, &vec![3]).unwrap();
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), Some(vec![3]));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no temporary file stays behind");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(read::<Vec<u32>>(&path).unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn what_somebody_has_linked_to_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("settings.json"), directory.path().join("other"));
        File::create(&other).unwrap().write_all(b"precious").unwrap();
        std::os::unix::fs::symlink(&other, replacement(&path)).unwrap();
        replace(&path, &1).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"precious");
        assert_eq!(read::<u32>(&path).unwrap(), Some(1));
    }

    #[test]
    fn half_a_file_is_an_error_not_a_value() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("assignment.json");
        File::create(&path).unwrap().write_all(b"{\"hub\": \"ch").unwrap();
        assert!(read::<serde_json::Value>(&path).is_err());
    }
}
