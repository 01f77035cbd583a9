//! Where a connection goes: `host`, `host:port` or `[v6]:port`.

use std::fmt;

use super::explain::shown;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address; also the name that the server's certificate must carry.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Endpoint {
    /// This computer.
    pub fn local(port: u16) -> Self {
        Self { host: "localhost".into(), port }
    }

    /// Reads `host`, `host:port` or `[v6]:port`.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let bad = |why: &str| format!("{} is not host or host:port: {why}", shown(text));
        if text.contains("://") {
            return Err(bad("leave out what stands before :// and behind the name"));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = match port {
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| bad("the port is no number from 1 to 65535"))?,
            None => default_port,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if !is_host(host) {
            return Err(bad("the host is missing or has characters that no name has"));
        }
        Ok(Self { host: host.into(), port })
    }
}

/// Whether this may be a host's name or address.
pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:%".contains(c))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let parse = |text: &str| Endpoint::parse(text, 8883).map(|e| (e.host, e.port));
        assert_eq!(parse("edge"), Ok(("edge".into(), 8883)));
        assert_eq!(parse("edge:1"), Ok(("edge".into(), 1)));
        assert_eq!(parse("[::1]:99"), Ok(("::1".into(), 99)));
        assert_eq!(parse("::1"), Ok(("::1".into(), 8883)));
        assert_eq!(Endpoint { host: "::1".into(), port: 99 }.to_string(), "[::1]:99");
        assert_eq!(Endpoint::local(99).to_string(), "localhost:99");
        assert!(parse(":1").is_err() && parse("edge:x").is_err() && parse("https://edge").is_err());
        let error = parse("https://edge:443").unwrap_err();
        assert!(error.ends_with("leave out what stands before :// and behind the name"), "{error}");
    }
}
