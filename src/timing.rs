//! How long the agent waits for what, in one place.
//!
//! The defaults are those of a tracker on a cellular link. Tests hand in shorter ones, so that hours of outages pass
//! in seconds; nothing else about the agent changes with them.

use std::time::Duration;

use tracker_protocol::BackoffPolicy;

/// The waits of uplink, session and link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// Name resolution, TCP, TLS and CONNACK together: a cellular link with seconds of round trip still gets through.
    pub connect_within: Duration,
    /// Each stage of that for itself: reaching the server (name resolution and TCP), TLS, CONNECT.
    pub stage_within: Duration,
    /// A ping unanswered for so long means that the link is dead.
    pub pong_within: Duration,
    /// A reading unacknowledged for so long means that the link is dead, whatever TCP says.
    pub acknowledge_within: Duration,
    /// DPS answers a request within this time, or the attempt is given up.
    pub dps_answer_within: Duration,
    /// Between attempts at hub and DPS.
    pub attempts: BackoffPolicy,
    /// Between requests of a refused device: somebody may have enabled it.
    pub refused: BackoffPolicy,
    /// So many attempts in a row, over at least [`hub_gone_after`](Self::hub_gone_after), that were answered but not
    /// by a healthy hub: the hub may be gone, and DPS is asked.
    pub hub_gone_attempts: u32,
    /// See [`hub_gone_attempts`](Self::hub_gone_attempts).
    pub hub_gone_after: Duration,
    /// A connection shorter than this, cut again and again: another client uses the same identity.
    pub short_spell: Duration,
    /// How often the certificate file is looked at.
    pub look_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect_within: Duration::from_secs(75),
            stage_within: Duration::from_secs(30),
            pong_within: Duration::from_secs(30),
            acknowledge_within: Duration::from_secs(30),
            dps_answer_within: Duration::from_secs(30),
            attempts: BackoffPolicy {
                floor: Duration::from_secs(1),
                first: Duration::from_secs(5),
                cap: Duration::from_secs(600),
                stable: Duration::from_secs(60),
            },
            refused: BackoffPolicy {
                floor: Duration::from_secs(300),
                first: Duration::from_secs(900),
                cap: Duration::from_secs(3600),
                stable: Duration::ZERO,
            },
            hub_gone_attempts: 10,
            hub_gone_after: Duration::from_secs(15 * 60),
            short_spell: Duration::from_secs(60),
            look_every: Duration::from_secs(30),
        }
    }
}
