//! Words in URIs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for something else in a path or in a query, or could.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A word as a segment of a path or the value of a parameter has it (RFC 3986, section 2.1).
pub(crate) fn encoded(word: &str) -> String {
    utf8_percent_encode(word, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn what_a_device_may_be_called_stays_one_word() {
        assert_eq!(encoded("sensor-thl_001.a"), "sensor-thl_001.a");
        assert_eq!(encoded("d#1?x=%2F/$"), "d%231%3Fx%3D%252F%2F%24");
    }
}
