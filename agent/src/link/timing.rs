//! How long the agent waits for what, as far as tests shorten it. Other waits stand beside the code that waits.
//!
//! The defaults are those of a tracker on a cellular link. Tests hand in shorter ones, so that hours of outages pass
//! in seconds; nothing else about the agent changes with them.

use std::time::Duration;

use tracker_protocol::BackoffPolicy;

/// The promise to whoever stops the agent: the last reading is on the disk, the hub has heard a goodbye, and the process
/// has ended. The unit's `TimeoutStopSec=` is longer.
pub const STOP_WITHIN: Duration = Duration::from_secs(2);
/// Of that, so much is for what can't be cancelled: a name that is being looked up, a bus that hangs.
pub const ABANDON_WITHIN: Duration = Duration::from_millis(100);

/// The waits of uplink, session and link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// Name resolution, TCP, TLS and CONNACK together: a cellular link with seconds of round trip still gets through.
    pub connect_within: Duration,
    /// Each stage of that for itself: name resolution, TCP, TLS, CONNECT.
    pub stage_within: Duration,
    /// A ping unanswered for so long means that the link is dead.
    pub pong_within: Duration,
    /// Nothing acknowledged for so long, although something waits for it, means that the link is dead, whatever TCP says.
    pub acknowledge_within: Duration,
    /// One reading unacknowledged for so long means the same, although others are acknowledged.
    pub each_acknowledged_within: Duration,
    /// DPS answers a request within this time, or is asked again; after three times as long the attempt is given up.
    pub dps_answer_within: Duration,
    /// Between attempts at hub and DPS, when somebody has answered.
    pub attempts: BackoffPolicy,
    /// The longest wait after the first refusal of a hub that has answered, in place of the one of
    /// [`attempts`](Self::attempts): many may have been refused with this device. With 8 s ten thousand are let in
    /// sooner than with the usual 5 s (`tests/faults_fleet.rs`).
    pub throttled_first: Duration,
    /// Between probes, at first, while nobody answers.
    pub probe_every: Duration,
    /// Between attempts that are refused at TCP, for [`nobody_listens_soon`](Self::nobody_listens_soon) the first of these
    /// waits.
    pub nobody_listens: BackoffPolicy,
    /// See [`nobody_listens`](Self::nobody_listens).
    pub nobody_listens_soon: Duration,
    /// Between requests of a refused device: somebody may have enabled it.
    pub refused: BackoffPolicy,
    /// So many attempts since the last connection, over at least [`hub_gone_after`](Self::hub_gone_after), that were answered but not
    /// by a healthy hub: the hub may be gone, and DPS is asked.
    pub hub_gone_attempts: u32,
    /// See [`hub_gone_attempts`](Self::hub_gone_attempts).
    pub hub_gone_after: Duration,
    /// A connection shorter than this, cut again and again: another client uses the same identity.
    pub short_spell: Duration,
    /// A token in place of a certificate is good for so long; the connection is made anew with another after four fifths of
    /// that.
    pub token_lasts: Duration,
    /// How often the certificate file is looked at.
    pub look_every: Duration,
    /// How many readings wait is reported by itself so often, at the most.
    pub waiting_every: Duration,
    /// At the end, readings in flight get so long to be acknowledged.
    pub goodbye_within: Duration,
    /// From the order to stop until everything has been flushed and said, or is given up: the disk may hang.
    pub stop_within: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect_within: Duration::from_secs(75),
            stage_within: Duration::from_secs(30),
            pong_within: Duration::from_secs(16),
            acknowledge_within: Duration::from_secs(16),
            each_acknowledged_within: Duration::from_secs(75),
            dps_answer_within: Duration::from_secs(10),
            attempts: BackoffPolicy {
                floor: Duration::from_secs(1),
                first: Duration::from_secs(5),
                cap: Duration::from_mins(10),
                stable: Duration::from_mins(1),
            },
            throttled_first: Duration::from_secs(8),
            probe_every: Duration::from_secs(2),
            nobody_listens: BackoffPolicy {
                floor: Duration::from_secs(1),
                first: Duration::from_millis(2500),
                cap: Duration::from_mins(1),
                stable: Duration::ZERO,
            },
            nobody_listens_soon: Duration::from_mins(2),
            refused: BackoffPolicy {
                floor: Duration::from_mins(5),
                first: Duration::from_mins(15),
                cap: Duration::from_hours(1),
                stable: Duration::ZERO,
            },
            hub_gone_attempts: 10,
            hub_gone_after: Duration::from_mins(15),
            short_spell: Duration::from_mins(1),
            token_lasts: Duration::from_hours(24),
            look_every: Duration::from_secs(30),
            waiting_every: Duration::from_hours(1),
            goodbye_within: Duration::from_millis(400),
            // As much again as for what can't be cancelled is left for the process itself to end.
            stop_within: STOP_WITHIN.saturating_sub(ABANDON_WITHIN.saturating_mul(2)),
        }
    }
}
