//! What the sessions of both MQTT services use: acknowledgements, slow lines, and what a client presented.

mod acknowledge;
mod congestion;

use std::{sync::Arc, time::Duration};

use rustls::pki_types::CertificateDer;

pub(crate) use acknowledge::Acknowledger;
pub(crate) use congestion::{SlowLine, Throttle};

use crate::{events::DisconnectReason, mqtt::LinkError, security::x509::Certificate};

/// The longest silence the services allow, whatever keep-alive the client asks for.
const LONGEST_SILENCE: Duration = Duration::from_secs(1767);

/// What a client presented in the handshake.
#[derive(Debug)]
pub(crate) enum PeerCertificates {
    None,
    /// Leaf first.
    Chain(Vec<Arc<Certificate>>),
    /// Why not.
    Unreadable(String),
}

impl PeerCertificates {
    /// The first `limit` certificates of what was presented, leaf first.
    pub(crate) fn read(presented: &[CertificateDer<'static>], limit: usize) -> Self {
        if presented.is_empty() {
            return Self::None;
        }
        let parse = |der: &CertificateDer<'static>| Certificate::from_der(der.clone()).map(Arc::new);
        match presented.iter().take(limit).map(parse).collect() {
            Ok(chain) => Self::Chain(chain),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    pub(crate) fn leaf(&self) -> Option<&Arc<Certificate>> {
        match self {
            Self::Chain(chain) => chain.first(),
            Self::None | Self::Unreadable(_) => None,
        }
    }
}

/// How long a client may be silent: one and a half times its keep-alive (in seconds), capped. The services do not say
/// what a keep-alive of zero, "never", means to them; some SDKs send it, and the cap applies.
pub(crate) fn silence_allowed(keep_alive: u16) -> Duration {
    match keep_alive {
        0 => LONGEST_SILENCE,
        seconds => (Duration::from_secs(u64::from(seconds)) * 3 / 2).min(LONGEST_SILENCE),
    }
}

/// The end of a link in the words of the events.
pub(crate) fn how_it_ended(error: &LinkError) -> DisconnectReason {
    match error {
        LinkError::Closed | LinkError::ClosedInPacket | LinkError::Io(_) => {
            DisconnectReason::ConnectionLost(error.to_string())
        }
        LinkError::KeepAlive(_) => DisconnectReason::KeepAliveTimeout,
        LinkError::Stalled => DisconnectReason::Backlog,
        LinkError::Malformed(error) => DisconnectReason::ProtocolViolation(error.to_string()),
    }
}

/// Text from the wire as it stands in a reason: shortened, so that nobody fills the events with it.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 160;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_one_and_a_half_times_the_keep_alive_and_capped() {
        assert_eq!(silence_allowed(60), Duration::from_secs(90));
        assert_eq!(silence_allowed(1), Duration::from_millis(1500));
        assert_eq!(silence_allowed(1740), LONGEST_SILENCE);
        assert_eq!(silence_allowed(0), LONGEST_SILENCE);
    }
}
