//! How traffic gets out where the usual port is closed: over WebSockets, and through an HTTP proxy.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use tracker_protocol::{MQTT_TLS_PORT, WEBSOCKET_PORT};

use super::endpoint::Endpoint;

/// `connection.transport`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "lab", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// MQTT over TLS, as it is.
    #[default]
    Mqtt,
    /// MQTT in the messages of a WebSocket over TLS.
    Websocket,
}

impl Transport {
    /// TCP port of DPS and hub.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Mqtt => MQTT_TLS_PORT,
            Self::Websocket => WEBSOCKET_PORT,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mqtt => "mqtt",
            Self::Websocket => "websocket",
        })
    }
}

/// An HTTP proxy that is asked for a tunnel (CONNECT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// As whom it is asked.
    pub login: Option<Login>,
}

/// Who the device is to a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// User name.
    pub user: String,
    /// Its first line is the password.
    pub password_file: PathBuf,
}

impl Proxy {
    /// Reads `http://[user@]host:port`. No sentence repeats any of it: there may be a password in it.
    pub(super) fn parse(text: &str, password_file: Option<PathBuf>) -> Result<Self, (&'static str, String)> {
        const KEY: &str = "connection.proxy";
        let bad = |why: &str| (KEY, why.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it looks like http://host:port"))?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" => {}
            "https" => {
                return Err(bad(
                    "proxies that are spoken to over TLS (https://) can't be used; most take http:// too",
                ));
            }
            _ => return Err(bad("only HTTP proxies can be used, by CONNECT: http://host:port")),
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // A name or a password that is not escaped may have an @ of its own.
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(bad(
                "it has a password in it, and is not shown; put that into a file of its own (chmod 600), name the file as \
                 connection.proxy_password_file, and leave http://user@host:port",
            ));
        }
        let has_port =
            Endpoint::parse(host, 1).is_ok_and(|endpoint| host.ends_with(&format!(":{}", endpoint.port)));
        let endpoint = Endpoint::parse(host, 1).ok().filter(|_| has_port && !host.ends_with("::1"));
        let endpoint =
            endpoint.ok_or_else(|| bad("its host and port can't be read; it looks like http://host:port"))?;
        let user =
            user.map(|user| unescape(user).ok_or_else(|| bad("its user name can't be read"))).transpose()?;
        let login = match (user, password_file) {
            (None, None) => None,
            (Some(user), Some(password_file)) => Some(Login { user, password_file }),
            (Some(_), None) => {
                return Err(bad(
                    "it names a user; name the file with the password as connection.proxy_password_file",
                ));
            }
            (None, Some(_)) => {
                let why = "connection.proxy names no user: http://user@host:port".into();
                return Err(("connection.proxy_password_file", why));
            }
        };
        Ok(Self { endpoint, login })
    }
}

/// A user name without the escapes of URLs (`%5C`). HTTP can't say one with a colon, or with control characters.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    let user = String::from_utf8(bytes).ok()?;
    let is_good = !user.is_empty() && !user.contains(|c: char| c == ':' || c.is_control());
    is_good.then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, file: Option<&str>) -> Result<(String, Option<String>), String> {
        let proxy = Proxy::parse(text, file.map(PathBuf::from));
        proxy
            .map(|proxy| (proxy.endpoint.to_string(), proxy.login.map(|login| login.user)))
            .map_err(|(_, why)| why)
    }

    #[test]
    fn a_proxy_has_host_and_port_and_perhaps_a_user() {
        assert_eq!(parse("http://proxy:3128", None), Ok(("proxy:3128".into(), None)));
        assert_eq!(parse("HTTP://192.0.2.1:80/", None), Ok(("192.0.2.1:80".into(), None)));
        assert_eq!(parse("http://[2001:db8::1]:8080", None), Ok(("[2001:db8::1]:8080".into(), None)));
        let user = |text: &str| parse(text, Some("p")).unwrap().1.unwrap();
        assert_eq!(user("http://ship@proxy:3128"), "ship");
        assert_eq!(user("http://DOMAIN%5Cship@proxy:3128"), "DOMAIN\\ship");
        assert_eq!(user("http://a@b@proxy:3128"), "a@b");
    }

    #[test]
    fn what_can_not_be_used_is_told_without_repeating_it() {
        for (text, says) in [
            ("proxy:3128", "looks like http://host:port"),
            ("http://proxy", "host and port can't be read"),
            ("http://[::1]", "host and port can't be read"),
            ("http://::1", "host and port can't be read"),
            ("http://proxy:0", "host and port can't be read"),
            ("http://proxy:3128/path", "host and port can't be read"),
            ("https://proxy:3128", "over TLS (https://)"),
            ("socks5://proxy:3128", "only HTTP proxies"),
            ("http://user:s3cret@proxy:3128", "it has a password in it, and is not shown"),
            ("http://user:@proxy:3128", "it has a password in it"),
            ("http://user:s3c@ret@proxy:3128", "it has a password in it"),
            ("http://s3cret%3@proxy:3128", "its user name can't be read"),
            ("http://s3%3Acret@proxy:3128", "its user name can't be read"),
            ("http://s3%0Acret@proxy:3128", "its user name can't be read"),
            ("http://user:s3cret@proxy", "it has a password in it"),
            ("ftp://user:s3cret@proxy:1", "only HTTP proxies"),
            ("user:s3cret@proxy:1", "looks like http://host:port"),
        ] {
            let why = parse(text, Some("p")).unwrap_err();
            assert!(why.contains(says) && !why.contains("s3c"), "{text}: {why}");
        }
        assert!(parse("http://ship@proxy:1", None).unwrap_err().contains("connection.proxy_password_file"));
        assert!(parse("http://proxy:1", Some("p")).unwrap_err().contains("names no user"));
    }
}
