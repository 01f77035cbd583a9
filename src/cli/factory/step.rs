//! A command of the line: run by the shell, in bounded time, of which a bounded part of the output is kept.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

/// So much of each output is kept.
const KEPT: usize = 256 * 1024;
const LOOK: Duration = Duration::from_millis(20);
/// How long an output may stay open when its program has ended.
const REST: Duration = Duration::from_secs(2);
/// So much of the reason is shown.
const SHOWN: usize = 300;

/// How a command has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` when a signal has ended it.
    pub(super) code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    /// The last line of its output that is a JSON object.
    pub(super) fn answer(&self) -> Option<Value> {
        let objects = self.stdout.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        objects.into_iter().find(Value::is_object)
    }

    /// What it says of itself: the last line on standard error, or of a check that failed, or else the last of all.
    pub(super) fn why(&self) -> String {
        let last = |text: &str| text.lines().rev().find(|line| !line.trim().is_empty()).map(str::to_owned);
        let failed = self.stdout.lines().find(|line| line.starts_with('✗')).map(str::to_owned);
        let said = failed.or_else(|| last(&self.stderr)).or_else(|| last(&self.stdout));
        let said: String = said.unwrap_or_else(|| "it said nothing".into()).chars().take(SHOWN).collect();
        match self.code {
            Some(code) => format!("{said} (exit code {code})"),
            None => format!("{said} (ended by a signal)"),
        }
    }
}

/// Runs a command in which names in braces are replaced.
pub(super) fn run(command: &str, values: &[(&str, String)], within: Duration) -> anyhow::Result<Ended> {
    let mut text = command.to_owned();
    for (name, value) in values {
        text = text.replace(name, &quoted(value));
    }
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(&text)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("no shell can be started (sh)")?;
    let outputs = (child.stdout.take().map(collect), child.stderr.take().map(collect));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().context("the command can't be waited for")? {
            break status;
        }
        if begun.elapsed() > within {
            let _ = child.kill();
            let _ = child.wait();
            bail!("it has not ended within {} s (--within)", within.as_secs());
        }
        sleep(LOOK);
    };
    let text = |output: Option<Receiver<Vec<u8>>>| {
        let bytes = output.and_then(|output| output.recv_timeout(REST).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Ended { code: status.code(), stdout: text(outputs.0), stderr: text(outputs.1) })
}

/// For the shell, one word; names of boxes need it not, names of directories may.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._/:%".contains(c);
    if text.chars().all(is_plain) { text.into() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Reads to the end, and keeps the last part: a command must not wait because nobody reads.
fn collect(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    spawn(move || {
        let (mut kept, mut part) = (Vec::new(), [0; 8192]);
        while let Ok(count @ 1..) = from.read(&mut part) {
            kept.extend_from_slice(&part[..count]);
            if kept.len() > 2 * KEPT {
                kept.drain(..kept.len() - KEPT);
            }
        }
        let _ = sender.send(kept);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_in_its_time_and_tells_why() {
        let ended = run(
            "echo '{\"outcome\":\"later\"}'; echo {x} >&2; exit 4",
            &[("{x}", "a'b c".into())],
            Duration::from_secs(20),
        );
        let ended = ended.unwrap();
        assert_eq!((ended.code, ended.why().as_str()), (Some(4), "a'b c (exit code 4)"));
        assert_eq!(ended.answer().unwrap()["outcome"], "later");
        let told = run("exec sleep 60", &[], Duration::from_millis(50)).unwrap_err().to_string();
        assert!(told.contains("not ended within"), "{told}");
        let much = run("yes | head -c 3000000; exit 0", &[], Duration::from_secs(20)).unwrap();
        assert!(much.stdout.len() <= 2 * KEPT + 8192 && much.code == Some(0));
    }
}
