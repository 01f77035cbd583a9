//! Texts of strangers, and moments in them.

use std::borrow::Cow;

use chrono::DateTime;

/// A text of a stranger, at most this long.
pub(crate) fn clipped(text: &str) -> Cow<'_, str> {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A moment in milliseconds since 1970, where it can be one of a reading: clocks that were never set begin in 1970, and those
/// that lost their battery in 2000.
pub(crate) fn moment(text: &str) -> Option<i64> {
    const FIRST: i64 = 1_420_070_400_000;
    const LAST: i64 = 4_102_444_800_000;
    let ms = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    (FIRST..LAST).contains(&ms).then_some(ms)
}
