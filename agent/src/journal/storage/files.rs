//! The journal's files by name, and how a whole journal is set aside so that a power cut loses no reading.
//!
//! A journal is a file and a log, which can't be renamed in one step. The log goes first: SQLite deletes a log that it finds
//! without its file. In between the file is there without the log, and whoever worked with it then would make the log
//! worthless. A note is therefore written before the first step, and removed after the last; where a note is found, at the
//! next start or when a journal is to be set aside again, the rest of the steps is done before anything else.

use std::io;
use std::path::{Path, PathBuf};

use super::file_system::{FileSystem, OsFileSystem, exists};

/// The file itself.
pub(crate) const FILE: &str = "journal.db";
/// What SQLite appends to the names of the log and of the index that goes with it.
pub(crate) const LOG: &str = "-wal";
pub(crate) const INDEX: &str = "-shm";
/// And of the log that goes with a file in the making, or with one that is not a journal.
const ROLLBACK: &str = "-journal";
/// The names of a journal's files end so, in the order in which they are moved.
const SUFFIXES: [&str; 4] = [LOG, ROLLBACK, "", INDEX];
/// Bytes of a log's header.
const LOG_HEADER: u64 = 32;
/// A file that keeps room.
pub(crate) const SPARE: &str = "journal.spare";
/// Holds the name under which a journal is being set aside, and a line feed, without which it was not written whole.
const NOTE: &str = "journal.aside";

/// Every name that a file of the journal in use may have in the state directory.
pub const FILES: &[&str] =
    &["journal.db", "journal.db-wal", "journal.db-shm", "journal.spare", "journal.aside"];

/// Patterns of the names of journals that were set aside, each with its log and its index.
pub const SET_ASIDE_FILES: &[&str] = &["journal.db.bad-*", "journal.db.old-*"];

/// Moves the journal in `directory`, if there is one, to `journal.db.LABEL-N`, where N is the first number from 1 that is
/// free, and gives that path; `label` is "bad" for a journal that can't be used and "old" for one that is not wanted.
///
/// No agent may work with it meanwhile. Errors are those of the disk; what was moved then stays where it is, and the next
/// call, or the next start of the agent, goes on.
pub fn set_aside(directory: &Path, label: &str) -> io::Result<Option<PathBuf>> {
    set_aside_on(&OsFileSystem, directory, label)
}

/// As [`set_aside`], on another file system than the operating system's.
pub fn set_aside_on(files: &dyn FileSystem, directory: &Path, label: &str) -> io::Result<Option<PathBuf>> {
    let finished = finish_set_aside(files, directory)?;
    let file = directory.join(FILE);
    if !exists(files, &file) && !exists(files, &with(&file, LOG)) {
        return Ok(finished);
    }
    let aside = free_name(files, directory, label)?;
    take_note(files, directory, &aside)?;
    if let Err(error) = move_all(files, directory, &aside) {
        // Where nothing could be moved, nothing is left to be done: the journal is still what it was.
        if is_free(files, &aside) {
            let _ = files.remove(&directory.join(NOTE));
        }
        return Err(error);
    }
    Ok(Some(aside))
}

/// Does the rest of what [`set_aside`] was kept from doing, and gives the path of the journal that it had begun to move.
pub(crate) fn finish_set_aside(files: &dyn FileSystem, directory: &Path) -> io::Result<Option<PathBuf>> {
    let note = directory.join(NOTE);
    let name = match files.read(&note) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // It is no note of ours.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => String::new(),
        name => String::from_utf8(name?).unwrap_or_default(),
    };
    let Some(name) = name.strip_suffix('\n').filter(|name| name.starts_with(FILE) && !name.contains('/'))
    else {
        // It was never written whole, and so nothing has been moved.
        files.remove(&note)?;
        return Ok(None);
    };
    let (file, aside) = (directory.join(FILE), directory.join(name));
    // A program that does not know of notes may have gone on with the file, and its log is none of the old file's.
    let log = with(&file, LOG);
    let has_new_log = exists(files, &with(&aside, LOG)) && files.length(&log).is_ok_and(|bytes| bytes > 0);
    if exists(files, &aside) || has_new_log {
        files.remove(&note)?;
    } else {
        move_all(files, directory, &aside)?;
    }
    Ok(exists(files, &aside).then_some(aside))
}

/// What of a journal is something else than a file, by the end of its name and in words: SQLite would wait for ever in a
/// FIFO.
pub(crate) fn what_is_no_file(files: &dyn FileSystem, directory: &Path) -> Option<(&'static str, String)> {
    SUFFIXES.into_iter().find_map(|suffix| {
        let path = with(&directory.join(FILE), suffix);
        let error = files.is_plain_or_missing(&path).err()?;
        Some((suffix, format!("{}: {error}", path.file_name().unwrap_or_default().display())))
    })
}

/// Whether there is a log, and no file that it belongs to: SQLite would delete it.
pub(crate) fn has_log_alone(files: &dyn FileSystem, directory: &Path) -> bool {
    let file = directory.join(FILE);
    let log = files.length(&with(&file, LOG)).unwrap_or(0);
    let alone = match files.length(&file) {
        Ok(length) => length == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    alone && log > 0
}

/// Whether there is something in the log, but its own header is damaged: SQLite takes such a log for an empty one.
pub(crate) fn has_damaged_log(files: &dyn FileSystem, directory: &Path) -> bool {
    let log = with(&directory.join(FILE), LOG);
    files.length(&log).is_ok_and(|bytes| bytes > LOG_HEADER) && {
        files.head(&log, LOG_HEADER).is_ok_and(|header| !is_log_header(&header))
    }
}

/// As <https://www.sqlite.org/fileformat2.html#the_write_ahead_log> has it: the magic number's last bit says in which order
/// of bytes the sums are made that the header ends with.
fn is_log_header(header: &[u8]) -> bool {
    let (words, _) = header.as_chunks::<4>();
    let Some((magic, sums)) = words.first().map(|word| u32::from_be_bytes(*word)).zip(words.get(6..8)) else {
        return false;
    };
    let order = if magic & 1 == 1 { u32::from_be_bytes } else { u32::from_le_bytes };
    let (mut first, mut second) = (0_u32, 0_u32);
    for pair in words[..6].chunks(2) {
        first = first.wrapping_add(order(pair[0])).wrapping_add(second);
        second = second.wrapping_add(order(pair[1])).wrapping_add(first);
    }
    magic & !1 == 0x377f_0682 && sums == [first.to_be_bytes(), second.to_be_bytes()]
}

/// Moves the part whose name ends so, and no other, to a name that is free, and gives that.
pub(crate) fn set_part_aside(
    files: &dyn FileSystem,
    directory: &Path,
    suffix: &'static str,
) -> io::Result<PathBuf> {
    let aside = with(&free_name(files, directory, "bad")?, suffix);
    files.rename(&with(&directory.join(FILE), suffix), &aside)?;
    files.sync_directory(directory)?;
    Ok(aside)
}

/// The first name that is free.
fn free_name(files: &dyn FileSystem, directory: &Path, label: &str) -> io::Result<PathBuf> {
    (1..10_000)
        .map(|n| directory.join(format!("{FILE}.{label}-{n}")))
        .find(|path| is_free(files, path))
        .ok_or_else(|| io::Error::other("too many journals were set aside already"))
}

/// Notes where the journal goes, durably.
fn take_note(files: &dyn FileSystem, directory: &Path, aside: &Path) -> io::Result<()> {
    let note = directory.join(NOTE);
    let name = [aside.file_name().unwrap_or_default().as_encoded_bytes(), b"\n"].concat();
    if let Err(error) = files.create(&note, &name) {
        let _ = files.remove(&note);
        // On a full disk the spare file's room is there for such things.
        files.remove(&directory.join(SPARE)).map_err(|_| error)?;
        files.create(&note, &name)?;
    }
    files.sync_directory(directory)
}

/// Moves what is left to move, the log first, and forgets the note.
fn move_all(files: &dyn FileSystem, directory: &Path, aside: &Path) -> io::Result<()> {
    let file = directory.join(FILE);
    for suffix in SUFFIXES {
        let (from, to) = (with(&file, suffix), with(aside, suffix));
        if suffix == LOG && files.length(&from).is_ok_and(|bytes| bytes == 0) {
            // Whoever has looked at the file leaves such a log, which is none.
            files.remove(&from)?;
        } else if exists(files, &from) && !exists(files, &to) {
            files.rename(&from, &to)?;
            files.sync_directory(directory)?;
        }
    }
    files.remove(&directory.join(NOTE))?;
    files.sync_directory(directory)
}

/// Whether no journal has this name, nor a part of one.
fn is_free(files: &dyn FileSystem, path: &Path) -> bool {
    SUFFIXES.iter().all(|suffix| !exists(files, &with(path, suffix)))
}

pub(crate) fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn put(directory: &Path, name: &str, content: &[u8]) {
        OsFileSystem.create(&directory.join(name), content).unwrap();
    }

    #[test]
    fn all_that_belongs_together_stays_together_under_a_name_that_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(set_aside(path, "old").unwrap(), None);
        // Somebody has deleted the first, but not its log.
        put(path, "journal.db.old-1-wal", b"of another file");
        for (name, content) in [
            ("journal.db", "file"),
            ("journal.db-wal", "log"),
            ("journal.db-journal", "undo"),
            ("journal.db-shm", "index"),
        ] {
            put(path, name, content.as_bytes());
        }
        assert_eq!(set_aside(path, "old").unwrap(), Some(path.join("journal.db.old-2")));
        let expected = [
            "journal.db.old-1-wal",
            "journal.db.old-2",
            "journal.db.old-2-journal",
            "journal.db.old-2-shm",
            "journal.db.old-2-wal",
        ];
        assert_eq!(names(path), expected);
        put(path, "journal.db", b"file");
        assert_eq!(set_aside(path, "bad").unwrap(), Some(path.join("journal.db.bad-1")));
    }

    #[test]
    fn half_a_note_tells_nothing_and_one_that_is_too_old_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        put(path, "journal.db", b"file");
        put(path, NOTE, b"journal.db.old");
        assert_eq!(finish_set_aside(&OsFileSystem, path).unwrap(), None);
        assert_eq!(names(path), ["journal.db"]);
        // The log was moved; then an agent of an earlier version went on with the file.
        put(path, NOTE, b"journal.db.old-1\n");
        put(path, "journal.db.old-1-wal", b"log");
        put(path, "journal.db-wal", b"newer log");
        assert_eq!(finish_set_aside(&OsFileSystem, path).unwrap(), None);
        assert_eq!(names(path), ["journal.db", "journal.db-wal", "journal.db.old-1-wal"]);
    }

    #[test]
    fn a_log_without_its_file_is_set_aside_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        put(path, "journal.db-wal", b"log");
        assert!(has_log_alone(&OsFileSystem, path));
        assert_eq!(set_aside(path, "bad").unwrap(), Some(path.join("journal.db.bad-1")));
        assert_eq!(names(path), ["journal.db.bad-1-wal"]);
    }
}
