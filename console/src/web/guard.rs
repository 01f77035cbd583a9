//! What every request must pass before anything else looks at it.
//!
//! | rule | against |
//! |---|---|
//! | `Host` is one of the names under which the page is served | DNS rebinding: another site's name that leads here |
//! | the cookie, which only the link gives | other users and programs of this machine, other sites |
//! | `Sec-Fetch-Site`, where a browser sends it, is the page itself | other ports of this machine, which are the same *site* |
//! | changes: `Origin` is the page, the body is JSON | forms and scripts of other sites |
//! | changes: not with a link that is read-only | |

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::access::Access;
use super::refusal::Refusal;

/// What the page may load and do: what comes from here, and nothing that stands in the page itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FIXED_HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// What a request that has passed may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights {
    pub(super) is_read_only: bool,
}

/// The rules of one server.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) access: Access,
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// As `Host` has them, in lower case.
    pub(super) hosts: Vec<String>,
}

impl Guard {
    /// Lets a request through, or says what is answered in its place.
    pub(super) fn admit(&self, request: &Parts) -> Result<Rights, Response> {
        let host = self.host(request).map_err(Refusal::into_response)?;
        if let Some(answer) = self.exchange(request) {
            return Err(answer);
        }
        let cookies =
            request.headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        if !cookies.into_iter().any(|cookies| self.access.has_cookie(cookies)) {
            return Err(stranger(request));
        }
        self.judge(request, &host).map_err(Refusal::into_response)
    }

    /// The name by which the browser believes to call us, if it is ours.
    fn host(&self, request: &Parts) -> Result<String, Refusal> {
        let refused = || {
            let names = self.hosts.join(", ");
            let message = format!("This page is served under {names}, and under no other name.");
            Refusal::new(StatusCode::FORBIDDEN, "host", message)
        };
        let host = only(&request.headers, &header::HOST).ok_or_else(refused)?.to_ascii_lowercase();
        let is_same = |authority: &str| authority.eq_ignore_ascii_case(&host);
        let is_asked = request.uri.authority().is_none_or(|authority| is_same(authority.as_str()));
        if self.hosts.contains(&host) && is_asked { Ok(host) } else { Err(refused()) }
    }

    /// `/?token=…`: the token is exchanged for the cookie, and is gone from the address.
    fn exchange(&self, request: &Parts) -> Option<Response> {
        let token = request.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))?;
        if request.uri.path() != "/" || request.method != Method::GET {
            return None;
        }
        if !self.access.is_token(token) {
            return Some(stranger(request));
        }
        let mut response = StatusCode::SEE_OTHER.into_response();
        let cookie = HeaderValue::from_str(&self.access.set_cookie()).ok()?;
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
        response.headers_mut().insert(header::SET_COOKIE, cookie);
        Some(response)
    }

    fn judge(&self, request: &Parts, host: &str) -> Result<Rights, Refusal> {
        let forbidden = |code, message: &str| Refusal::new(StatusCode::FORBIDDEN, code, message);
        let fetched = request.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let is_ours = matches!(fetched, None | Some(b"same-origin" | b"none"));
        if request.uri.path().starts_with("/api/") && !is_ours {
            return Err(forbidden("origin", "Another page asked for this. Only the console's own may."));
        }
        let rights = Rights { is_read_only: self.access.is_read_only };
        if matches!(request.method, Method::GET | Method::HEAD) {
            return Ok(rights);
        }
        let origin = only(&request.headers, &header::ORIGIN);
        if origin != Some(&format!("{}://{host}", self.scheme)) {
            return Err(forbidden("origin", "A change must come from the console's own page."));
        }
        if rights.is_read_only {
            return Err(forbidden("readOnly", "This link is read-only: it can look, and change nothing."));
        }
        let kind = only(&request.headers, &header::CONTENT_TYPE).unwrap_or_default();
        if kind.split(';').next().is_none_or(|kind| !kind.trim().eq_ignore_ascii_case("application/json")) {
            let message = "A change needs the header content-type: application/json.";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "contentType", message));
        }
        Ok(rights)
    }
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Somebody without a cookie, or with a wrong token.
fn stranger(request: &Parts) -> Response {
    const SENTENCE: &str = "Open the link that the program printed: it ends in ?token=… and is good as long as the program runs.";
    if request.uri.path().starts_with("/api/") {
        return Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", SENTENCE).into_response();
    }
    (StatusCode::UNAUTHORIZED, SENTENCE).into_response()
}

/// What every answer says, whatever it is.
pub(super) fn seal(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in FIXED_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Nothing of a fleet stays in a browser's files.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
