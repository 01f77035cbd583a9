//! Whether the journal is sound and has room.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use rusqlite::ErrorCode;

use super::context::Context;
use super::disk::as_the_service;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::journal::FILES;
use crate::journal::inspect::inspect;
use crate::platform::clock::minute;
use crate::platform::owner;
use crate::platform::state_directory::StateDirectory;

pub(super) const CHECK: Check = Check {
    id: "journal",
    sentence: "the journal is sound, and what waits in it has room",
    needs: &["configuration"],
    within: Duration::from_secs(30),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    let found = match inspect(&config.state.directory) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Finding::pass("none yet: the agent makes it when it starts")),
        // On a file system without shared memory the agent keeps others out.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && context.agent_runs() => {
            return Ok(Finding::skip("the running agent has it for itself; status tells how it is"));
        }
        // To look at it takes the right to write beside it.
        Err(error)
            if matches!(
                error.sqlite_error_code(),
                Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
            ) && owner::me() != Some(0) =>
        {
            let directory = &config.state.directory;
            let text = format!("this user may not look at the journal in {}: {error}", directory.display());
            return Ok(Finding::fail(text, as_the_service(directory)));
        }
        Err(error) => {
            let text = format!("the journal in {} can't be read: {error}", config.state.directory.display());
            return Ok(Finding::fail(
                text,
                "if that is a matter of rights, try sudo; else the agent sets it aside and begins a new one",
            ));
        }
    };
    if let Some(damage) = found.damage {
        return Ok(Finding::fail(
            format!("the journal is damaged: {}", damage.trim()),
            "the agent sets it aside at its next start and begins a new one; replace the SD card if it happens again",
        ));
    }
    let since = found.oldest.map(|oldest| format!(", the oldest of {}", minute(oldest)));
    let mib = found.bytes as f64 / 1024.0 / 1024.0;
    let bound = config.state.journal_size_mib;
    let text =
        format!("{} readings wait{}; {mib:.1} of {bound} MiB", found.backlog, since.unwrap_or_default());
    if let Some(why) = not_writable(&config.state.directory) {
        return Ok(Finding::fail(
            format!("{text}; the agent can't write it: {why}"),
            "give it back to the user of the service",
        ));
    }
    if let Some(unreadable) = found.unreadable {
        return Ok(Finding::warn(
            format!("{text}; {unreadable}"),
            "the agent puts it aside at its next start, counts it as lost and delivers the others; replace the SD card if it \
             happens again",
        ));
    }
    if found.put_aside > 0 {
        let file = StateDirectory::new(&config.state.directory).journal();
        let text = format!("{text}; {} could not be read and were put aside", found.put_aside);
        let mend = format!(
            "look at them: sqlite3 {0} 'SELECT * FROM unreadable'; then: sqlite3 {0} 'DROP TABLE unreadable'",
            file.display()
        );
        return Ok(Finding::warn(text, mend));
    }
    if mib > f64::from(bound) * 0.9 {
        return Ok(Finding::warn(
            text,
            "the history becomes coarser now; bring the device online, or raise state.journal_size_mib",
        ));
    }
    if let Some(aside) = found.set_aside.first() {
        let text = format!("{text}; {} was set aside", aside.display());
        return Ok(Finding::warn(text, "look at it with sqlite3, then delete it"));
    }
    Ok(Finding::pass(text))
}

/// Why the agent, as the user of its state directory, could not write the journal; `None` where it can.
fn not_writable(directory: &Path) -> Option<String> {
    let user = owner::of(directory)?;
    let files = || FILES.iter().map(|name| directory.join(name)).filter(|path| path.is_file());
    let foreign = || owner::foreign(files(), user, directory);
    if owner::me() == Some(0) {
        // Root may write everything, and root's agent too.
        return foreign().filter(|_| user != 0);
    }
    // Another one's rights can't be tried.
    if owner::me() != Some(user) {
        return None;
    }
    files().find_map(|path| {
        let error = OpenOptions::new().write(true).open(&path).err()?;
        Some(foreign().unwrap_or_else(|| format!("{}: {error}", path.display())))
    })
}
