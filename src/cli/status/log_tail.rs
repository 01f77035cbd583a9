//! The end of the agent's log: of the file where somebody has it go, or of what journald keeps of the agent's process.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Context;
use tracker_protocol::printable;

/// So many lines are kept: more than a terminal has.
const KEPT: usize = 200;
/// Of a file that exists already, so much is read.
const TAIL: u64 = 64 * 1024;
/// Where journald listens.
const JOURNALD: &str = "/run/systemd/journal/socket";

type Lines = Arc<Mutex<VecDeque<String>>>;

/// A log that is followed.
pub(super) struct LogTail {
    source: Source,
    lines: Lines,
}

enum Source {
    File { path: PathBuf, file: File, read: u64, rest: Vec<u8> },
    Journald { pid: u32, child: Child },
}

impl LogTail {
    /// Of this file.
    pub(super) fn of_file(path: &Path) -> anyhow::Result<Self> {
        let open = || format!("can't read the log {} (--log)", path.display());
        let is_file = std::fs::metadata(path).with_context(open)?.is_file();
        anyhow::ensure!(is_file, "the log {} (--log) is no file", path.display());
        let file = File::open(path).with_context(open)?;
        let read = file.metadata().with_context(open)?.len().saturating_sub(TAIL);
        let source = Source::File { path: path.into(), file, read, rest: Vec::new() };
        let mut tail = Self { source, lines: Lines::default() };
        tail.follow(None);
        // The first line is cut where the file is longer.
        let mut lines = lock(&tail.lines);
        if read > 0 && lines.len() < KEPT {
            lines.pop_front();
        }
        drop(lines);
        Ok(tail)
    }

    /// Of what journald has of this process; `None` where there is no journald.
    pub(super) fn of_journald(pid: u32) -> Option<Self> {
        if !Path::new(JOURNALD).exists() {
            return None;
        }
        let mut child = Command::new("journalctl")
            .args(["--follow", "--quiet", "--no-hostname", "--output=short-iso"])
            .arg(format!("--lines={KEPT}"))
            .arg(format!("_PID={pid}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let lines = Lines::default();
        let (output, kept) = (child.stdout.take()?, lines.clone());
        thread::spawn(move || {
            let lines = BufReader::new(output).split(b'\n').map_while(Result::ok);
            lines.for_each(|line| keep(&kept, &line));
        });
        Some(Self { source: Source::Journald { pid, child }, lines })
    }

    /// Reads on; `running` is the agent's process, where one runs.
    pub(super) fn follow(&mut self, running: Option<u32>) {
        match &mut self.source {
            Source::File { path, file, read, rest } => {
                let length = std::fs::metadata(&*path).map_or(0, |file| file.len());
                // Another file has its name now, or it was emptied.
                if length < *read
                    && let Ok(new) = File::open(&*path)
                {
                    (*file, *read) = (new, 0);
                    rest.clear();
                }
                let mut bytes = Vec::new();
                if file.seek(SeekFrom::Start(*read)).is_ok()
                    && let Ok(more) = file.take(TAIL).read_to_end(&mut bytes)
                {
                    *read += more as u64;
                    rest.extend(bytes);
                }
                let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let lines: Vec<u8> = rest.drain(..whole).collect();
                lines.split(|byte| *byte == b'\n').for_each(|line| keep(&self.lines, line));
            }
            Source::Journald { pid, .. } => {
                if let Some(new) = running.filter(|running| running != pid)
                    && let Some(tail) = Self::of_journald(new)
                {
                    *self = tail;
                }
            }
        }
    }

    /// Whose log it is.
    pub(super) fn source(&self) -> String {
        match &self.source {
            Source::File { path, .. } => format!("log, {}", printable(path.display())),
            Source::Journald { pid, .. } => format!("log, of journald for process {pid}"),
        }
    }

    /// Its last lines, printable.
    pub(super) fn lines(&self) -> Vec<String> {
        lock(&self.lines).iter().cloned().collect()
    }
}

impl Drop for LogTail {
    fn drop(&mut self) {
        if let Source::Journald { child, .. } = &mut self.source {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn keep(lines: &Lines, line: &[u8]) {
    if line.is_empty() {
        return;
    }
    let mut lines = lock(lines);
    if lines.len() == KEPT {
        lines.pop_front();
    }
    lines.push_back(printable(without_colours(&String::from_utf8_lossy(line))));
}

/// A line without the escape sequences that a log for people has for its colours.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let after = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        match after.strip_prefix('m') {
            Some(after) => text += after,
            None => text += &format!("\x1b[{part}"),
        }
    }
    text
}

fn lock(lines: &Lines) -> std::sync::MutexGuard<'_, VecDeque<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_is_followed_and_its_lines_are_shown_and_not_obeyed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.log");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\n\x1b[2m2026\x1b[0m \x1b[31mERROR\x1b[0m two \x1b[2J\nthr").unwrap();
        let mut tail = LogTail::of_file(&path).unwrap();
        assert_eq!(tail.lines(), ["one", "2026 ERROR two \\u{1b}[2J"]);
        file.write_all(b"ee\n").unwrap();
        tail.follow(None);
        assert_eq!(tail.lines().last().unwrap(), "three");
        // As when logs are rotated.
        std::fs::remove_file(&path).unwrap();
        File::create(&path).unwrap().write_all(b"anew\n").unwrap();
        tail.follow(None);
        assert_eq!(tail.lines().last().unwrap(), "anew");
        std::fs::remove_file(&path).unwrap();
        tail.follow(None);
        let mut long = File::create(&path).unwrap();
        (0..20_000).for_each(|n| writeln!(long, "line {n}").unwrap());
        let tail = LogTail::of_file(&path).unwrap();
        assert_eq!((tail.lines().len(), &**tail.lines().last().unwrap()), (KEPT, "line 19999"));
    }

    #[test]
    fn what_is_no_file_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        for (path, words) in
            [(directory.path().into(), "is no file"), (directory.path().join("x"), "can't read the log")]
        {
            let error = LogTail::of_file(&path).err().unwrap().to_string();
            assert!(error.contains(words) && error.contains("(--log)"), "{error}");
        }
    }
}
