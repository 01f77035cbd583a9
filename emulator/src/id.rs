//! The opaque names Azure makes up: GUIDs, operation ids, entity tags.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// A random (version 4) GUID in lower case with dashes.
pub(crate) fn guid() -> String {
    let random: u128 = rand::random();
    let versioned = random & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{versioned:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The id of a registration in progress: `5.`, sixteen hexadecimal digits, a GUID (seen in real logs).
pub(crate) fn operation_id() -> String {
    format!("5.{:016x}.{}", rand::random::<u64>(), guid())
}

/// A word that tells one operation from another, as hubs give them to their own messages: ten hexadecimal digits.
pub(crate) fn operation_word() -> String {
    format!("{:010x}", rand::random::<u64>() >> 24)
}

/// What tells one run of a service from another in its names: sixteen hexadecimal digits.
pub(crate) fn hexadecimal_of_chance() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// A DPS entity tag; its quotes belong to it.
pub(crate) fn dps_etag() -> String {
    format!("\"{}\"", guid())
}

/// A hub's entity tag of a device identity: base64 of a decimal number.
pub(crate) fn device_etag() -> String {
    STANDARD.encode(rand::random_range(100_000_000..1_000_000_000_u32).to_string())
}

/// A hub's entity tag of a twin: base64 of an eight-byte counter, `AAAAAAAAAAE=` for 1.
pub(crate) fn twin_etag(counter: u64) -> String {
    STANDARD.encode(counter.to_be_bytes())
}

/// Hexadecimal digits in upper case, as Azure writes thumbprints.
pub(crate) fn upper_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_the_form_and_the_marks_of_version_4() {
        let guid = guid();
        let lengths: Vec<_> = guid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&guid[14..15], "4");
        assert!("89ab".contains(&guid[19..20]), "{guid}");
    }

    #[test]
    fn a_twin_etag_is_the_counter_in_base64() {
        assert_eq!(twin_etag(7), "AAAAAAAAAAc=");
    }
}
