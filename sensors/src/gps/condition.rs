//! What the traffic on the line says about cable and settings.

use std::time::Duration;

use super::Counts;

/// A receiver sends every second; so long without a byte is a cable or a supply.
const SILENCE: Duration = Duration::from_secs(5);
/// So long, and so many bytes, without one good checksum is not noise any more.
const GARBAGE: Duration = Duration::from_secs(3);
const GARBAGE_BYTES: u64 = 200;
/// How often the line is looked at when nothing comes.
const CHECK: Duration = Duration::from_secs(2);

/// The traffic since the line was opened.
#[derive(Debug)]
pub(super) struct Line {
    bytes: u64,
    sentences: u64,
    last_byte_at: Duration,
    last_sentence_at: Duration,
    bytes_at_last_sentence: u64,
    sentences_at_opening: u64,
    checked_at: Duration,
}

impl Line {
    pub(super) fn opened(now: Duration, counts: &Counts) -> Self {
        Self {
            bytes: counts.lines.bytes,
            sentences: counts.lines.sentences,
            last_byte_at: now,
            last_sentence_at: now,
            bytes_at_last_sentence: counts.lines.bytes,
            sentences_at_opening: counts.lines.sentences,
            checked_at: now,
        }
    }

    pub(super) fn update(&mut self, now: Duration, counts: &Counts) {
        self.checked_at = now;
        if counts.lines.bytes > self.bytes {
            self.bytes = counts.lines.bytes;
            self.last_byte_at = now;
        }
        if counts.lines.sentences > self.sentences {
            self.sentences = counts.lines.sentences;
            self.last_sentence_at = now;
            self.bytes_at_last_sentence = counts.lines.bytes;
        }
    }

    pub(super) fn silent_for(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_byte_at)
    }

    pub(super) fn has_spoken(&self) -> bool {
        self.sentences > self.sentences_at_opening
    }

    pub(super) fn next_check(&self) -> Duration {
        self.checked_at + CHECK
    }

    /// What is wrong with the line, in words for people.
    pub(super) fn fault(&self, now: Duration, name: &str) -> Option<String> {
        if self.silent_for(now) >= SILENCE {
            return Some(format!(
                "no byte from {name} for {} s: is the receiver powered, and its TX wired to our RX?",
                SILENCE.as_secs()
            ));
        }
        let garbage = self.bytes - self.bytes_at_last_sentence;
        if garbage >= GARBAGE_BYTES && self.last_byte_at.saturating_sub(self.last_sentence_at) >= GARBAGE {
            return Some(format!(
                "bytes but no checksummed sentence from {name}: wrong baud rate? Try 9600, 38400, 115200, 4800"
            ));
        }
        None
    }
}
