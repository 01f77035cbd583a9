//! A disk that fails when a test wants it to, and needs no rights for that: the journal's file system, and SQLite's.
//!
//! Names are durable at once on it, content when it is synced: [`FaultyDisk::after_power_cut`] has nothing else.
//!
//! SQLite works by a VFS of its own here, which hands everything on to the usual one, but for what the fault of the moment
//! forbids. So the codes that the journal meets are those that SQLite makes of it.

#![allow(unreachable_pub)]
#![allow(unsafe_code, reason = "a VFS is a table of C functions")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::fs::{self, File};
use std::io::{self, Error, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use container_tracker::journal::{FileSystem, OsFileSystem};
use rusqlite::ffi::{
    SQLITE_FULL, SQLITE_IOERR_DELETE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_READ, SQLITE_IOERR_SHMMAP,
    SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE, SQLITE_OK, SQLITE_OPEN_CREATE, SQLITE_OPEN_READONLY,
    SQLITE_OPEN_READWRITE, sqlite3_file, sqlite3_filename, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};
use tempfile::TempDir;

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No file can grow, and none be made.
    Full,
    /// It is mounted read-only.
    ReadOnly,
    /// Of what is written only half gets there, and that is an error.
    TornWrites,
    /// Nothing can be made durable.
    NoSync,
    /// Nothing can be read.
    NoReads,
    /// What is read is not what was written.
    OtherBytes,
    /// Programs can't share memory.
    NoSharedMemory,
    /// No file can get another name.
    NoRenames,
    /// The power is gone.
    Dead,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<Fault>,
    /// How often something on the disk has changed.
    changes: u64,
    /// The power goes in the middle of this change.
    dies_at: Option<u64>,
    /// What SQLite has synced, by file; files that it has opened and never synced are empty.
    synced: BTreeMap<PathBuf, Vec<u8>>,
}

/// A disk, and what is wrong with it.
#[derive(Debug)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
    vfs: String,
}

/// A change of the disk, as it comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Whole,
    Half,
    None(Fault),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl State {
    /// Something is about to change. `forbidden` are the faults that keep it from that.
    fn change(&mut self, forbidden: &[Fault]) -> Change {
        if self.fault == Some(Fault::Dead) {
            return Change::None(Fault::Dead);
        }
        self.changes += 1;
        if self.dies_at.is_some_and(|at| self.changes > at) {
            self.fault = Some(Fault::Dead);
            return Change::Half;
        }
        match self.fault {
            Some(Fault::TornWrites) => Change::Half,
            Some(fault) if forbidden.contains(&fault) => Change::None(fault),
            _ => Change::Whole,
        }
    }
}

impl FaultyDisk {
    /// A disk that works.
    pub fn new() -> Arc<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let vfs = format!("faulty-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let state = Arc::new(Mutex::new(State::default()));
        register(&vfs, state.clone());
        Arc::new(Self { state, vfs })
    }

    /// A disk whose power goes in the middle of the change after so many.
    pub fn that_dies_after(changes: u64) -> Arc<Self> {
        let disk = Self::new();
        lock(&disk.state).dies_at = Some(changes);
        disk
    }

    /// From now on this is wrong with it, or nothing is.
    pub fn set(&self, fault: impl Into<Option<Fault>>) {
        lock(&self.state).fault = fault.into();
    }

    /// Whether its power has gone.
    pub fn is_dead(&self) -> bool {
        lock(&self.state).fault == Some(Fault::Dead)
    }

    /// The files in a directory as a machine finds them that was killed now: all that was written is there.
    pub fn after_kill(directory: &Path) -> TempDir {
        let to = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            // The index is memory, which the power takes along.
            if !entry.file_name().to_string_lossy().ends_with("-shm") {
                fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
            }
        }
        to
    }

    /// The files in a directory as a machine finds them whose power was cut now: what was not synced is not there.
    pub fn after_power_cut(&self, directory: &Path) -> TempDir {
        let to = Self::after_kill(directory);
        for (path, content) in &lock(&self.state).synced {
            let path = to.path().join(path.file_name().unwrap());
            if path.exists() {
                File::create(path).unwrap().write_all(content).unwrap();
            }
        }
        to
    }

    fn change(&self, forbidden: &[Fault]) -> io::Result<()> {
        match lock(&self.state).change(forbidden) {
            Change::Whole => Ok(()),
            // A name is changed or is not.
            Change::Half => Err(Error::other("input/output error")),
            Change::None(fault) => Err(error(fault)),
        }
    }

    fn has(&self, faults: &[Fault]) -> io::Result<()> {
        let fault = lock(&self.state).fault.filter(|fault| faults.contains(fault));
        fault.map_or(Ok(()), |fault| Err(error(fault)))
    }
}

fn error(fault: Fault) -> Error {
    match fault {
        Fault::Full => ErrorKind::StorageFull.into(),
        Fault::ReadOnly => ErrorKind::ReadOnlyFilesystem.into(),
        _ => Error::other("input/output error"),
    }
}

impl FileSystem for FaultyDisk {
    fn length(&self, path: &Path) -> io::Result<u64> {
        OsFileSystem.length(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.has(&[Fault::NoReads, Fault::Dead])?;
        OsFileSystem.read(path)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let change = lock(&self.state).change(&[Fault::Full, Fault::ReadOnly]);
        match change {
            Change::None(fault) => return Err(error(fault)),
            Change::Half => {
                OsFileSystem.create(path, &content[..content.len() / 2])?;
                return Err(Error::other("input/output error"));
            }
            Change::Whole => OsFileSystem.create(path, content)?,
        }
        self.has(&[Fault::NoSync])
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(&[Fault::ReadOnly, Fault::NoRenames])?;
        OsFileSystem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsFileSystem.length(path)?;
        self.change(&[Fault::ReadOnly])?;
        OsFileSystem.remove(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.has(&[Fault::NoSync, Fault::Dead])?;
        OsFileSystem.sync_directory(path)
    }

    fn vfs(&self) -> Option<&str> {
        Some(&self.vfs)
    }
}

/// SQLite's view of it: its own VFS with other ways to open and to delete.
#[repr(C)]
struct Vfs {
    table: sqlite3_vfs,
    usual: *mut sqlite3_vfs,
    state: Arc<Mutex<State>>,
}

/// An open file of SQLite, which SQLite's own functions go on to work with.
struct Open {
    usual: &'static sqlite3_io_methods,
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

/// The open files, by address.
static FILES: Mutex<BTreeMap<usize, Open>> = Mutex::new(BTreeMap::new());

fn register(name: &str, state: Arc<Mutex<State>>) {
    let name = CString::new(name).unwrap().into_raw();
    // SAFETY: SQLite's own VFS is there for ever, and so is this one, which is leaked.
    unsafe {
        let usual = sqlite3_vfs_find(std::ptr::null());
        let mut table = *usual;
        table.zName = name;
        table.pNext = std::ptr::null_mut();
        table.xOpen = Some(open);
        table.xDelete = Some(delete);
        let vfs = Box::leak(Box::new(Vfs { table, usual, state }));
        assert_eq!(sqlite3_vfs_register(&raw mut vfs.table, 0), SQLITE_OK);
    }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: `vfs` is the table at the head of a `Vfs`; the rest is what SQLite promises its VFS.
    unsafe {
        let Vfs { usual, state, .. } = &*vfs.cast::<Vfs>();
        let read_only = matches!(lock(state).fault, Some(Fault::ReadOnly | Fault::Dead));
        let flags = if read_only {
            flags & !(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) | SQLITE_OPEN_READONLY
        } else {
            flags
        };
        let Some(usual_open) = (**usual).xOpen else { return SQLITE_IOERR_READ };
        let result = usual_open(*usual, name, file, flags, out);
        if result == SQLITE_OK {
            let usual = &*(*file).pMethods;
            let mut methods = *usual;
            methods.xClose = Some(close);
            methods.xRead = Some(read);
            methods.xWrite = Some(write);
            methods.xTruncate = Some(truncate);
            methods.xSync = Some(sync);
            if lock(state).fault == Some(Fault::NoSharedMemory) {
                methods.xShmMap = Some(no_shared_memory);
            }
            (*file).pMethods = Box::leak(Box::new(methods));
            let path = PathBuf::from(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
            let before = fs::read(&path).unwrap_or_default();
            lock(state).synced.entry(path.clone()).or_insert(before);
            lock(&FILES).insert(file as usize, Open { usual, path, state: state.clone() });
        }
        result
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let Vfs { usual, state, .. } = &*vfs.cast::<Vfs>();
        let change = lock(state).change(&[Fault::ReadOnly]);
        match ((**usual).xDelete, change) {
            (Some(usual_delete), Change::Whole) => {
                lock(state).synced.remove(Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes())));
                usual_delete(*usual, name, sync)
            }
            _ => SQLITE_IOERR_DELETE,
        }
    }
}

unsafe extern "C" fn no_shared_memory(
    _: *mut sqlite3_file,
    _: c_int,
    _: c_int,
    _: c_int,
    _: *mut *mut c_void,
) -> c_int {
    SQLITE_IOERR_SHMMAP
}

fn opened(file: *mut sqlite3_file) -> (&'static sqlite3_io_methods, Arc<Mutex<State>>) {
    let files = lock(&FILES);
    let open = &files[&(file as usize)];
    (open.usual, open.state.clone())
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let open = lock(&FILES).remove(&(file as usize));
    // SAFETY: the function of SQLite's own VFS, for a file that it has opened; here and in what follows.
    open.and_then(|open| open.usual.xClose).map_or(SQLITE_OK, |usual| unsafe { usual(file) })
}

unsafe extern "C" fn read(file: *mut sqlite3_file, to: *mut c_void, amount: c_int, at: i64) -> c_int {
    let (usual, state) = opened(file);
    let fault = lock(&state).fault;
    if matches!(fault, Some(Fault::NoReads | Fault::Dead)) {
        return SQLITE_IOERR_READ;
    }
    // SAFETY: SQLite gives room for `amount` bytes.
    unsafe {
        let result = usual.xRead.map_or(SQLITE_IOERR_READ, |usual| usual(file, to, amount, at));
        if fault == Some(Fault::OtherBytes) && result == SQLITE_OK {
            std::slice::from_raw_parts_mut(to.cast::<u8>(), amount as usize).fill(0xa5);
        }
        result
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, at: i64) -> c_int {
    let (usual, state) = opened(file);
    let mut length = 0;
    // SAFETY: see `close`.
    unsafe {
        usual.xFileSize.map(|usual| usual(file, &raw mut length));
        let grows = at + i64::from(amount) > length;
        let forbidden: &[Fault] = if grows { &[Fault::Full, Fault::ReadOnly] } else { &[Fault::ReadOnly] };
        let change = lock(&state).change(forbidden);
        let usual_write =
            |amount| usual.xWrite.map_or(SQLITE_IOERR_WRITE, |usual| usual(file, from, amount, at));
        match change {
            Change::Whole => usual_write(amount),
            Change::None(Fault::Full) => SQLITE_FULL,
            Change::None(_) => SQLITE_IOERR_WRITE,
            Change::Half => {
                usual_write(amount / 2);
                SQLITE_IOERR_WRITE
            }
        }
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: i64) -> c_int {
    let (usual, state) = opened(file);
    let change = lock(&state).change(&[Fault::ReadOnly]);
    match (usual.xTruncate, change) {
        // SAFETY: see `close`.
        (Some(usual), Change::Whole) => unsafe { usual(file, size) },
        _ => SQLITE_IOERR_TRUNCATE,
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    let (usual, state) = opened(file);
    let mut state = lock(&state);
    if matches!(state.fault, Some(Fault::NoSync | Fault::Dead)) {
        return SQLITE_IOERR_FSYNC;
    }
    let path = lock(&FILES)[&(file as usize)].path.clone();
    if let Ok(content) = fs::read(&path) {
        state.synced.insert(path, content);
    }
    // SAFETY: see `close`.
    usual.xSync.map_or(SQLITE_IOERR_FSYNC, |usual| unsafe { usual(file, flags) })
}
