//! Whether the journal is sound and has room.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::journal::inspect::inspect;
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
    let since = found.oldest.map(|oldest| format!(", the oldest of {}", oldest.format("%Y-%m-%d %H:%M UTC")));
    let mib = found.bytes as f64 / 1024.0 / 1024.0;
    let bound = config.state.journal_size_mib;
    let text =
        format!("{} readings wait{}; {mib:.1} of {bound} MiB", found.backlog, since.unwrap_or_default());
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
