//! Percent-encoding as the hub wants it: everything but the unreserved characters of RFC 3986, a space as `%20`,
//! never `+`.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode_str, utf8_percent_encode};

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Its parts, which are also to be displayed as a whole.
pub(crate) fn encode(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// Decodes `%XX`; a `%` without two hex digits stays as it is. `None` when the result is not UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    decoded(text).map(Cow::into_owned)
}

/// The same, without a copy where nothing is encoded.
pub(crate) fn decoded(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}
