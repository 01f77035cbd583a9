//! Parameters and bodies as they are asked for, with a sentence for each mistake.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::refusal::Refusal;
use crate::model::time;

/// The longest body in bytes. A twin has no more than a tenth of it.
const LONGEST: usize = 256 * 1024;
/// A body has to be there within this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// The parameters after `?`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut parameters = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decode = |text: &str| {
                let text = text.replace('+', " ");
                percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned)
            };
            let (Ok(name), Ok(value)) = (decode(name), decode(value)) else {
                return Err(Refusal::invalid(name, format!("The parameter {name} is not in UTF-8.")));
            };
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }

    /// Refuses parameters of other names.
    pub(super) fn only(&self, names: &[&str]) -> Result<&Self, Refusal> {
        let stranger = self.0.keys().find(|name| !names.contains(&name.as_str()));
        stranger.map_or(Ok(self), |name| {
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Err(Refusal::invalid(name, format!("There is no parameter {name} here; there is {known}.")))
        })
    }

    /// Text, if it is given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A time, if one is given.
    pub(super) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        time::parse(text).map(Some).ok_or_else(|| {
            let message = format!("{name} is no time in RFC 3339, such as 2026-11-28T14:00:00Z.");
            Refusal::invalid(name, message)
        })
    }

    /// From when until when; without them from the beginning until now.
    pub(super) fn span(&self, now: DateTime<Utc>) -> Result<(DateTime<Utc>, DateTime<Utc>), Refusal> {
        let from = self.time("from")?.unwrap_or(DateTime::UNIX_EPOCH);
        let to = self.time("to")?.unwrap_or(now.max(from));
        if from > to {
            return Err(Refusal::invalid("from", "from is later than to."));
        }
        Ok((from, to))
    }

    /// A whole number within a range, or what stands without it.
    pub(super) fn number(
        &self,
        name: &str,
        range: RangeInclusive<usize>,
        otherwise: usize,
    ) -> Result<usize, Refusal> {
        let Some(text) = self.text(name) else { return Ok(otherwise) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            Refusal::invalid(name, format!("{name} is no whole number from {least} to {most}."))
        })
    }
}

/// A body in JSON; each member that is wrong is named.
#[derive(Debug)]
pub(super) struct Given<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, Refusal> {
        let late = || Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The body did not come in time.");
        let body = timeout(PATIENCE, to_bytes(request.into_body(), LONGEST)).await.map_err(|_| late())?;
        let body = body.map_err(|_| {
            let message = format!("The body did not come whole, or has more than {LONGEST} bytes.");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body", message)
        })?;
        read(&body).map(Self)
    }
}

/// Reads JSON; the sentence of a mistake begins with the member's name.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read: Result<T, _> = serde_path_to_error::deserialize(&mut json);
    let read = read.map_err(|error| {
        let member = error.path().to_string();
        let member = if member == "." { String::new() } else { member };
        let what = error.into_inner().to_string();
        let sentence =
            if member.is_empty() { format!("The body: {what}.") } else { format!("{member}: {what}.") };
        Refusal::invalid(member, sentence)
    })?;
    json.end().map_err(|error| Refusal::invalid("", format!("The body: {error}.")))?;
    Ok(read)
}

/// An answer in JSON.
pub(super) struct Json<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let mut response = body.into_response();
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                response
            }
            Err(error) => {
                let message = format!("The answer can't be written as JSON: {error}.");
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FaultWish, TwinPatch};

    #[test]
    fn parameters_are_decoded_and_wrong_ones_named() {
        let parameters =
            Parameters::parse("fields=a%2Cb&from=2026-11-28T14%3A00%3A00%2B02%3A00&points=0&x=a+b").unwrap();
        assert_eq!(parameters.text("fields"), Some("a,b"));
        assert_eq!(parameters.text("x"), Some("a b"));
        assert_eq!(time::text(parameters.time("from").unwrap().unwrap()), "2026-11-28T12:00:00.000Z");
        let wrong = parameters.number("points", 1..=5000, 800).unwrap_err();
        assert_eq!(wrong, Refusal::invalid("points", "points is no whole number from 1 to 5000."));
        assert_eq!(
            parameters.only(&["fields", "from", "points"]).unwrap_err().message(),
            "There is no parameter x here; there is fields, from, points."
        );
        assert!(
            Parameters::parse("to=yesterday").unwrap().time("to").unwrap_err().message().contains("RFC 3339")
        );
        assert!(Parameters::parse("a=%ff").is_err());
        let turned = Parameters::parse("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z").unwrap();
        assert_eq!(turned.span(DateTime::UNIX_EPOCH).unwrap_err().message(), "from is later than to.");
    }

    #[test]
    fn the_member_of_a_body_that_is_wrong_is_named() {
        for (body, member) in [
            (r#"{"kind":"latency","devices":"all","latencyMs":"x"}"#, Some("latencyMs")),
            (r#"{"kind":"earthquake","devices":"all"}"#, Some("kind")),
            (r#"{"kind":"blackHole","devices":"some"}"#, Some("devices")),
            (r#"{"kind":"blackHole","devices":"all","hurry":true}"#, Some("hurry")),
            (r#"{"kind":"blackHole"}"#, None),
            ("", None),
        ] {
            let refusal = read::<FaultWish>(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.status, StatusCode::UNPROCESSABLE_ENTITY);
            let wanted = Refusal::invalid(member.unwrap_or_default(), refusal.message());
            assert_eq!(refusal, wanted, "{body}");
        }
        let nested = read::<TwinPatch>(br#"{"properties":{"desired":3}}"#).unwrap_err();
        assert!(nested.message().starts_with("properties.desired: "), "{}", nested.message());
        assert!(read::<TwinPatch>(br#"{"properties":{"desired":{}}} x"#).is_err());
    }
}
