//! Whether the state directory can be written, and how fast.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::platform::disk_room::free_mib;
use crate::platform::state_directory::StateDirectory;
use crate::platform::{owner, plain_file};

/// A flush that takes longer tells of a worn card.
const SLOW: Duration = Duration::from_secs(2);

pub(super) const CHECK: Check = Check {
    id: "disk",
    sentence: "the state directory can be written, and the disk has room for the journal",
    needs: &["configuration"],
    within: Duration::from_secs(30),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    let directory = &config.state.directory;
    let Some(existing) = directory.ancestors().find(|path| path.exists()) else {
        return Ok(Finding::error(format!("there is no place for {}", directory.display())));
    };
    if !existing.is_dir() {
        let text = format!("{} is no directory, and the agent does not start", existing.display());
        return Ok(Finding::fail(text, "remove it, or change state.directory"));
    }
    let lock = StateDirectory::new(directory).lock_file();
    if let Err(error) = plain_file::is_plain_or_missing(&lock) {
        let text = format!("{}: {error}, and the agent does not start", lock.display());
        return Ok(Finding::fail(text, "remove it: the agent makes it"));
    }
    let room = free_mib(existing);
    if existing != directory {
        let text = format!("{} does not exist yet: the agent makes it", directory.display());
        return Ok(Finding::pass(text));
    }
    let took = match write_test(directory) {
        Ok(took) => took,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let text = format!("this user may not write to {}", directory.display());
            return Ok(Finding::warn(text, as_the_service(directory)));
        }
        Err(error) => {
            let text = format!("{} can't be written: {error}", directory.display());
            return Ok(Finding::fail(
                text,
                "free space, or replace the card if it has turned read-only (dmesg)",
            ));
        }
    };
    let Some(room) = room else { return Ok(Finding::pass(format!("written in {} ms", took.as_millis()))) };
    let text = format!("{room} MiB free, written in {} ms", took.as_millis());
    if room < u64::from(config.state.journal_size_mib) {
        let mend = format!(
            "the journal may take {} MiB: free space, or lower state.journal_size_mib",
            config.state.journal_size_mib
        );
        return Ok(Finding::warn(text, mend));
    }
    if took > SLOW {
        return Ok(Finding::warn(text, "the card is slow, perhaps worn: replace it soon"));
    }
    Ok(Finding::pass(text))
}

/// What somebody does to whom the state directory is closed.
pub(super) fn as_the_service(directory: &Path) -> String {
    let owner = owner::of(directory).map_or_else(|| "another user".into(), owner::name);
    format!(
        "{} belongs to {owner}: run the check as the service does, sudo -u container-tracker container-tracker check; if \
         that is refused too, the directory must be given to the service's user",
        directory.display()
    )
}

/// Writes and flushes a small file, and takes it away.
fn write_test(directory: &Path) -> std::io::Result<Duration> {
    let path = directory.join(format!("check-{}", std::process::id()));
    let start = Instant::now();
    let written = plain_file::create(&path, 0o600).and_then(|mut file| {
        file.write_all(&[0x55; 4096])?;
        file.sync_all()
    });
    let took = start.elapsed();
    let removed = fs::remove_file(&path);
    written.and(removed).map(|()| took)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_closed_directory_belongs_to_is_told() {
        let mend = as_the_service(Path::new("/proc/1"));
        assert!(
            mend.starts_with("/proc/1 belongs to root: run the check as the service does, sudo -u "),
            "{mend}"
        );
    }

    #[test]
    fn what_somebody_has_linked_to_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let other = directory.path().join("other");
        fs::copy("/proc/self/comm", &other).unwrap();
        let before = fs::read(&other).unwrap();
        let link = directory.path().join(format!("check-{}", std::process::id()));
        std::os::unix::fs::symlink(&other, &link).unwrap();
        write_test(directory.path()).unwrap();
        assert_eq!(fs::read(&other).unwrap(), before);
        assert!(!link.exists() && fs::read_dir(directory.path()).unwrap().count() == 1);
    }
}
