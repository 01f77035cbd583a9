//! Errors in Azure Storage's shape, and what stands on each of its answers.

use chrono::{DateTime, Utc};

use crate::{
    id::guid,
    rest::{
        answer::{self, Answer},
        call::Call,
    },
    storage::StorageError,
};

/// The form of times in headers.
pub(super) const HTTP_TIME: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// The version that is told to those who name none.
const VERSION: &str = "2021-12-02";

pub(super) fn answer(error: &StorageError, now: DateTime<Utc>) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}\nTime:{}</Message></Error>",
        error.code,
        escaped(&error.message),
        now.format("%Y-%m-%dT%H:%M:%SZ")
    );
    answer::with_header(xml(error.status, text), "x-ms-error-code", error.code)
}

/// XML that is written already.
pub(super) fn xml(status: u16, text: String) -> Answer {
    answer::with_header(answer::json_text(status, text), "content-type", "application/xml")
}

/// Without a body.
pub(super) fn empty(status: u16) -> Answer {
    let mut answer = answer::json_text(status, String::new());
    answer.headers_mut().remove("content-type");
    answer
}

/// What stands on every answer.
pub(super) fn stamped(answer: Answer, call: &Call, now: DateTime<Utc>) -> Answer {
    let version = call.header("x-ms-version").unwrap_or(VERSION);
    let mut answer = answer::with_header(answer, "x-ms-version", version);
    if let Some(id) = call.header("x-ms-client-request-id") {
        answer = answer::with_header(answer, "x-ms-client-request-id", id);
    }
    answer = answer::with_header(answer, "x-ms-request-id", &guid());
    answer::with_header(answer, "date", &now.format(HTTP_TIME).to_string())
}

/// Text as it stands in XML; what can't stand there is left out.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => {}
            c => escaped.push(c),
        }
    }
    escaped
}
