//! How much of anything a peer may have.

use std::fmt;
use std::time::Duration;

/// How much of anything a peer may have.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Of a frame that comes.
    pub max_frame_size: u32,
    /// Of a message that comes.
    pub max_message_size: u64,
    /// On one connection.
    pub max_sessions: u16,
    /// In all sessions together.
    pub max_links: u32,
    /// Frames of messages that may come before we say more, for each session.
    pub incoming_window: u32,
    /// Deliveries of a session that wait to be settled, in each direction.
    pub max_unsettled: usize,
    /// Bytes in `output` above which nothing more is read or sent until the peer has taken some.
    pub max_output: usize,
    /// Bytes of messages for a session that wait for the peer's window, and of parts of messages that have come.
    pub max_queued: usize,
    /// How long a peer may take to sign in and open.
    pub handshake: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_size: 65_536,
            max_message_size: 1_048_576,
            max_sessions: 64,
            max_links: 1_024,
            incoming_window: 5_000,
            max_unsettled: 16_384,
            max_output: 1 << 20,
            max_queued: 4 << 20,
            handshake: Duration::from_secs(30),
        }
    }
}

/// Ways to sign in that servers of Azure offer.
pub const MECHANISMS: [&str; 4] = ["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"];

/// How a client signs in.
#[derive(Clone, PartialEq, Eq)]
pub enum SaslClient {
    /// Without a name.
    Anonymous,
    /// By name and password.
    Plain {
        /// At Azure, `{policy}@sas.root.{hub}`.
        user: String,
        /// At Azure, a token.
        password: String,
    },
    /// As the certificate of TLS says.
    External,
    /// Azure's name for *claims follow over `$cbs`*.
    Mssbcbs,
}

impl fmt::Debug for SaslClient {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Plain { .. } => "Plain { .. }",
            Self::External => "External",
            Self::Mssbcbs => "Mssbcbs",
        })
    }
}
