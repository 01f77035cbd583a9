//! What the traffic on the line says about cable and settings.

use std::time::Duration;

use super::Counts;

/// From a receiver that sends every second so long without a byte is a cable or a supply.
pub(super) const SILENCE: Duration = Duration::from_secs(5);
/// So long, and so many bytes, without one good checksum is not noise any more.
const GARBAGE: Duration = Duration::from_secs(3);
const GARBAGE_BYTES: u64 = 200;
/// So many lines that would be sentences with a checksum are no chance.
const UNCHECKED: u64 = 3;
/// Damage is counted over so long; more than half of the sentences is no chance.
const WINDOW: Duration = Duration::from_secs(30);
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
    unchecked: u64,
    unchecked_at_last_sentence: u64,
    sentences_at_opening: u64,
    opened_at: Duration,
    checked_at: Duration,
    /// The window that damage is counted in: when it began, sentences sound and damaged before it.
    window: (Duration, u64, u64),
    /// Whether more than half of the sentences of the last window were damaged.
    is_damaged: bool,
}

/// What is wrong with the line, in words for people.
#[derive(Debug)]
pub(super) struct Fault {
    /// What is seen.
    pub(super) what: String,
    /// What the cause may be, and how to mend it.
    pub(super) advice: &'static str,
}

impl Line {
    pub(super) fn opened(now: Duration, counts: &Counts) -> Self {
        Self {
            bytes: counts.lines.bytes,
            sentences: counts.lines.sentences,
            last_byte_at: now,
            last_sentence_at: now,
            bytes_at_last_sentence: counts.lines.bytes,
            unchecked: counts.lines.without_checksum,
            unchecked_at_last_sentence: counts.lines.without_checksum,
            sentences_at_opening: counts.lines.sentences,
            opened_at: now,
            checked_at: now,
            window: (now, counts.lines.sentences, counts.lines.bad_checksum),
            is_damaged: false,
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
            self.unchecked_at_last_sentence = counts.lines.without_checksum;
        }
        self.unchecked = counts.lines.without_checksum;
        let (begun, sound, bad) = self.window;
        if now.saturating_sub(begun) >= WINDOW {
            let (now_sound, now_bad) = (counts.lines.sentences, counts.lines.bad_checksum);
            self.is_damaged = now_bad - bad > now_sound - sound;
            self.window = (now, now_sound, now_bad);
        }
    }

    /// More than half of the sentences come damaged, though some come.
    pub(super) fn damage(&self, name: impl Fn() -> String) -> Option<Fault> {
        self.is_damaged.then(|| Fault {
            what: format!("most sentences from {} have a wrong checksum", name()),
            advice: "check ground and cable of the receiver",
        })
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

    pub(super) fn opened_at(&self) -> Duration {
        self.opened_at
    }

    /// What is wrong with the line of this `name`, where silence means something after `patience`.
    pub(super) fn fault(
        &self,
        now: Duration,
        patience: Duration,
        name: impl Fn() -> String,
    ) -> Option<Fault> {
        if self.silent_for(now) >= patience {
            return Some(Fault {
                what: format!("no byte from {} for {} s", name(), patience.as_secs()),
                advice: "is the receiver powered, and its TX wired to our RX?",
            });
        }
        let garbage = self.bytes - self.bytes_at_last_sentence;
        let lasts = self.last_byte_at.saturating_sub(self.last_sentence_at) >= GARBAGE;
        if garbage < GARBAGE_BYTES || !lasts {
            return None;
        }
        Some(if self.unchecked - self.unchecked_at_last_sentence >= UNCHECKED {
            Fault {
                what: format!("sentences without a checksum from {}", name()),
                advice: "what the line does to them can't be seen, so none is used; switch the checksums on at the receiver",
            }
        } else {
            Fault {
                what: format!("bytes but no checksummed sentence from {}", name()),
                advice: "wrong baud rate? Try 9600, 38400, 115200, 4800",
            }
        })
    }
}
