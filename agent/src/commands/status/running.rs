//! Whether the agent that wrote a status lives, and whether it will write another one.

use std::path::Path;
use std::time::Duration;

use crate::platform::state_directory::StateDirectory;
use crate::status::file::StatusFile;
use crate::status::report::StatusReport;

/// An agent that has not written by then is busy, or hangs.
const WRITES_WITHIN: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(20);

/// Whether the agent with this process ID works in the state directory. Its lock knows best, which is gone with the
/// process; to other users it is closed.
pub(super) fn is_running(state_directory: &Path, pid: u32) -> bool {
    StateDirectory::new(state_directory).is_locked().unwrap_or_else(|| is_alive(pid))
}

/// Whether there is such a process, and it has not ended and waits for its parent to take notice.
fn is_alive(pid: u32) -> bool {
    // Where processes can't be seen like this, the age of the file must do.
    if !Path::new("/proc/self").exists() {
        return true;
    }
    // The state stands behind the name in parentheses, which may have parentheses and blanks in it.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// What the agent, which runs, writes when it is asked; what it wrote before where it can't be asked or does not answer.
pub(super) fn ask_for_present(state_directory: &Path, before: StatusReport) -> StatusReport {
    if !before.written_on_usr1 || !send_usr1(before.pid) {
        return before;
    }
    let mut waited = Duration::ZERO;
    while waited < WRITES_WITHIN {
        std::thread::sleep(LOOK);
        waited += LOOK;
        match StatusFile::read(state_directory) {
            Ok(Some(now)) if now.written_at() > before.written_at() => return now,
            _ => {}
        }
    }
    before
}

/// False where this user may not.
#[cfg(target_os = "linux")]
fn send_usr1(pid: u32) -> bool {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| kill_process(pid, Signal::USR1).is_ok())
}

#[cfg(not(target_os = "linux"))]
fn send_usr1(_pid: u32) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn who_has_ended_and_is_not_missed_yet_does_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(is_running(directory.path(), child.id()));
        child.kill().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
            std::thread::yield_now();
        }
        assert!(!is_running(directory.path(), child.id()));
        child.wait().unwrap();
        assert!(!is_running(directory.path(), child.id()));
    }

    #[test]
    fn the_lock_knows_better_than_the_process_id() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::new(directory.path());
        let lock = state.lock().unwrap();
        assert!(is_running(directory.path(), u32::MAX), "of another space of process IDs");
        drop(lock);
        assert!(!is_running(directory.path(), std::process::id()), "its number is somebody else's now");
    }
}
