//! What asks for a WebSocket (RFC 6455, section 4): which protocol is to go through it, or why there is none.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::Either;
use hyper::{
    HeaderMap, Method, Response, StatusCode, Version,
    header::{self, HeaderName, HeaderValue},
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::{
    answer::{self, Answer},
    call::Call,
    hub::HubRefusal,
};

/// Where devices and services find MQTT and AMQP. A `true` in [`NO_CERTIFICATE`] says that none is to be asked for.
const IOT_HUB: &str = "$iothub";
/// Where clients of Event Hubs and Service Bus find AMQP.
const SERVICE_BUS: &str = "$servicebus";

/// Azure asks for a certificate after it has read the head of a request, unless this parameter of the path says not to. SDKs add
/// it where they have none, or a token.
const NO_CERTIFICATE: &str = "iothub-no-client-cert";

/// What is hashed behind the client's key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The one version there is.
const VERSION: &str = "13";

/// What goes through a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inner {
    Mqtt,
    Amqp,
}

/// A WebSocket that may be.
#[derive(Debug)]
pub(super) struct Offer {
    pub inner: Inner,
    /// The subprotocol as the client has written it.
    protocol: HeaderValue,
    accept: String,
    /// Whether a certificate of the handshake counts.
    pub takes_certificate: bool,
}

/// Why there is none: status, and words.
#[derive(Debug)]
pub(super) struct NoUpgrade {
    pub status: u16,
    pub reason: String,
}

/// Whether the path is one of those below which WebSockets are.
pub(super) fn is_meant(call: &Call) -> bool {
    [IOT_HUB, SERVICE_BUS].iter().any(|word| call.first_word().eq_ignore_ascii_case(word))
}

/// Judges a request at such a path.
pub(super) fn judge(call: &Call, version: Version) -> Result<Offer, NoUpgrade> {
    let no = |status, reason: String| Err(NoUpgrade { status, reason });
    let is_websocket = matches!(&call.segments[..], [_, last] if last.eq_ignore_ascii_case("websocket"));
    if !is_websocket {
        let path = call.segments.join("/");
        return no(404, format!("there is nothing at /{path}; WebSockets are at /{IOT_HUB}/websocket"));
    }
    if call.method != Method::GET {
        return no(405, format!("a WebSocket is asked for with GET, not with {}", call.method));
    }
    if version != Version::HTTP_11 || !names(&call.headers, &header::CONNECTION, "upgrade") {
        return no(426, "this is the path of WebSockets: ask with HTTP/1.1 and Connection: Upgrade".into());
    }
    if !names(&call.headers, &header::UPGRADE, "websocket") {
        return no(426, "Upgrade: websocket is missing".into());
    }
    let version = call.header("sec-websocket-version").map(str::trim);
    if version != Some(VERSION) {
        return no(426, format!("Sec-WebSocket-Version has to be {VERSION}"));
    }
    let has_body = call.headers.contains_key(header::TRANSFER_ENCODING)
        || call.header("content-length").is_some_and(|length| length.trim() != "0");
    if has_body {
        return no(400, "a request for a WebSocket has no body".into());
    }
    let key = call.header("sec-websocket-key").map(str::trim).unwrap_or_default();
    if STANDARD.decode(key).map_or(0, |key| key.len()) != 16 {
        return no(400, "Sec-WebSocket-Key has to be 16 bytes in base64".into());
    }
    let (inner, protocol) = subprotocol(call)?;
    let takes_certificate =
        !call.parameter(NO_CERTIFICATE).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{GUID}").as_bytes()));
    Ok(Offer { inner, protocol, accept, takes_certificate })
}

/// The first of the subprotocols offered that is spoken here.
fn subprotocol(call: &Call) -> Result<(Inner, HeaderValue), NoUpgrade> {
    let is_service_bus = call.first_word().eq_ignore_ascii_case(SERVICE_BUS);
    let offered: Vec<&str> = words(&call.headers, &header::SEC_WEBSOCKET_PROTOCOL).collect();
    let found = offered.iter().find_map(|name| {
        let inner = match name.to_ascii_lowercase().as_str() {
            "amqpwsb10" => Inner::Amqp,
            // SDKs write it so and so; the second name is one of MQTT 3.1's time.
            "mqtt" | "mqttv3.1" if !is_service_bus => Inner::Mqtt,
            _ => return None,
        };
        Some((inner, HeaderValue::from_str(name).ok()?))
    });
    found.ok_or_else(|| {
        let known = if is_service_bus { "AMQPWSB10" } else { "mqtt or AMQPWSB10" };
        let shown: String = offered.join(", ").chars().take(100).collect();
        let reason = match shown.as_str() {
            "" => format!("Sec-WebSocket-Protocol is missing: offer {known}"),
            shown => format!("none of the subprotocols \"{shown}\" is spoken here: offer {known}"),
        };
        NoUpgrade { status: 400, reason }
    })
}

/// The words of a list in a header, which may come in several lines.
fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    words(headers, name).any(|word| word.eq_ignore_ascii_case(wanted))
}

impl Offer {
    /// 101.
    pub(super) fn answer(&self) -> Answer {
        let mut answer = Response::new(Either::Left(http_body_util::Full::default()));
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, self.protocol.clone());
        answer::with_header(answer, "sec-websocket-accept", &self.accept)
    }
}

impl NoUpgrade {
    /// As a hub answers, with what RFC 6455 wants beside it.
    pub(super) fn answer(&self, now: chrono::DateTime<chrono::Utc>) -> Answer {
        let name = match self.status {
            404 => "InvalidOperation",
            405 => "MethodNotAllowed",
            426 => "UpgradeRequired",
            501 => "NotImplemented",
            503 => "ServiceUnavailable",
            _ => "ArgumentInvalid",
        };
        let answer = HubRefusal::new(u32::from(self.status) * 1000, name, self.reason.clone()).answer(now);
        match self.status {
            405 => answer::with_header(answer, "allow", "GET"),
            426 => {
                let answer = answer::with_header(answer, "sec-websocket-version", VERSION);
                let answer = answer::with_header(answer, "connection", "Upgrade");
                answer::with_header(answer, "upgrade", "websocket")
            }
            503 => answer::with_header(answer, "retry-after", "10"),
            _ => answer,
        }
    }
}
