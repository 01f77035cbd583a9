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

/// What may stand between `$` and `*`.
const ROOM: usize = LONGEST_SENTENCE - "$*hh".len();

/// Splits a stream into sentences. Holds at most one unfinished sentence.
#[derive(Debug)]
pub struct Framer {
    /// What has come of the body, which stands between `$` and `*`, in pieces before the present one.
    held: Vec<u8>,
    state: State,
    /// Checksum of the body as far as it has come.
    sum: u8,
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
            held: Vec::with_capacity(LONGEST_SENTENCE),
            state: State::Outside,
            sum: 0,
            counts: LineCounts::default(),
        }
    }

    /// Takes bytes up to the end of the next sound sentence and gives its body, printable ASCII; nothing when `piece` ends
    /// before. What was not taken is left in `piece`.
    pub fn next<'a, 'b: 'a>(&'a mut self, piece: &mut &'b [u8]) -> Option<&'a [u8]> {
        let bytes = *piece;
        // Where the body lies in this piece.
        let (mut from, mut to) = (0, 0);
        let mut at = 0;
        let is_complete = loop {
            match self.state {
                State::Outside => at += length_of(&bytes[at..], |byte| byte != b'$'),
                State::Body => {
                    let room = ROOM - self.held.len() - (to - from);
                    let (length, sum) = run(&bytes[at..(at + room).min(bytes.len())]);
                    at += length;
                    (self.sum, to) = (self.sum ^ sum, at);
                }
                _ => {}
            }
            let Some(&byte) = bytes.get(at) else { break false };
            at += 1;
            self.state = match self.state {
                // Within a sentence it means that the rest of that one was lost.
                _ if byte == b'$' => {
                    self.held.clear();
                    (self.sum, from, to) = (0, at, at);
                    State::Body
                }
                State::Body if byte == b'*' => State::ChecksumHigh,
                State::Body => {
                    self.count_unfinished(&bytes[from..to], byte);
                    State::Outside
                }
                State::ChecksumHigh => {
                    hex_digit(byte).map_or(State::Outside, |high| State::ChecksumLow(high << 4))
                }
                State::ChecksumLow(high) => {
                    self.state = State::Outside;
                    if hex_digit(byte).is_some_and(|low| self.is_sound(high | low)) {
                        break true;
                    }
                    State::Outside
                }
                State::Outside => State::Outside,
            };
        };
        self.counts.bytes += at as u64;
        *piece = &bytes[at..];
        if is_complete {
            return Some(self.body(&bytes[from..to]));
        }
        if self.is_within_sentence() {
            self.held.extend_from_slice(&bytes[from..to]);
        }
        None
    }

    /// Forgets an unfinished sentence, as after the line was interrupted.
    pub fn interrupt(&mut self) {
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

    /// The body that ends with `last`; most come in one piece, and are not copied.
    fn body<'a>(&'a mut self, last: &'a [u8]) -> &'a [u8] {
        if self.held.is_empty() {
            return last;
        }
        self.held.extend_from_slice(last);
        &self.held
    }

    /// A body ends with `byte`, and without a checksum.
    fn count_unfinished(&mut self, last: &[u8], byte: u8) {
        if matches!(byte, b'\r' | b'\n') {
            let address = self.body(last).split(|byte| *byte == b',').next().unwrap_or_default();
            let is_sentence = address.len() == 5 && address.iter().all(u8::is_ascii_uppercase);
            self.counts.without_checksum += u64::from(is_sentence);
        }
        // It would go on if there were room.
        self.counts.overlong += u64::from(is_ordinary(byte));
    }

    fn is_sound(&mut self, stated: u8) -> bool {
        let is_sound = self.sum == stated;
        self.counts.sentences += u64::from(is_sound);
        self.counts.bad_checksum += u64::from(!is_sound);
        is_sound
    }
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a body may go on with this byte. `!` begins an AIS sentence; anything not printable is a line end, noise or
/// binary.
fn is_ordinary(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'!' | b'$' | b'*')
}

/// How many ordinary bytes `bytes` begin with, and their sum by exclusive or. Eight at a time: every byte of a line comes
/// through here, those of sentences that nobody wants too, as damage of the line shows in their checksums.
fn run(bytes: &[u8]) -> (usize, u8) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    // Digits, letters and all else that is common in sentences stand between these two; what is rare there goes singly.
    const FIRST: u64 = (b'*' as u64 + 1) * ONES;
    const AFTER_LAST: u64 = (0x80 - (b'~' as u64 + 1)) * ONES;
    let (mut length, mut sums) = (0, 0);
    for eight in bytes.as_chunks().0 {
        let eight = u64::from_ne_bytes(*eight);
        // A byte below the first borrows, one after the last carries into its highest bit.
        if (eight.wrapping_sub(FIRST) | eight.wrapping_add(AFTER_LAST) | eight) & HIGH != 0 {
            break;
        }
        sums ^= eight;
        length += 8;
    }
    let rest = &bytes[length..];
    let singly = &rest[..length_of(rest, is_ordinary)];
    let sum = sums.to_ne_bytes().iter().chain(singly).fold(0, |sum, byte| sum ^ byte);
    (length + singly.len(), sum)
}

/// How many bytes `bytes` begin with that are `such`.
fn length_of(bytes: &[u8], such: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !such(*byte)).unwrap_or(bytes.len())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bodies of all sound sentences, from pieces of this size.
    fn bodies(framer: &mut Framer, bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for mut piece in bytes.chunks(size) {
            while let Some(body) = framer.next(&mut piece) {
                found.push(body.to_vec());
            }
        }
        found
    }

    proptest! {
        #[test]
        fn memory_stays_at_one_sentence_and_pieces_make_no_difference(
            bytes in prop::collection::vec(prop::sample::select(b"$*!,A0\n\xFF".to_vec()), 0..10_000),
            size in 1..100_usize,
        ) {
            let mut framer = Framer::new();
            let before = framer.held.capacity();
            let found = bodies(&mut framer, &bytes, size);
            bodies(&mut framer, &[b'7'; 10 * LONGEST_SENTENCE], size);
            prop_assert_eq!(framer.held.capacity(), before);
            let mut whole = Framer::new();
            prop_assert_eq!(bodies(&mut whole, &bytes, bytes.len().max(1)), found);
            bodies(&mut whole, &[b'7'; 10 * LONGEST_SENTENCE], size);
            prop_assert_eq!(whole.counts(), framer.counts());
        }

        #[test]
        fn eight_at_a_time_is_as_one_by_one(bytes in prop::collection::vec(32..=127_u8, 0..40)) {
            let length = bytes.iter().take_while(|byte| is_ordinary(**byte)).count();
            let sum = bytes[..length].iter().fold(0, |sum, byte| sum ^ byte);
            prop_assert_eq!(run(&bytes), (length, sum));
        }
    }

    #[test]
    fn every_byte_is_ordinary_in_eight_as_it_is_alone() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut eight = [b'A'; 8];
                eight[place] = byte;
                let length = if is_ordinary(byte) { 8 } else { place };
                assert_eq!(run(&eight).0, length, "{byte:#04x} at {place}");
            }
        }
    }

    #[test]
    fn the_longest_sentence_passes_and_one_longer_does_not() {
        for (length, passes) in [(LONGEST_SENTENCE, true), (LONGEST_SENTENCE + 1, false)] {
            // An even number of equal characters has a checksum of zero, an odd one their own code.
            let body = "x".repeat(length - "$*hh".len());
            let checksum = if body.len().is_multiple_of(2) { 0 } else { b'x' };
            for size in [1, 10, 2000] {
                let mut framer = Framer::new();
                let found = bodies(&mut framer, format!("${body}*{checksum:02x}").as_bytes(), size).len();
                assert_eq!(found == 1, passes, "{length}");
                assert_eq!(framer.counts().overlong, u64::from(!passes));
            }
        }
    }
}
