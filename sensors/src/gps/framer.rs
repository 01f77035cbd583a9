//! Bytes to sentences: finds `$...*hh` wherever it stands in the stream and keeps those whose checksum is
//! right.

/// Longest sentence kept, `$` and checksum included. The standard allows 82 characters; real receivers send
/// up to 140.
pub const LONGEST_SENTENCE: usize = 1024;

/// What the framer has met so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCounts {
    /// Bytes in all.
    pub bytes: u64,
    /// Sentences with a right checksum.
    pub sentences: u64,
    /// Sentences with a wrong checksum.
    pub bad_checksum: u64,
    /// Lines that begin as a sentence does and end without a checksum.
    pub without_checksum: u64,
    /// Sentences cut off because they grew beyond [`LONGEST_SENTENCE`].
    pub overlong: u64,
}

/// Splits a stream into sentences. Holds at most one unfinished sentence.
#[derive(Debug)]
pub struct Framer {
    /// What stands between `$` and `*`, as far as it has come.
    body: Vec<u8>,
    state: State,
    counts: LineCounts,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Outside,
    Body,
    ChecksumHigh,
    ChecksumLow(u8),
}

impl Framer {
    /// A framer that waits for the first `$`.
    pub fn new() -> Self {
        Self {
            body: Vec::with_capacity(LONGEST_SENTENCE),
            state: State::Outside,
            counts: LineCounts::default(),
        }
    }

    /// Takes the next byte; gives what stands between `$` and `*` when the byte completes a sentence.
    pub fn push(&mut self, byte: u8) -> Option<&str> {
        self.counts.bytes += 1;
        // A `$` within a sentence means that the rest of that one was lost.
        if byte == b'$' {
            self.body.clear();
            self.state = State::Body;
            return None;
        }
        match self.state {
            State::Outside => None,
            State::Body => {
                self.push_body(byte);
                None
            }
            State::ChecksumHigh => {
                self.state = hex_digit(byte).map_or(State::Outside, |high| State::ChecksumLow(high << 4));
                None
            }
            State::ChecksumLow(high) => {
                self.state = State::Outside;
                let stated = high | hex_digit(byte)?;
                self.complete(stated)
            }
        }
    }

    /// Forgets an unfinished sentence, as after the line was interrupted.
    pub fn interrupt(&mut self) {
        self.body.clear();
        self.state = State::Outside;
    }

    /// Whether a sentence has begun and not ended.
    pub(super) fn is_within_sentence(&self) -> bool {
        !matches!(self.state, State::Outside)
    }

    /// What has been met so far.
    pub fn counts(&self) -> LineCounts {
        self.counts
    }

    fn push_body(&mut self, byte: u8) {
        match byte {
            b'*' => self.state = State::ChecksumHigh,
            b'\r' | b'\n' => {
                let address = self.body.split(|byte| *byte == b',').next().unwrap_or_default();
                let is_sentence = address.len() == 5 && address.iter().all(u8::is_ascii_uppercase);
                self.counts.without_checksum += u64::from(is_sentence);
                self.state = State::Outside;
            }
            // `!` begins an AIS sentence; anything not printable is a line end, noise or binary.
            b'!' | ..=0x1F | 0x7F.. => self.state = State::Outside,
            _ if self.body.len() >= LONGEST_SENTENCE - "$*hh".len() => {
                self.counts.overlong += 1;
                self.state = State::Outside;
            }
            _ => self.body.push(byte),
        }
    }

    fn complete(&mut self, stated: u8) -> Option<&str> {
        let computed = self.body.iter().fold(0, |sum, byte| sum ^ byte);
        if computed != stated {
            self.counts.bad_checksum += 1;
            return None;
        }
        self.counts.sentences += 1;
        std::str::from_utf8(&self.body).ok()
    }
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn memory_stays_at_one_sentence(
            bytes in prop::collection::vec(prop::sample::select(b"$*!,A0\n\xFF".to_vec()), 0..10_000),
        ) {
            let mut framer = Framer::new();
            let before = framer.body.capacity();
            for byte in bytes {
                framer.push(byte);
            }
            for _ in 0..10 * LONGEST_SENTENCE {
                framer.push(b'7');
            }
            prop_assert_eq!(framer.body.capacity(), before);
        }
    }

    #[test]
    fn the_longest_sentence_passes_and_one_longer_does_not() {
        for (length, passes) in [(LONGEST_SENTENCE, true), (LONGEST_SENTENCE + 1, false)] {
            // An even number of equal characters has a checksum of zero, an odd one their own code.
            let body = "x".repeat(length - "$*hh".len());
            let checksum = if body.len().is_multiple_of(2) { 0 } else { b'x' };
            let mut framer = Framer::new();
            let found =
                format!("${body}*{checksum:02x}").bytes().filter(|byte| framer.push(*byte).is_some()).count();
            assert_eq!(found == 1, passes, "{length}");
            assert_eq!(framer.counts().overlong, u64::from(!passes));
        }
    }
}
