//! Where a journal's waiting room is: in memory that outlives the program and not the machine, and by its name this
//! journal's alone. Whoever else may write there is not trusted.
//!
//! That is `$RUNTIME_DIRECTORY`, or else `/dev/shm`. Where there is neither there is no waiting room: on a disk a mere
//! write may wait for the disk, and sensing must not.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::platform::{owner, runtime_directory};

/// Memory that every program may use.
const SHARED_MEMORY: &str = "/dev/shm";
/// Only the agent's user may read what was measured.
const MODE: u32 = 0o600;

/// Where the waiting room of the journal in this directory is for this process.
pub fn waiting_room(directory: &Path) -> Option<PathBuf> {
    let mut parents = runtime_directory::of_this_process().into_iter().chain([PathBuf::from(SHARED_MEMORY)]);
    let parent = parents.find(|path| cfg!(unix) && path.is_dir())?;
    Some(parent.join(name(directory)?))
}

/// Wherever an agent, as a service or not, may have had the waiting room of the journal in this directory, each with what
/// may be left of its replacement.
pub fn waiting_rooms(directory: &Path) -> Vec<PathBuf> {
    let Some(name) = name(directory) else { return Vec::new() };
    let mut parents = [runtime_directory::OF_THE_UNIT, SHARED_MEMORY].map(PathBuf::from).to_vec();
    parents.extend(runtime_directory::of_this_process().filter(|own| !parents.contains(own)));
    let paths = parents.into_iter().map(|path| path.join(&name));
    paths.flat_map(|path| [replacement(&path), path]).collect()
}

/// Where what replaces it is written.
pub(super) fn replacement(path: &Path) -> PathBuf {
    path.with_extension("new")
}

fn name(directory: &Path) -> Option<String> {
    identity(directory).ok().map(|identity| format!("container-tracker-{identity}.room"))
}

/// What tells a state directory from every other, also from one that is made later under the same name.
#[cfg(unix)]
pub(super) fn identity(directory: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(directory)?;
    // A file system gives numbers away again; not all know when something was made.
    let made = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let made = made.unwrap_or_default().as_nanos();
    Ok(format!("{:x}-{:x}-{made:x}", metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(_: &Path) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Opens what is there, for this process alone, or makes it.
pub(super) fn open_or_make(path: &Path, state_directory: &Path) -> io::Result<File> {
    match open(path, state_directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path),
        file => lock(file?),
    }
}

/// Opens what is there. An error says what is there that is not to be trusted, and how to mend it.
pub(super) fn open(path: &Path, state_directory: &Path) -> io::Result<File> {
    // To open a device may already do something.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(distrusted(path, "is no file"));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = options.open(path)?;
    check(&file, path, state_directory)?;
    Ok(file)
}

/// Makes it, with nothing in it, for this process alone. Nothing may have its name.
pub(super) fn make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, MODE);
    lock(options.open(path)?)
}

/// Two agents would take each other's readings for their own; the state directory's lock may not be had.
fn lock(file: File) -> io::Result<File> {
    file.try_lock()?;
    Ok(file)
}

#[cfg(unix)]
fn check(file: &File, path: &Path, state_directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (metadata, me) = (file.metadata()?, owner::me());
    // Root may look for what the service's own user has left.
    let is_his = me == Some(0) && owner::of(state_directory) == Some(metadata.uid());
    // Where it is not known who one is, nobody but root can open what passes the next test, and is another's.
    if me.is_some_and(|me| me != metadata.uid()) && !is_his {
        return Err(distrusted(path, &format!("belongs to {}", owner::name(metadata.uid()))));
    }
    if !metadata.is_file() || metadata.nlink() != 1 || metadata.mode() & 0o077 != 0 {
        return Err(distrusted(path, "is not the agent's alone"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(_: &File, _: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn distrusted(path: &Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} {why}; remove it", path.display()))
}

/// Whether nobody finds the file any more: it was removed or replaced while it was open.
#[cfg(unix)]
pub(super) fn is_gone(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| std::os::unix::fs::MetadataExt::nlink(&metadata) == 0)
}

#[cfg(not(unix))]
pub(super) fn is_gone(_: &File) -> bool {
    false
}

/// The content of the file, of which no more than so many bytes are looked at.
pub(super) fn content(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes at this place, in one call.
#[cfg(unix)]
pub(super) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
pub(super) fn write_at(_: &File, _: &[u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Fills `bytes` from this place on.
#[cfg(unix)]
pub(super) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(not(unix))]
pub(super) fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
