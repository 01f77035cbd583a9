//! What is sent in place of a certificate: the password of MQTT, a token.
//!
//! A token is a shared access signature: HMAC-SHA256 over the place it is for and the moment until which it is good, by a key that
//! the service knows as well.

use std::fmt;

use base64ct::{Base64, Encoding};
use chrono::{DateTime, Utc};

/// Whom a token is for; a TPM has another key for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The provisioning service.
    Dps,
    /// The assigned hub.
    Hub,
}

/// A key that signs tokens, wherever it is.
pub trait TokenSigner: Send + Sync {
    /// HMAC-SHA256 of a text. The error is for people, and repeats nothing of the key.
    fn sign(&self, audience: Audience, text: &str) -> Result<Vec<u8>, String>;
}

/// What is sent in place of a certificate. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A token for this place until then. DPS wants to be told of which policy it is, a hub of none.
    pub(super) fn token(
        signer: &dyn TokenSigner,
        audience: Audience,
        place: &str,
        until: DateTime<Utc>,
    ) -> Result<Self, String> {
        let (place, until) = (escaped(place), until.timestamp());
        let signature = signer.sign(audience, &format!("{place}\n{until}"))?;
        let signature = escaped(&Base64::encode_string(&signature));
        let policy = match audience {
            Audience::Dps => "&skn=registration",
            Audience::Hub => "",
        };
        Ok(Self(format!("SharedAccessSignature sr={place}&sig={signature}&se={until}{policy}")))
    }

    /// As it is sent.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Everything but what no service minds is written as `%XX`.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    impl TokenSigner for Echo {
        fn sign(&self, _: Audience, text: &str) -> Result<Vec<u8>, String> {
            Ok(text.as_bytes().to_vec())
        }
    }

    #[test]
    fn a_token_says_for_what_and_until_when_and_is_never_shown() {
        let until = DateTime::from_timestamp(2_000_000_000, 0).unwrap();
        let token = Password::token(&Echo, Audience::Dps, "0ne1/registrations/a:b", until).unwrap();
        let place = "0ne1%2Fregistrations%2Fa%3Ab";
        let signature = escaped(&Base64::encode_string(format!("{place}\n2000000000").as_bytes()));
        assert_eq!(
            token.reveal(),
            format!("SharedAccessSignature sr={place}&sig={signature}&se=2000000000&skn=registration")
        );
        assert_eq!(format!("{token:?}"), "Password");
        let hub = Password::token(&Echo, Audience::Hub, "h/devices/d", until).unwrap();
        assert!(hub.reveal().ends_with("&se=2000000000"), "a hub's devices have no policy");
    }
}
