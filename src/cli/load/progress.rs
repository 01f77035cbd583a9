//! How far it is: a bar on a terminal, JSON lines elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::lab::load::{Devices, Messages, Shared};
use crate::platform::stderr::tell;
use crate::platform::stdout::line;

/// Characters of the bar.
const BAR: usize = 24;
/// Between two lines for programs.
const LINES: Duration = Duration::from_secs(10);

/// Tells how far it is.
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    /// In lines for programs.
    is_json: bool,
    has_bar: bool,
    is_drawn: bool,
    told: Instant,
    /// Since when it is about messages.
    ready: Option<Instant>,
}

impl Progress {
    /// For a person at a terminal, unless `is_json`.
    pub(super) fn new(is_json: bool) -> Self {
        let is_json = is_json || !std::io::stdout().is_terminal();
        let has_bar = !is_json && std::io::stderr().is_terminal();
        let now = Instant::now();
        Self { begun: now, is_json, has_bar, is_drawn: false, told: now, ready: None }
    }

    /// Whether results are for programs.
    pub(super) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Tells what there is to tell now.
    pub(super) fn tell(&mut self, shared: &Shared) {
        let (devices, messages) = (Devices::of(shared), Messages::of(shared));
        if self.has_bar {
            if self.ready.is_none() && devices.online + devices.failed >= devices.planned {
                self.ready = Some(Instant::now());
            }
            let text = words(&devices, &messages, (self.begun, self.ready), shared.is_held());
            self.is_drawn = true;
            // Whether it can be seen changes nothing.
            let _ = write!(std::io::stderr().lock(), "\r{text}\u{1b}[K");
        }
        if self.is_json && self.told.elapsed() >= LINES {
            self.told = Instant::now();
            let told = json!({
                "event": "progress",
                "seconds": self.begun.elapsed().as_secs(),
                "devices": devices,
                "online": shared.tally.online.get(),
                "messages": messages,
                "faults": shared.tally.faults(),
            });
            line(&told.to_string());
        }
    }

    /// Says a sentence.
    pub(super) fn say(&mut self, kind: &str, text: &str) {
        self.clear();
        if self.is_json {
            line(&json!({"event": kind, "text": text}).to_string());
        } else {
            tell!("{text}");
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

/// First devices that come, then messages.
fn words(
    devices: &Devices,
    messages: &Messages,
    (begun, ready): (Instant, Option<Instant>),
    is_waiting: bool,
) -> String {
    let (done, total, what, since) = match ready {
        None => (devices.online, devices.planned, "devices online", begun),
        Some(ready) => (messages.acknowledged, messages.planned, "messages", ready),
    };
    let part = if total == 0 { 1.0 } else { done as f64 / total as f64 };
    let full = ((part * BAR as f64) as usize).min(BAR);
    let mut text = format!("[{}{}] {done} of {total} {what}", "#".repeat(full), ".".repeat(BAR - full));
    let rate = done as f64 / since.elapsed().as_secs_f64().max(0.001);
    if is_waiting {
        text += ", told to wait";
    } else if done > 0 && done < total {
        text += &format!(", {rate:.0}/s, {:.0} s left", (total - done) as f64 / rate);
    }
    if devices.failed > 0 {
        text += &format!(", {} gave up", devices.failed);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_a_line_and_goes_from_devices_to_messages() {
        let devices = Devices { planned: 100_000, online: 50_000, failed: 9999, ..Devices::default() };
        let messages = Messages { planned: 500_000, acknowledged: 125_000, ..Messages::default() };
        let now = Instant::now();
        let text = words(&devices, &messages, (now, None), true);
        assert_eq!(
            text,
            "[############............] 50000 of 100000 devices online, told to wait, 9999 gave up"
        );
        let text = words(&devices, &messages, (now, Some(now)), false);
        assert!(text.starts_with("[######..................] 125000 of 500000 messages, "), "{text}");
        let begun = now.checked_sub(Duration::from_secs(100)).unwrap();
        let text = words(&devices, &messages, (begun, None), false);
        assert!(text.contains(", 500/s, 100 s left"), "{text}");
    }
}
