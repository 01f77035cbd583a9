//! Who may look, and who may change: the token of the link, and the cookie that it is exchanged for.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Bytes of a secret.
const LENGTH: usize = 32;

/// What a link opens.
#[derive(Debug)]
pub(super) struct Access {
    token: Secret,
    cookie: Secret,
    cookie_name: String,
    is_secure: bool,
    /// The link changes nothing.
    pub(super) is_read_only: bool,
}

impl Access {
    /// New secrets for the page at this port; `None` when the system has no randomness.
    pub(super) fn new(port: u16, is_secure: bool, is_read_only: bool) -> Option<Self> {
        // Cookies do not know ports: a second console on this machine would log the first one out.
        let cookie_name = format!("console-{port}");
        Some(Self {
            token: Secret::random()?,
            cookie: Secret::random()?,
            cookie_name,
            is_secure,
            is_read_only,
        })
    }

    /// What stands in the link after `?token=`.
    pub(super) fn token(&self) -> &str {
        &self.token.0
    }

    /// Whether this is the token of the link.
    pub(super) fn is_token(&self, token: &str) -> bool {
        self.token.is(token)
    }

    /// Whether one of the cookies of a request, `a=b; c=d`, is ours.
    pub(super) fn has_cookie(&self, cookies: &str) -> bool {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.cookie_name && self.cookie.is(value))
    }

    /// The header that gives the cookie.
    pub(super) fn set_cookie(&self) -> String {
        let secure = if self.is_secure { "; Secure" } else { "" };
        format!("{}={}; HttpOnly; SameSite=Strict; Path=/{secure}", self.cookie_name, self.cookie.0)
    }
}

/// Random text that nobody sees in a log.
struct Secret(String);

impl Secret {
    fn random() -> Option<Self> {
        let mut bytes = [0; LENGTH];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Compares digests: how long that takes says nothing of the secret.
    fn is(&self, other: &str) -> bool {
        digest(&SHA256, self.0.as_bytes()).as_ref() == digest(&SHA256, other.as_bytes()).as_ref()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cookie_that_was_given_is_taken() {
        let access = Access::new(8462, false, false).unwrap();
        let given = access.set_cookie();
        let pair = given.split(';').next().unwrap();
        assert!(access.has_cookie(pair));
        assert!(access.has_cookie(&format!("other=1; {pair}; more=2")));
        let value = pair.split_once('=').unwrap().1;
        for wrong in [
            String::new(),
            "console-8462".into(),
            "console-8462=".into(),
            format!("console-8463={value}"),
            format!("console-8462={}", access.token()),
            format!("console-8462={}", &value[..value.len() - 1]),
            format!("console-8462={value}x"),
        ] {
            assert!(!access.has_cookie(&wrong), "{wrong}");
        }
        assert!(given.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{given}");
        assert!(!access.is_token("") && !access.is_token(value) && access.is_token(access.token()));
        assert_eq!(access.token().len(), 43);
        assert!(Access::new(1, true, false).unwrap().set_cookie().ends_with("; Secure"));
    }

    #[test]
    fn secrets_are_new_each_time_and_shown_to_nobody() {
        let (one, other) = (Access::new(1, false, false).unwrap(), Access::new(1, false, false).unwrap());
        assert!(!one.is_token(other.token()));
        assert!(!format!("{one:?}").contains(one.token()));
    }
}
