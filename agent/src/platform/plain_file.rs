//! Files that others may have laid: opened without waiting, looked at before they are read, and made without following
//! a link.
//!
//! A FIFO, a device or a link to one in the place of a file would hold up for ever whoever opens it, or fill the memory.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

/// Opens a file to read it. An error says what is there instead, where it is no file.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Whoever opens a FIFO to read waits for one who writes.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
    // To open a device may already do something.
    is_plain_or_missing(path)?;
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Locks a file for this program alone. A program that is being started holds copies of its starter's files, and of their locks,
/// for a moment: somebody who has just let go of it may seem to hold it yet, so it is asked for half a second.
pub fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..50 {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
            locked => return locked,
        }
    }
    file.try_lock()
}

/// The content of a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(not_usable(&format!("it is larger than {} KiB", limit / 1024)));
    }
    Ok(bytes)
}

/// As [`read`], as text; what is none is an error.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|_| not_usable("it is no text (UTF-8)"))
}

/// Whether there is a file, or nothing; an error says what is there instead. Links are followed.
pub fn is_plain_or_missing(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) => check(&metadata),
        Err(_) => Ok(()),
    }
}

/// Makes a file that can be read by whom `mode` says, with a new inode: what had the name is removed, and where it was a
/// link, what that leads to stays as it is.
pub fn create(path: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    create_new(path, mode)
}

/// Makes a file where nothing is, not even a link, that can be read by whom `mode` says.
pub fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path)
}

fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        Ok(())
    } else {
        Err(not_usable(&format!("it is {} and no file", kind(metadata))))
    }
}

#[cfg(unix)]
fn kind(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn kind(_: &Metadata) -> &'static str {
    "something else"
}

fn not_usable(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// Everything that is no file of a sensible size, and what is said of it.
    fn kinds(directory: &Path) -> Vec<(PathBuf, &'static str)> {
        let at = |name: &str| directory.join(name);
        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        fs::create_dir(at("directory")).unwrap();
        drop(UnixListener::bind(at("socket")).unwrap());
        File::create(at("large")).unwrap().set_len(300 << 20).unwrap();
        let mut kinds = vec![
            (at("fifo"), "it is a FIFO and no file"),
            (at("directory"), "it is a directory and no file"),
            (at("socket"), "it is a socket and no file"),
            (PathBuf::from("/dev/zero"), "it is a device and no file"),
            (at("large"), "it is larger than 4 KiB"),
        ];
        for (path, says) in kinds.clone() {
            let link = at(&format!("link-{}", path.file_name().unwrap().display()));
            symlink(path, &link).unwrap();
            kinds.push((link, says));
        }
        kinds
    }

    #[test]
    fn what_is_no_file_is_named_and_never_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        for (path, says) in kinds(directory.path()) {
            assert_eq!(read(&path, 4096).unwrap_err().to_string(), says, "{}", path.display());
        }
        assert_eq!(read(&directory.path().join("none"), 1).unwrap_err().kind(), ErrorKind::NotFound);
        fs::copy("/proc/self/comm", directory.path().join("plain")).unwrap();
        symlink("plain", directory.path().join("link")).unwrap();
        assert!(
            !read(&directory.path().join("link"), 4096).unwrap().is_empty(),
            "links to files are followed"
        );
    }

    #[test]
    fn what_a_link_leads_to_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let (link, target) = (directory.path().join("link"), directory.path().join("target"));
        fs::copy("/proc/self/comm", &target).unwrap();
        let before = fs::read(&target).unwrap();
        for leads_to in [target.clone(), directory.path().join("nowhere")] {
            let _ = fs::remove_file(&link);
            symlink(leads_to, &link).unwrap();
            create(&link, 0o600).unwrap().set_len(7).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_file());
        }
        assert_eq!(fs::read(&target).unwrap(), before);
        assert!(!directory.path().join("nowhere").exists());
    }
}
