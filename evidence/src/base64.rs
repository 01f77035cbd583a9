//! Base64 for URLs, without padding (RFC 4648, section 5): what stands in a message's properties and needs no escapes there.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The text for these bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len().div_ceil(3) * 4];
    let length = encode_into(bytes, &mut text);
    text.truncate(length);
    // It is ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// Puts the text for these bytes into `text`, which has room for four letters for every three of them begun. Gives its length.
pub(super) fn encode_into(bytes: &[u8], text: &mut [u8]) -> usize {
    let mut length = 0;
    for (group, letters) in bytes.chunks(3).zip(text.chunks_mut(4)) {
        let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or_default());
        let mut bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for letter in letters.iter_mut().rev() {
            *letter = ALPHABET[(bits & 63) as usize];
            bits >>= 6;
        }
        length += group.len() + 1;
    }
    length
}

/// The bytes of a text; `None` where there is another text for the same bytes, or none at all.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len().div_ceil(4) * 3];
    let length = decode_into(text.as_bytes(), &mut bytes)?;
    bytes.truncate(length);
    Some(bytes)
}

/// Puts the bytes of a text into `bytes`, which has room for three for every four letters begun. Gives their number.
pub(super) fn decode_into(text: &[u8], bytes: &mut [u8]) -> Option<usize> {
    let mut length = 0;
    for (letters, group) in text.chunks(4).zip(bytes.chunks_mut(3)) {
        let mut bits = 0_u32;
        for place in 0..4 {
            bits = bits << 6 | letters.get(place).map_or(Some(0), |letter| value(*letter))?;
        }
        let [_, decoded @ ..] = bits.to_be_bytes();
        let count = letters.len().checked_sub(1).filter(|count| *count > 0)?;
        // Bits that no byte has are zero, or there would be a second text.
        if decoded[count..].iter().any(|rest| *rest != 0) {
            return None;
        }
        group.copy_from_slice(&decoded);
        length += count;
    }
    Some(length)
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
