//! The form of packets: where one ends, where its properties do, and what a server says in words among them.

use crate::link::error::{LinkError, LinkErrorKind, not_mqtt};

/// Characters of a server's own words that are repeated.
const MOST_WORDS: usize = 200;
/// Property: the server's words.
const REASON_STRING: u8 = 31;

/// What came is no packet of MQTT 5.
pub(super) struct Malformed;

impl From<Malformed> for LinkError {
    fn from(_: Malformed) -> Self {
        not_mqtt(&"the server sent what is no packet of MQTT 5")
    }
}

/// A packet that is there as a whole.
pub(super) struct Frame {
    /// Its type, 1 to 15.
    pub(super) kind: u8,
    /// Where its variable header begins.
    pub(super) start: usize,
    /// Where the next packet begins.
    pub(super) end: usize,
}

/// The first packet of these bytes, once it is there as a whole.
pub(super) fn frame(bytes: &[u8], largest: usize) -> Result<Option<Frame>, LinkError> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((length, digits)) = number(rest)? else { return Ok(None) };
    if length > largest {
        let why = format!("MQTT: a packet of {} KB is more than this device takes", length / 1024);
        return Err(LinkError { kind: LinkErrorKind::Answered, why });
    }
    let start = 1 + digits;
    let end = start + length;
    Ok((bytes.len() >= end).then_some(Frame { kind: first >> 4, start, end }))
}

/// A number of one to four bytes, seven bits each, and how many these are; `None` where it has no end yet.
fn number(bytes: &[u8]) -> Result<Option<(usize, usize)>, Malformed> {
    let mut number = 0;
    for (digits, byte) in bytes.iter().take(4).enumerate() {
        number |= usize::from(byte & 0x7f) << (7 * digits);
        if byte & 0x80 == 0 {
            return Ok(Some((number, digits + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Malformed) }
}

/// What follows the properties that these bytes begin with.
pub(super) fn after_properties(bytes: &[u8]) -> Option<&[u8]> {
    let (length, digits) = number(bytes).ok()??;
    bytes.get(digits + length..)
}

/// The server's own words among the properties that these bytes begin with, shortened.
pub(super) fn reason_string(bytes: &[u8]) -> Option<String> {
    let (length, digits) = number(bytes).ok()??;
    let mut left = bytes.get(digits..digits + length)?;
    loop {
        let (property, rest) = left.split_first()?;
        let text = |at: usize| {
            let length = usize::from(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?]));
            Some(at + 2 + length)
        };
        let end = match *property {
            1 | 23 | 25 | 36 | 37 | 40..=42 => 1,
            19 | 33..=35 => 2,
            2 | 17 | 24 | 39 => 4,
            38 => text(text(0)?)?,
            3 | 8 | 9 | 18 | 21 | 22 | 26 | 28 | REASON_STRING => text(0)?,
            _ => return None,
        };
        if *property == REASON_STRING {
            let words = str::from_utf8(rest.get(2..end)?).ok()?;
            return Some(words.chars().take(MOST_WORDS).collect());
        }
        left = rest.get(end..)?;
    }
}
