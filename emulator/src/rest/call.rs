//! A request, read whole and taken apart.

use std::{collections::BTreeMap, sync::Arc};

use hyper::{
    HeaderMap, Method,
    body::Bytes,
    header::{self, HeaderValue},
    http::request::Parts,
};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, value::RawValue};

use crate::etag::IfMatch;

/// Begins the names of headers that are application properties of a message.
pub(super) const APPLICATION: &str = "iothub-app-";

/// One request.
#[derive(Debug)]
pub(super) struct Call {
    pub method: Method,
    pub headers: HeaderMap,
    /// What follows [`APPLICATION`] in the names of headers, as the caller has spelled it, with the values.
    pub application_properties: Vec<(String, HeaderValue)>,
    pub body: Bytes,
    /// The path, decoded, without empty ends.
    pub segments: Vec<String>,
    /// Certificates that the client has presented in the handshake, leaf first; it holds the key of the leaf.
    pub certificates: Arc<[CertificateDer<'static>]>,
    query: Vec<(String, String)>,
    host: String,
}

impl Call {
    pub(super) fn new(parts: Parts, body: Bytes) -> Self {
        let segments: Vec<String> =
            parts.uri.path().split('/').filter(|segment| !segment.is_empty()).map(decode).collect();
        let query = parts.uri.query().unwrap_or_default();
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (decode(key), decode(&value.replace('+', " "))))
            .collect();
        let authority = parts.uri.authority().map(ToString::to_string);
        let host = authority.or_else(|| text(&parts.headers, header::HOST.as_str()).map(str::to_owned));
        Self {
            method: parts.method,
            segments,
            query,
            host: host.unwrap_or_default(),
            headers: parts.headers,
            application_properties: Vec::new(),
            certificates: Arc::default(),
            body,
        }
    }

    /// The call with these application properties among its headers.
    pub(super) fn with_application_properties(mut self, properties: Vec<(String, HeaderValue)>) -> Self {
        self.application_properties = properties;
        self
    }

    /// The call of a client that has presented these.
    pub(super) fn with_certificates(mut self, certificates: Arc<[CertificateDer<'static>]>) -> Self {
        self.certificates = certificates;
        self
    }

    /// The first word of the path.
    pub(super) fn first_word(&self) -> &str {
        self.segments.first().map(String::as_str).unwrap_or_default()
    }

    /// The host as the client named it, with port.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }

    /// A parameter; names are compared without regard to case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The condition in `If-Match` as a hub reads it: an entity tag stands in quotes. One without them says that there
    /// is something to update, and is no condition.
    pub(super) fn if_match(&self) -> Option<IfMatch> {
        let value = self.header("if-match").map(str::trim).filter(|value| !matches!(*value, "" | "\"\""))?;
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Some(match quoted {
            None | Some("*") => IfMatch::Any,
            Some(etag) => IfMatch::ETag(etag.to_owned()),
        })
    }

    /// The condition in `If-Match` for DPS, whose entity tags have their quotes in them; some clients leave them out.
    pub(super) fn quoted_if_match(&self) -> Option<IfMatch> {
        let value = self.header("if-match")?.trim();
        let bare = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        match bare {
            "" => None,
            "*" => Some(IfMatch::Any),
            etag => Some(IfMatch::ETag(format!("\"{etag}\""))),
        }
    }

    /// The body as JSON; `Err` says why it is none.
    pub(super) fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("the body is not JSON: {error}"))
    }

    /// A member of the body, as it is written there.
    pub(super) fn written(&self, name: &str) -> Option<String> {
        let body: BTreeMap<String, &RawValue> = serde_json::from_slice(&self.body).ok()?;
        body.get(name).map(|value| value.get().to_owned())
    }

    /// How many items are asked for, by the parameter `top`; so many at most, and unless said otherwise.
    pub(super) fn top(&self, most: usize) -> Result<usize, String> {
        let Some(text) = self.parameter("top") else { return Ok(most) };
        let top = text.parse().ok().filter(|top| (1..=most).contains(top));
        top.ok_or_else(|| format!("top has to be 1 to {most}"))
    }

    /// The API version as the call gives it.
    pub(super) fn api_version(&self) -> &str {
        self.parameter("api-version").unwrap_or_default()
    }

    /// The API version: present, and a date of Azure's form. Azure's versions differ little in shape, and the clients
    /// that people have are of many years, so all are answered alike.
    pub(super) fn check_api_version(&self) -> Result<(), String> {
        let version = self.parameter("api-version").ok_or("api-version is missing from the query")?;
        let date = version.get(..10).unwrap_or_default();
        let is_date = date
            .bytes()
            .enumerate()
            .all(|(place, byte)| if matches!(place, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
        let rest = version.get(10..).unwrap_or_default();
        if date.len() == 10 && is_date && matches!(rest, "" | "-preview") {
            return Ok(());
        }
        Err(format!("the api-version \"{}\" is unknown", version.chars().take(40).collect::<String>()))
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// What is not UTF-8 becomes a character that no identifier has.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
