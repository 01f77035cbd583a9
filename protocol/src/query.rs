//! The `key=value&key=value` tail of user names and topics.

/// The pairs in order; a key that stands alone has no value. Nothing is decoded.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| match pair.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (pair, None),
    })
}

/// The first value of `key`, compared without regard to case.
pub(crate) fn value<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    pairs(query).find(|(name, _)| name.eq_ignore_ascii_case(key)).and_then(|(_, value)| value)
}
