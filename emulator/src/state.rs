//! What outlives a restart, in a directory of its own.
//!
//! ```text
//!  state/
//!    emulator.lock       held while an emulator uses the directory
//!    server-ca.pem       the certificate that clients trust
//!    server-ca-key.pem   its key
//!    server-ca-rsa.pem, server-ca-rsa-key.pem   the same with an RSA key, where there is one
//!    dps.json            access keys, CA certificates, enrollments, registration records, linked hubs
//!    hubs/{name}.json    access keys, device identities, twins, routing, messages and notices that wait
//!    storage/            files that devices upload, and that jobs read and write; written at once
//! ```
//!
//! Every file is written beside its place and moved into it, so a reader sees the old one or the new one, whole. All
//! are for their owner's eyes alone (mode 0600 on Unix): they hold keys. Changes are written together, half a second
//! after the first of them, and at shutdown; a kill loses that half second at most. Counters, faults, and registrations
//! under way are not kept.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    dps::{Dps, KeptDps},
    hub::KeptHub,
    lock::Changes,
    net::tls::{KeptAuthority, ServerIdentity},
};

/// How long changes are gathered before they are written.
const GATHERING: Duration = Duration::from_millis(500);

const DPS_FILE: &str = "dps.json";
const LOCK_FILE: &str = "emulator.lock";
/// How often it is looked whether a state directory is free, and how long between.
const LOCK_TRIES: u32 = 50;
const LOCK_AGAIN: Duration = Duration::from_millis(20);
const HUBS: &str = "hubs";
const CA_FILE: &str = "server-ca.pem";
const CA_KEY_FILE: &str = "server-ca-key.pem";
const RSA_CA_FILE: &str = "server-ca-rsa.pem";
const RSA_CA_KEY_FILE: &str = "server-ca-rsa-key.pem";

const END_OF_CERTIFICATE: &str = "-----END CERTIFICATE-----\n";

/// The state directory can't be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another emulator uses the directory.
    #[error("another emulator uses the state directory {0}")]
    InUse(PathBuf),
    /// A file is not what an emulator wrote.
    #[error(
        "{path} is not readable: line {line}, column {column} is not as it has to be; move it away to begin anew"
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Where it is wrong. What stands there is not repeated: it may be a key.
        line: usize,
        /// In that line.
        column: usize,
    },
}

/// An open state directory; nobody else uses it meanwhile.
#[derive(Debug)]
pub(crate) struct StateDirectory {
    path: PathBuf,
    /// Released when it is closed; `None` while no emulator has used the directory, which stays untouched then.
    lock: Option<File>,
}

/// What was found in it.
#[derive(Default)]
pub(crate) struct Kept {
    pub authority: Option<KeptAuthority>,
    /// Of the RSA certificate, where there is one.
    pub rsa_authority: Option<KeptAuthority>,
    pub dps: Option<KeptDps>,
    pub hubs: BTreeMap<String, KeptHub>,
}

impl StateDirectory {
    /// Takes the directory, as far as that can be done without writing: one that is new is taken by [`Self::claim`].
    pub(crate) fn open(path: PathBuf) -> Result<Self, StateError> {
        let lock_path = path.join(LOCK_FILE);
        let lock = match OpenOptions::new().write(true).open(&lock_path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(at(&lock_path)(source)),
        };
        let directory = Self { path, lock };
        directory.try_lock()?;
        Ok(directory)
    }

    /// Takes a new directory too, and makes it if need be.
    fn claim(&mut self) -> Result<(), StateError> {
        let hubs = self.path.join(HUBS);
        fs::create_dir_all(&hubs).map_err(at(&hubs))?;
        if self.lock.is_none() {
            let lock_path = self.path.join(LOCK_FILE);
            let options = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
            self.lock = Some(options.map_err(at(&lock_path))?);
            self.try_lock()?;
        }
        Ok(())
    }

    /// A program that this process has just started holds its locks too, for the moment until it is another program.
    fn try_lock(&self) -> Result<(), StateError> {
        let Some(lock) = &self.lock else { return Ok(()) };
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(()),
                Err(fs::TryLockError::WouldBlock) => thread::sleep(LOCK_AGAIN),
                Err(fs::TryLockError::Error(source)) => return Err(at(&self.path.join(LOCK_FILE))(source)),
            }
        }
        Err(StateError::InUse(self.path.clone()))
    }

    pub(crate) fn load(&self) -> Result<Kept, StateError> {
        let authority = self.authority(CA_FILE, CA_KEY_FILE)?;
        let rsa_authority = self.authority(RSA_CA_FILE, RSA_CA_KEY_FILE)?;
        let mut hubs = BTreeMap::new();
        let directory = self.path.join(HUBS);
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(at(&directory)(source)),
        };
        for entry in entries.into_iter().flatten() {
            let path = entry.map_err(at(&directory))?.path();
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json"));
            if let Some(name) = name
                && let Some(hub) = read_json(&path)?
            {
                hubs.insert(name.to_owned(), hub);
            }
        }
        Ok(Kept { authority, rsa_authority, dps: read_json(&self.path.join(DPS_FILE))?, hubs })
    }

    /// The first certificate of a file with its key: others that clients trust may stand behind it.
    fn authority(&self, certificate: &str, key: &str) -> Result<Option<KeptAuthority>, StateError> {
        let kept = self.text(certificate)?.zip(self.text(key)?);
        Ok(kept.map(|(text, key)| {
            let first = text.split_inclusive(END_OF_CERTIFICATE).next().unwrap_or_default();
            KeptAuthority { certificate: format!("{}\n", first.trim_end()), key }
        }))
    }

    fn text(&self, name: &str) -> Result<Option<String>, StateError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(at(&path)(source)),
        }
    }

    fn write(&self, name: &Path, content: &[u8]) -> Result<(), StateError> {
        let path = self.path.join(name);
        write_whole(&path, content, true).map_err(at(&path))
    }

    fn write_json(&self, name: &Path, value: &impl Serialize) -> Result<(), StateError> {
        let text = serde_json::to_vec_pretty(value).map_err(format_of(&self.path.join(name)))?;
        self.write(name, &text)
    }

    fn save(&self, dps: &Dps) -> Result<(), StateError> {
        for hub in dps.hubs() {
            self.write_json(&Path::new(HUBS).join(format!("{}.json", hub.name())), &hub.keep())?;
        }
        self.write_json(Path::new(DPS_FILE), &dps.keep())
    }
}

/// Writes changes as they come.
pub(crate) struct Keeper {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Writes everything once, so that a directory that can't be written is noticed now.
    pub(crate) fn start(
        mut directory: StateDirectory,
        dps: Dps,
        identity: &ServerIdentity,
        changes: &Changes,
    ) -> Result<Self, StateError> {
        directory.claim()?;
        let changed = changes.subscribe();
        let authority = identity.keep();
        directory.write(Path::new(CA_KEY_FILE), authority.key.as_bytes())?;
        directory.write(Path::new(CA_FILE), identity.ca_pem().as_bytes())?;
        if let Some(rsa) = identity.keep_rsa() {
            directory.write(Path::new(RSA_CA_KEY_FILE), rsa.key.as_bytes())?;
            directory.write(Path::new(RSA_CA_FILE), rsa.certificate.as_bytes())?;
        }
        directory.save(&dps)?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(keep(directory, dps, changed, stopped));
        Ok(Self { stop, task })
    }

    /// Writes what is not written yet, and gives the directory free.
    pub(crate) async fn stop(self) {
        // The receiver is gone only if the task is.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn keep(
    directory: StateDirectory,
    dps: Dps,
    mut changed: watch::Receiver<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut directory = Some(directory);
    loop {
        let last = tokio::select! {
            _ = stopped.changed() => true,
            _ = changed.changed() => tokio::select! {
                _ = stopped.changed() => true,
                () = tokio::time::sleep(GATHERING) => false,
            },
        };
        changed.mark_unchanged();
        // The directory goes to another thread and comes back: the disk may be slow.
        let Some(owned) = directory.take() else { return };
        let dps = dps.clone();
        let saved = tokio::task::spawn_blocking(move || {
            let saved = owned.save(&dps);
            (owned, saved)
        });
        let Ok((returned, saved)) = saved.await else { return };
        directory = Some(returned);
        if let Err(error) = saved {
            tracing::error!(%error, "the state was not written; the next change tries again");
        }
        if last {
            return;
        }
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(at(path)(source)),
    };
    serde_json::from_slice(&text).map(Some).map_err(format_of(path))
}

fn format_of(path: &Path) -> impl FnOnce(serde_json::Error) -> StateError + '_ {
    move |error| StateError::Format { path: path.to_owned(), line: error.line(), column: error.column() }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StateError + '_ {
    move |source| StateError::File { path: path.to_owned(), source }
}

/// Writes beside the file and moves it into place: a reader sees the old content or the new one, never half.
pub(crate) fn write_whole(path: &Path, content: &[u8], secret: bool) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = OpenOptions::new();
    // What a killed emulator has left there goes, and never a file that somebody's link leads to.
    let _ = fs::remove_file(&beside);
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let mut file = options.open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The new name is on the disk only with its directory.
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}
