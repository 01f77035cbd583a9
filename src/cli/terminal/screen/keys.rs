//! Keys, out of the bytes that a terminal sends for them.

/// A key that pages know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Backspace,
    Escape,
    /// Ctrl-C, or Ctrl-D.
    Interrupt,
}

/// The longest sequence that is waited for; more is none.
const LONGEST: usize = 16;

/// Bytes that are not yet a key.
#[derive(Debug, Default)]
pub(super) struct Decoder(Vec<u8>);

impl Decoder {
    /// The keys that these bytes complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.0.extend_from_slice(bytes);
        let mut keys = Vec::new();
        let mut at = 0;
        while let Some((key, length)) = first(&self.0[at..]) {
            keys.extend(key);
            at += length;
        }
        self.0.drain(..at);
        keys
    }

    /// Nothing has followed: an escape by itself is the key of that name.
    pub(super) fn quiet(&mut self) -> Option<Key> {
        let is_escape = self.0.first() == Some(&0x1b);
        self.0.clear();
        is_escape.then_some(Key::Escape)
    }

    /// Whether there are bytes that may become a key.
    pub(super) fn is_waiting(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The key at the start, if it is one that is known, and its length; `None` as long as it is not complete.
fn first(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let key = match *bytes.first()? {
        0x1b => return sequence(bytes),
        0x03 | 0x04 => Key::Interrupt,
        b'\r' | b'\n' => Key::Enter,
        0x7f | 0x08 => Key::Backspace,
        ..0x20 => return Some((None, 1)),
        _ => return character(bytes),
    };
    Some((Some(key), 1))
}

fn character(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let length = match bytes[0] {
        ..0x80 => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((None, 1)),
    };
    match std::str::from_utf8(bytes.get(..length)?) {
        Ok(text) => Some((text.chars().next().filter(|c| !c.is_control()).map(Key::Char), length)),
        Err(_) => Some((None, 1)),
    }
}

/// What begins with an escape: CSI and SS3, as terminals send them for keys that are no characters.
fn sequence(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    match bytes.get(1)? {
        b'[' => {
            let parameters = &bytes[2..];
            let Some(end) = parameters.iter().position(|byte| (0x40..=0x7e).contains(byte)) else {
                return (bytes.len() > LONGEST).then_some((None, bytes.len()));
            };
            // `1;5A` is an arrow with Ctrl, and does what it does without.
            let number = parameters[..end].split(|byte| *byte == b';').next();
            Some((named(parameters[end], number.unwrap_or_default()), end + 3))
        }
        b'O' => Some((named(*bytes.get(2)?, b""), 3)),
        // Twice, or before a key that was held with Alt.
        0x1b => Some((Some(Key::Escape), 1)),
        _ => Some((None, 2)),
    }
}

fn named(last: u8, number: &[u8]) -> Option<Key> {
    Some(match (last, number) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'M', _) => Key::Enter,
        (b'~', b"5") => Key::PageUp,
        (b'~', b"6") => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_become_keys_however_they_are_cut() {
        let bytes = b"\x1b[Aj\x1bOB\x1b[5~\x1b[6;5~\x1b[H\x1b[4~\r\x7f\xc3\xa9\x03\x1b[200~\x01\xffq";
        let keys = [
            Key::Up,
            Key::Char('j'),
            Key::Down,
            Key::PageUp,
            Key::PageDown,
            Key::Home,
            Key::End,
            Key::Enter,
            Key::Backspace,
            Key::Char('é'),
            Key::Interrupt,
            Key::Char('q'),
        ];
        assert_eq!(Decoder::default().push(bytes), keys);
        let mut one_by_one = Decoder::default();
        let found: Vec<Key> = bytes.iter().flat_map(|byte| one_by_one.push(&[*byte])).collect();
        assert_eq!(found, keys);
        assert!(!one_by_one.is_waiting());
    }

    #[test]
    fn an_escape_is_a_key_when_nothing_follows() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.push(b"\x1b"), []);
        assert!(decoder.is_waiting());
        assert_eq!(decoder.quiet(), Some(Key::Escape));
        assert_eq!(decoder.quiet(), None);
        assert_eq!(decoder.push(b"\x1b\x1b[B"), [Key::Escape, Key::Down]);
    }

    proptest! {
        #[test]
        fn whatever_comes_little_is_kept(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut decoder = Decoder::default();
            for chunk in chunks {
                decoder.push(&chunk);
                prop_assert!(decoder.0.len() <= LONGEST);
            }
        }
    }
}
