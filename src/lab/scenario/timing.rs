//! How long the devices of a story wait.

use std::time::Duration;

use tracker_protocol::BackoffPolicy;

use crate::link::timing::{STOP_WITHIN, Timing};

/// A story is not told in hours: refused devices ask again after seconds, and certificates are looked at every second.
pub(super) fn timing() -> Timing {
    let policy = |first, cap| BackoffPolicy {
        floor: Duration::from_millis(200),
        first: Duration::from_millis(first),
        cap: Duration::from_millis(cap),
        stable: Duration::from_secs(5),
    };
    Timing {
        attempts: policy(1000, 5000),
        throttled_first: Duration::from_secs(1),
        refused: policy(2000, 4000),
        look_every: Duration::from_secs(1),
        stop_within: STOP_WITHIN * 10,
        ..Timing::default()
    }
}
