//! Base64 for URLs, without padding (RFC 4648, section 5): what stands in a message's properties and needs no escapes there.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The text for these bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        let letter = |place: usize| ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
        text.extend_from_slice(&[0, 1, 2, 3].map(letter)[..=group.len()]);
    }
    // It is ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// The bytes of a text; `None` where there is another text for the same bytes, or none at all.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            bits = bits << 6 | value(*letter)?;
        }
        let count = group.len().checked_sub(1).filter(|count| *count > 0)?;
        let [_, group @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        // Bits that no byte has are zero, or there would be a second text.
        if group[count..].iter().any(|rest| *rest != 0) {
            return None;
        }
        bytes.extend_from_slice(&group[..count]);
    }
    Some(bytes)
}

fn value(letter: u8) -> Option<u32> {
    let value = match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn examples_of_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("~~?", "fn4_")]
        {
            assert_eq!((encode(bytes.as_bytes()).as_str(), decode(text)), (text, Some(bytes.into())));
        }
        for bad in ["A", "AB=", "A+==", "Zh", "Zm9", "Zg\n"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
