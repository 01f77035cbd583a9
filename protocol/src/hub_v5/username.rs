//! The MQTT user name at a hub of MQTT 5, which ties the connection to the birth that follows.

use std::fmt;
use std::str::FromStr;

use super::Correlation;
use crate::{ParseError, percent, query};

/// `correlationId={32 hexadecimal digits}&clientVersion={version}`, the latter percent-encoded. Who connects is said by the
/// client ID, and to which hub by the name in the TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectUsername {
    /// The nonce of the birth that follows, new for each attempt.
    pub correlation: Correlation,
    /// What the device runs, for example `container-tracker/0.1`.
    pub client_version: Option<String>,
}

/// Most bytes of a user name; C clients write no longer one.
const LIMIT: usize = 256;

impl fmt::Display for ConnectUsername {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "correlationId={}", self.correlation)?;
        match &self.client_version {
            Some(version) => write!(f, "&clientVersion={}", percent::encode(version)),
            None => Ok(()),
        }
    }
}

impl FromStr for ConnectUsername {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why: String| ParseError::new("user name of a hub of MQTT 5", text, why);
        if text.len() > LIMIT {
            return Err(bad(format!("{} bytes; the limit is {LIMIT}", text.len())));
        }
        let correlation =
            query::value(text, "correlationId").ok_or_else(|| bad("no correlationId".into()))?;
        let correlation = correlation.parse().map_err(|error: ParseError| bad(error.to_string()))?;
        let client_version = query::value(text, "clientVersion")
            .map(|value| {
                percent::decode(value).ok_or_else(|| bad("clientVersion does not decode to UTF-8".into()))
            })
            .transpose()?;
        Ok(Self { correlation, client_version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_both_ways() {
        let name = ConnectUsername {
            correlation: Correlation([0xab; 16]),
            client_version: Some("container-tracker/0.1 (rust)".into()),
        };
        let text = "correlationId=abababababababababababababababab&clientVersion=container-tracker%2F0.1%20%28rust%29";
        assert_eq!(name.to_string(), text);
        assert_eq!(text.parse::<ConnectUsername>().unwrap(), name);
        let other = "correlationId=ABABABABABABABABABABABABABABABAB".parse::<ConnectUsername>().unwrap();
        assert_eq!((other.correlation, other.client_version), (name.correlation, None));
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, part) in [
            ("clientVersion=x".to_owned(), "no correlationId"),
            ("correlationId=12".to_owned(), "32 hexadecimal digits"),
            (
                format!("correlationId={}&clientVersion={}", "0".repeat(32), "x".repeat(256)),
                "the limit is 256",
            ),
        ] {
            let error = text.parse::<ConnectUsername>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
