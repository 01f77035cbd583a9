//! Who has a history: one console at a time, and the next one is told which.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Why it can't be had.
pub(super) enum Refusal {
    /// Somebody has it; who.
    InUse(String),
    /// The directory takes no file.
    Disk(String),
}

/// Held as long as it lives; the kernel takes it back from whoever dies. The file stays: to remove it would let two have one.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "it is held, not used")] File);

/// The name of the lock of a history.
pub(super) fn path(history: &Path) -> PathBuf {
    let mut name = history.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

impl Lock {
    /// Takes it, and writes who has it.
    pub(super) fn take(history: &Path) -> Result<Self, Refusal> {
        let path = path(history);
        let disk = |error: std::io::Error| Refusal::Disk(format!("{}: {error}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(disk)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let is_read = (&file).take(100).read_to_string(&mut holder).is_ok();
                let holder = holder.trim();
                let is_number =
                    is_read && !holder.is_empty() && holder.bytes().all(|byte| byte.is_ascii_digit());
                return Err(Refusal::InUse(if is_number {
                    format!("process {holder}")
                } else {
                    "another process".into()
                }));
            }
            Err(TryLockError::Error(error)) => return Err(disk(error)),
        }
        // That it can't be written on a full disk makes it no less ours.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self(file))
    }
}
