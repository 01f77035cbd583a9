//! The state directory (`state.directory`): everything that may lie there, and the lock that keeps it for one agent.
//!
//! | name | what it is | after `deprovision` |
//! |---|---|---|
//! | `assignment.json` | the hub that DPS assigned | gone |
//! | `settings.json` | what the twin has set | gone |
//! | `evidence.json` | when the chain of evidence was signed, and by which certificate | gone |
//! | `status.json` | what the running agent is doing, where there is no runtime directory | gone |
//! | `journal.db`, `-wal`, `-shm` | readings that the hub has not acknowledged | as the operator says |
//! | `journal.spare` | room that is released when the disk is full | as the operator says |
//! | `journal.aside` | note of a journal that is being set aside | as the operator says |
//! | `journal.db.bad-N`, `journal.db.old-N`, each with `-wal`, `-shm` | journals that were set aside | stays, for somebody to look at |
//! | `operational/` | certificates that Azure has issued, with their keys: see `identity::operational` | gone |
//! | `tpm-key.json` | the key that a TPM signs tokens for its hub with, wrapped for that TPM | gone |
//! | `refused-pin.json` | digest of the PIN that a token refused | stays: the token is still the same |
//! | `lock` | held by the agent that works here | stays: others may be waiting for it |
//! | `*.new` | one of the `.json` while it is being replaced; a power cut may leave it behind | as the file itself |
//! | `check-PID` | written, flushed and removed by `check`, to see how the disk does | gone with the next one |
//!
//! Readings that wait for their commit lie elsewhere, in memory, in a file that goes with the journal: see
//! `journal::waiting_rooms`.
//!
//! Every other name is somebody else's, and left alone.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::platform::{plain_file, state_file};

/// What becomes of a file when the device forgets where it belonged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It tells where the device belonged, and is removed.
    Forgotten,
    /// It belongs to the journal.
    Journal,
    /// It stays.
    Stays,
}

/// The table above, as far as names are fixed.
const FILES: [(&str, Fate); 12] = [
    (ASSIGNMENT, Fate::Forgotten),
    (SETTINGS, Fate::Forgotten),
    (EVIDENCE, Fate::Forgotten),
    (TPM_KEY, Fate::Forgotten),
    (STATUS, Fate::Forgotten),
    (JOURNAL, Fate::Journal),
    ("journal.db-wal", Fate::Journal),
    ("journal.db-shm", Fate::Journal),
    ("journal.spare", Fate::Journal),
    ("journal.aside", Fate::Journal),
    (REFUSED_PIN, Fate::Stays),
    (LOCK, Fate::Stays),
];

const ASSIGNMENT: &str = "assignment.json";
const SETTINGS: &str = "settings.json";
const EVIDENCE: &str = "evidence.json";
const TPM_KEY: &str = "tpm-key.json";
const STATUS: &str = "status.json";
const JOURNAL: &str = "journal.db";
const OPERATIONAL: &str = "operational";
const REFUSED_PIN: &str = "refused-pin.json";
const LOCK: &str = "lock";
/// Far longer than the question takes whether the lock is taken.
const ASKED_WITHIN: Duration = Duration::from_millis(50);

/// A state directory, which need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDirectory(PathBuf);

/// The lock, held until this is dropped.
#[derive(Debug)]
pub enum Lock {
    /// Nobody else works here.
    Held(File),
    /// The disk takes no lock, so nobody can know; the text says why. That is no reason to stop measuring.
    Unknown(String),
}

/// Why a state directory can't be had for oneself.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("another container-tracker works in {} (state.directory); stop it first", .directory.display())]
    Taken {
        /// The state directory.
        directory: PathBuf,
    },
    /// The file can't be made.
    #[error("can't make {}: {source}", .path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file can't be locked.
    #[error("can't lock {}: {source}", .path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateDirectory {
    /// The directory at `path`.
    pub fn new(path: &Path) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The key that a TPM was given for the hub.
    #[cfg(feature = "tpm")]
    pub fn tpm_key(&self) -> PathBuf {
        self.0.join(TPM_KEY)
    }

    /// The hub that DPS assigned.
    pub fn assignment(&self) -> PathBuf {
        self.0.join(ASSIGNMENT)
    }

    /// What the twin has set.
    pub fn settings(&self) -> PathBuf {
        self.0.join(SETTINGS)
    }

    /// When the chain of evidence was signed.
    pub fn evidence(&self) -> PathBuf {
        self.0.join(EVIDENCE)
    }

    /// What the running agent is doing, where there is no runtime directory.
    pub fn status(&self) -> PathBuf {
        self.0.join(STATUS)
    }

    /// The journal's main file; what else belongs to it begins with the same name.
    pub fn journal(&self) -> PathBuf {
        self.0.join(JOURNAL)
    }

    /// What the agent that works here holds.
    pub fn lock_file(&self) -> PathBuf {
        self.0.join(LOCK)
    }

    /// The folder of the certificates that Azure has issued, with their keys.
    pub fn operational(&self) -> PathBuf {
        self.0.join(OPERATIONAL)
    }

    /// The memory of the PIN that a token refused.
    pub fn refused_pin(&self) -> PathBuf {
        self.0.join(REFUSED_PIN)
    }

    /// Every file with a fixed name and this fate, whether it is there or not, and what a power cut may have left of the
    /// replacement of one that is replaced whole.
    pub fn files(&self, fate: Fate) -> impl Iterator<Item = PathBuf> {
        let named = FILES.iter().filter(move |(_, is)| *is == fate).map(|(name, _)| self.0.join(name));
        named.flat_map(|path| {
            let is_replaced = path.extension().is_some_and(|extension| extension == "json");
            let replacement = is_replaced.then(|| state_file::replacement(&path));
            replacement.into_iter().chain([path])
        })
    }

    /// Takes the directory, which must exist, for one agent: two would send each reading twice, and number two readings
    /// alike.
    pub fn lock(&self) -> Result<Lock, LockError> {
        let path = self.lock_file();
        // One that is there needs no room and no permission to write.
        let file = plain_file::open(&path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => plain_file::create_new(&path, state_file::READABLE),
            _ => Err(error),
        });
        let file = match file {
            Ok(file) => file,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull) =>
            {
                return Ok(Lock::Unknown(format!(
                    "can't make {} ({error}): nothing keeps a second container-tracker from working here too",
                    path.display()
                )));
            }
            Err(source) => return Err(LockError::Make { path, source }),
        };
        let taken = file.try_lock().or_else(|_| {
            // Somebody may only be asking whether it is taken.
            std::thread::sleep(ASKED_WITHIN);
            file.try_lock()
        });
        match taken {
            Ok(()) => Ok(Lock::Held(file)),
            Err(TryLockError::WouldBlock) => Err(LockError::Taken { directory: self.0.clone() }),
            Err(TryLockError::Error(source)) => Err(LockError::Lock { path, source }),
        }
    }

    /// Whether an agent works here now, `None` where that can't be asked: there is no lock, or it is not for this user.
    /// Changes nothing and keeps nobody out, but for the moment of the question.
    pub fn is_locked(&self) -> Option<bool> {
        match plain_file::open(&self.lock_file()).ok()?.try_lock_shared() {
            Ok(()) => Some(false),
            Err(TryLockError::WouldBlock) => Some(true),
            Err(TryLockError::Error(_)) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_a_directory_and_whoever_asks_keeps_nobody_out() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::new(directory.path());
        assert_eq!(state.is_locked(), None);
        let lock = state.lock().unwrap();
        assert!(matches!(lock, Lock::Held(_)) && state.is_locked() == Some(true));
        let taken = state.lock().unwrap_err().to_string();
        assert!(taken.starts_with("another container-tracker works in "), "{taken}");
        drop(lock);
        assert!(state.is_locked() == Some(false) && state.lock().is_ok());
    }

    #[test]
    fn what_is_forgotten_is_so_with_all_that_a_power_cut_may_leave_of_it() {
        let state = StateDirectory::new(Path::new("/s"));
        let names =
            |fate| -> Vec<String> { state.files(fate).map(|path| path.display().to_string()).collect() };
        let forgotten = names(Fate::Forgotten);
        for path in [state.assignment(), state.settings(), state.status(), "/s/assignment.new".into()] {
            assert!(forgotten.contains(&path.display().to_string()), "{forgotten:?}");
        }
        assert!(names(Fate::Journal).contains(&state.journal().display().to_string()));
        assert!(!names(Fate::Journal).contains(&"/s/journal.new".to_owned()), "it is not replaced whole");
        assert!(names(Fate::Stays).contains(&state.refused_pin().display().to_string()));
    }
}
