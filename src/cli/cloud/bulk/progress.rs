//! How far it is, on a terminal; elsewhere nothing.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::platform::stderr::tell;

/// Drawn so often.
const FRAME: Duration = Duration::from_millis(100);

/// Characters of the bar.
const BAR: usize = 30;

/// A bar on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    total: usize,
    begun: Instant,
    drawn: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        Self { total, begun: Instant::now(), drawn: None, is_shown: std::io::stderr().is_terminal() }
    }

    /// How long news may be waited for.
    pub(super) fn frame() -> Duration {
        FRAME
    }

    /// Draws, if it is time to.
    pub(super) fn tell(&mut self, done: usize, failed: usize, is_waiting: bool) {
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= FRAME);
        if !self.is_shown || !is_due {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = words(done, self.total, failed, is_waiting, self.begun.elapsed());
        // Whether it can be seen changes nothing.
        let _ = write!(std::io::stderr().lock(), "\r{line}\u{1b}[K");
    }

    /// Says a sentence in its place.
    pub(super) fn say(&mut self, text: &str) {
        self.clear();
        tell!("{text}");
    }

    /// Takes it away.
    pub(super) fn end(mut self) {
        self.clear();
    }

    fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn words(done: usize, total: usize, failed: usize, is_waiting: bool, time: Duration) -> String {
    let full = (done * BAR).checked_div(total).unwrap_or(BAR).min(BAR);
    let mut text = format!("[{}{}] {done} of {total}", "#".repeat(full), ".".repeat(BAR - full));
    if failed > 0 {
        text += &format!(", {failed} failed");
    }
    if is_waiting {
        text += ", told to wait";
    } else if done > 0 && done < total {
        let left = time.as_secs_f64() / done as f64 * (total - done) as f64;
        text += &format!(", {left:.0} s left");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fits_a_line() {
        let time = Duration::from_secs(10);
        assert_eq!(words(0, 2, 0, false, time), "[..............................] 0 of 2");
        assert_eq!(words(1, 2, 0, false, time), "[###############...............] 1 of 2, 10 s left");
        assert_eq!(words(2, 2, 1, false, time), "[##############################] 2 of 2, 1 failed");
        assert!(words(99_999, 100_000, 9999, true, time).len() < 80);
    }
}
