//! Shared access signatures: the tokens by which services, and devices with symmetric keys, prove that they hold a
//! key (IoT Hub developer guide, "control access with shared access signatures").
//!
//! `SharedAccessSignature sr={resource}&sig={signature}&se={expiry}[&skn={policy}]`, in any order. The signature is
//! base64 of HMAC-SHA256 with the decoded key over `sr` *as it was sent*, a line feed, and `se`; clients differ in
//! what they percent-encode, so the text is kept beside what it means.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use ring::hmac;
use thiserror::Error;

/// Why a token is none, or does not count.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum SasError {
    #[error("not a shared access signature: it has to begin with \"SharedAccessSignature \"")]
    Scheme,
    #[error("the shared access signature has no, or no readable, \"{0}\"")]
    Field(&'static str),
    #[error("the shared access signature expired at {0} (seconds since 1970)")]
    Expired(i64),
    #[error("the shared access signature is for \"{given}\", not for \"{expected}\"")]
    Resource { given: String, expected: String },
    #[error("the signature is not made with the key")]
    Signature,
}

/// A token as it was sent. It opens a door, so it stays out of logs.
#[derive(Clone)]
pub(crate) struct TokenText(Arc<str>);

impl TokenText {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText")
    }
}

/// A token, read and not yet judged.
#[derive(Clone, Debug)]
pub(crate) struct SasToken {
    signed: String,
    signature: Vec<u8>,
    expiry: i64,
    /// As it was sent.
    pub text: TokenText,
    /// What it gives access to, decoded.
    pub resource: String,
    /// The policy whose key it is made with; devices name none.
    pub policy: Option<String>,
}

impl SasToken {
    pub(crate) fn parse(text: &str) -> Result<Self, SasError> {
        let (scheme, fields) = text.trim().split_once(' ').ok_or(SasError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("SharedAccessSignature") {
            return Err(SasError::Scheme);
        }
        let field = |name: &'static str| {
            fields
                .split('&')
                .filter_map(|pair| pair.trim().split_once('='))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        let decoded = |name: &'static str, value: &str| {
            percent_decode_str(value)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| SasError::Field(name))
        };
        let resource = field("sr").ok_or(SasError::Field("sr"))?;
        let expiry = field("se").ok_or(SasError::Field("se"))?;
        let signature = field("sig").ok_or(SasError::Field("sig"))?;
        Ok(Self {
            signed: format!("{resource}\n{expiry}"),
            signature: STANDARD.decode(decoded("sig", signature)?).map_err(|_| SasError::Field("sig"))?,
            expiry: expiry.parse().map_err(|_| SasError::Field("se"))?,
            text: TokenText(text.into()),
            resource: decoded("sr", resource)?,
            policy: field("skn")
                .filter(|policy| !policy.is_empty())
                .map(|policy| decoded("skn", policy))
                .transpose()?,
        })
    }

    /// Whether it is still good at `now`.
    pub(crate) fn check_expiry(&self, now: DateTime<Utc>) -> Result<(), SasError> {
        if now.timestamp() > self.expiry {
            return Err(SasError::Expired(self.expiry));
        }
        Ok(())
    }

    /// Whether it is for exactly this resource, which may have several names; the first is told where it is not. The port of a
    /// host does not count.
    pub(crate) fn check_resource<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Result<(), SasError> {
        let mut names = names.into_iter().peekable();
        let expected = names.peek().copied().unwrap_or_default();
        let (host, path) = self.resource.split_at(self.resource.find('/').unwrap_or(self.resource.len()));
        let portless = format!("{}{path}", without_port(host));
        if names.any(|name| [&self.resource, &portless].iter().any(|given| given.eq_ignore_ascii_case(name)))
        {
            return Ok(());
        }
        Err(SasError::Resource {
            given: self.resource.chars().take(160).collect(),
            expected: expected.to_owned(),
        })
    }

    /// Whether it reaches this path at one of these hosts: its resource is the host, or a path above this one or this one
    /// itself, compared word by word. The port does not count, and case does not: Azure's own instructions have the
    /// resource in lower case.
    pub(crate) fn check_scope<'p>(
        &self,
        hosts: &[&str],
        path: impl IntoIterator<Item = &'p str>,
    ) -> Result<(), SasError> {
        let path: Vec<&str> = path.into_iter().collect();
        let mut words = self.resource.split('/').filter(|word| !word.is_empty());
        let host = without_port(words.next().unwrap_or_default());
        let mut rest = path.iter();
        // Some clients encode a name before they encode the whole.
        let is_above = words.all(|word| {
            rest.next().is_some_and(|part| {
                part.eq_ignore_ascii_case(word)
                    || percent_decode_str(word)
                        .decode_utf8()
                        .is_ok_and(|word| part.eq_ignore_ascii_case(&word))
            })
        });
        if is_above && hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return Ok(());
        }
        Err(SasError::Resource {
            given: self.resource.chars().take(160).collect(),
            expected: [hosts.last().copied().unwrap_or_default()]
                .into_iter()
                .chain(path)
                .collect::<Vec<_>>()
                .join("/"),
        })
    }

    /// When it expires; `None` when that is beyond all times.
    pub(crate) fn expiry(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.expiry, 0)
    }

    /// Whether it is made with one of these keys (base64). A text that is no base64 makes no signatures.
    pub(crate) fn check_signature<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<(), SasError> {
        let matches = |key: &str| STANDARD.decode(key).is_ok_and(|key| self.is_made_with(&key));
        if keys.into_iter().any(matches) {
            return Ok(());
        }
        Err(SasError::Signature)
    }

    /// Whether it is made with one of these keys, decoded, or with its text: clients of Event Hubs don't decode keys.
    pub(crate) fn check_either_signature<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<(), SasError> {
        let mut keys = keys.into_iter();
        let matches = |key: &str| {
            self.is_made_with(key.as_bytes()) || self.check_signature(std::iter::once(key)).is_ok()
        };
        if keys.any(matches) { Ok(()) } else { Err(SasError::Signature) }
    }

    fn is_made_with(&self, key: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
    }
}

/// A host name as it stands in a request or a token, without its port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=";

    fn sign(resource: &str, expiry: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(KEY).expect("base64"));
        STANDARD.encode(hmac::sign(&key, format!("{resource}\n{expiry}").as_bytes()))
    }

    #[test]
    fn the_order_of_fields_and_the_encoding_of_the_signature_do_not_matter() {
        let signature = sign("hub.azure-devices.net%3A8443", 2_000_000_000);
        let encoded = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let half_encoded = signature.replace('+', "%2B").replace('=', "%3D");
        for text in [
            format!(
                "SharedAccessSignature sr=hub.azure-devices.net%3A8443&sig={encoded}&se=2000000000&skn=service"
            ),
            format!(
                "SharedAccessSignature sr=hub.azure-devices.net%3A8443&sig={half_encoded}&skn=service&se=2000000000"
            ),
        ] {
            let token = SasToken::parse(&text).expect("a token");
            assert_eq!(token.check_signature(["no base64!", KEY]), Ok(()));
            assert_eq!(token.check_resource(["h", "Hub.azure-devices.net:8443"]), Ok(()));
            assert_eq!(token.policy.as_deref(), Some("service"));
        }
    }

    #[test]
    fn a_scope_reaches_what_is_below_it_and_is_compared_word_by_word() {
        let reaches = |resource: &str, path: &str| {
            let resource = resource.replace('/', "%2F").replace(':', "%3A");
            let token = format!("SharedAccessSignature sr={resource}&sig=AAAA&se=1");
            let token = SasToken::parse(&token).expect("well-formed");
            token.check_scope(&["localhost", "hub.azure-devices.net"], path.split('/')).is_ok()
        };
        for scope in [
            "hub.azure-devices.net",
            "HUB.azure-devices.net:8443",
            "localhost:8443/devices",
            "hub.azure-devices.net/devices/",
            "hub.azure-devices.net/Devices/D1",
            "hub.azure-devices.net/devices/d%31",
        ] {
            assert!(reaches(scope, "devices/d1"), "{scope}");
        }
        for scope in [
            "hub.azure-devices.net/dev",
            "hub.azure-devices.net/devices/d",
            "hub.azure-devices.net/devices/d11",
            "hub.azure-devices.net/devices/d1/modules",
            "hub.azure-devices.net/twins/d1",
            "hub.azure-devices.net.elsewhere/devices/d1",
            "hub.azure-devices",
            "devices/d1",
            "",
        ] {
            assert!(!reaches(scope, "devices/d1"), "{scope}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_token_is_said() {
        let parse = |text: &str| SasToken::parse(text).map(drop);
        assert_eq!(parse("Bearer abc"), Err(SasError::Scheme));
        assert_eq!(parse(""), Err(SasError::Scheme));
        assert_eq!(parse("SharedAccessSignature sr=a&se=1"), Err(SasError::Field("sig")));
        assert_eq!(parse("SharedAccessSignature sr=a&sig=!&se=1"), Err(SasError::Field("sig")));
        assert_eq!(parse("SharedAccessSignature sr=a&sig=AAAA&se=soon"), Err(SasError::Field("se")));
        let token = SasToken::parse("SharedAccessSignature sr=a&sig=AAAA&se=1").expect("well-formed");
        assert_eq!(token.check_signature([KEY]), Err(SasError::Signature));
        let late = DateTime::from_timestamp(2, 0).expect("in range");
        assert_eq!(token.check_expiry(late), Err(SasError::Expired(1)));
        assert!(token.check_resource(["b", "c"]).is_err());
    }
}
