//! What is sent back.

use http_body_util::{Either, Full};
use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{self, HeaderName, HeaderValue},
};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde::Serialize;

use super::{event_stream::EventStream, spelling::Spellings};

/// A whole body, or a stream of events.
pub(super) type Body = Either<Full<Bytes>, EventStream>;

/// An answer on its way.
pub(super) type Answer = Response<Body>;

/// Tools take JSON for JSON only when it is called exactly this.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// JSON with a status.
pub(super) fn json(status: u16, value: &impl Serialize) -> Answer {
    // These types have no form that JSON lacks.
    json_text(status, serde_json::to_string(value).unwrap_or_default())
}

/// JSON that is written already.
pub(super) fn json_text(status: u16, text: String) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(text))));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, JSON);
    answer
}

/// 200 with a body that is somebody else's business.
pub(super) fn octets(body: Vec<u8>) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(Bytes::from(body))));
    let kind = HeaderValue::from_static("application/octet-stream");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}

/// 204 without a body.
pub(super) fn no_content() -> Answer {
    let mut answer = Response::new(Either::Left(Full::default()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// Adds a header; a value that can't stand in one is left out.
pub(super) fn with_header(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
    answer
}

/// Adds a header of somebody else's choice, spelled as it is here. In a value, what can't stand in a header is
/// percent-encoded; a name that can't be one's is left out.
pub(super) fn with_named_header(mut answer: Answer, name: &str, value: &str) -> Answer {
    let value = HeaderValue::from_str(value)
        .or_else(|_| HeaderValue::from_str(&utf8_percent_encode(value, CONTROLS).to_string()));
    if let (Ok(known), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
        answer.headers_mut().append(known, value);
        answer.extensions_mut().get_or_insert_default::<Spellings>().0.push(name.to_owned());
    }
    answer
}

/// Adds the entity tag, in quotes whether or not they belong to it.
pub(super) fn with_etag(answer: Answer, etag: &str) -> Answer {
    let bare = etag.trim_matches('"');
    with_header(answer, "etag", &format!("\"{bare}\""))
}
