//! `container-tracker simulate --scenario lifecycle`: the whole life of a fleet, told step by step, with a verdict.

mod fleet;
mod lifecycle;
mod story;

use std::time::Duration;

use tracker_protocol::BackoffPolicy;

use super::screen::Screen;
use crate::link::timing::{STOP_WITHIN, Timing};

/// A story that can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Enroll, provision, configure, disable, deprovision, reprovision, move, roll certificates.
    Lifecycle,
}

/// Plays `scenario` with so many containers. An error is the verdict "failed".
pub(crate) async fn play(scenario: Scenario, devices: u16, screen: Screen) -> anyhow::Result<()> {
    match scenario {
        Scenario::Lifecycle => lifecycle::play(usize::from(devices), screen).await,
    }
}

/// A story is not told in hours: refused devices ask again after seconds, and certificates are looked at every second.
fn timing() -> Timing {
    let policy = |first, cap| BackoffPolicy {
        floor: Duration::from_millis(200),
        first: Duration::from_millis(first),
        cap: Duration::from_millis(cap),
        stable: Duration::from_secs(5),
    };
    Timing {
        attempts: policy(1000, 5000),
        refused: policy(2000, 4000),
        look_every: Duration::from_secs(1),
        stop_within: STOP_WITHIN * 10,
        ..Timing::default()
    }
}
