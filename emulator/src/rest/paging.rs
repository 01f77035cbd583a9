//! Pages of lists: `x-ms-max-item-count`, `x-ms-continuation`.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use super::{
    answer::{self, Answer},
    call::Call,
};

/// Items on a page unless the client says otherwise.
const DEFAULT_PAGE: usize = 100;
/// The largest page.
pub(super) const MAX_PAGE: usize = 1000;

/// The page of `items` that the call asks for, as a bare array.
///
/// Items come with the key they are ordered by. A continuation names the last key sent, so that what is added or
/// deleted between two pages moves nothing else.
pub(super) fn page<T: Serialize>(
    call: &Call,
    items: impl IntoIterator<Item = (String, T)>,
    item_type: &str,
) -> Result<Answer, String> {
    page_of(call, items, item_type, |_, item| Some(item))
}

/// The same, where an item is shown by its key once it is on the page; none is passed over.
pub(super) fn page_of<T, S: Serialize>(
    call: &Call,
    items: impl IntoIterator<Item = (String, T)>,
    item_type: &str,
    show: impl Fn(&str, T) -> Option<S>,
) -> Result<Answer, String> {
    let count = match call.header("x-ms-max-item-count").map(str::trim) {
        None | Some("") => DEFAULT_PAGE,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|count| (1..=MAX_PAGE).contains(count))
            .ok_or_else(|| format!("x-ms-max-item-count has to be 1 to {MAX_PAGE}"))?,
    };
    let after = match call.header("x-ms-continuation").map(str::trim) {
        None | Some("") => None,
        Some(token) => Some(
            URL_SAFE_NO_PAD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or("x-ms-continuation is not one that this service has given")?,
        ),
    };
    let mut rest = items.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after));
    let mut last = String::new();
    let mut shown = Vec::new();
    for (key, item) in rest.by_ref().take(count) {
        shown.extend(show(&key, item));
        last = key;
    }
    let more = rest.next().is_some();
    let answer = answer::with_header(answer::json(200, &shown), "x-ms-item-type", item_type);
    Ok(if more {
        answer::with_header(answer, "x-ms-continuation", &URL_SAFE_NO_PAD.encode(last))
    } else {
        answer
    })
}
