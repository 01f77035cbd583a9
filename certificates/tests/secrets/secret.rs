//! The parts of a key that nobody may see, in every form in which they could be seen.

use std::collections::HashSet;

/// So many characters of a secret in a row are too many.
const WINDOW: usize = 12;

/// What may not be in a message.
pub struct Secret {
    windows: HashSet<Vec<u8>>,
    lengths: Vec<usize>,
}

impl Secret {
    /// Of the bytes from `start` to `end` of a key's DER; `base64` is that of all of it.
    pub fn new(der: &[u8], base64: &str, start: usize, end: usize) -> Self {
        let secret = &der[start..end];
        let of_secret = &base64.as_bytes()[(start * 4).div_ceil(3)..end * 4 / 3];
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut windows = HashSet::new();
        for text in [of_secret, hex.as_bytes(), hex.to_uppercase().as_bytes(), secret] {
            windows.extend(text.windows(WINDOW).map(<[u8]>::to_vec));
        }
        // As lists of bytes are printed for debugging.
        windows.extend(secret.windows(6).map(|bytes| {
            let list = format!("{bytes:?}");
            list.trim_matches(['[', ']']).as_bytes().to_vec()
        }));
        let mut lengths: Vec<usize> = windows.iter().map(Vec::len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { windows, lengths }
    }

    /// Whether a text shows any of it.
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.lengths.iter().any(|length| text.windows(*length).any(|window| self.windows.contains(window)))
    }
}
