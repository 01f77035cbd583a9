//! `container-tracker simulate --scenario NAME`: a story told step by step, with a verdict.

mod alarm;
mod fleet;
mod lifecycle;
mod story;
mod timing;

use anyhow::bail;

use super::judgement::Verify;
use super::screen::Screen;

/// A story that can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Enroll, provision, configure, disable, deprovision, reprovision, move, roll certificates.
    Lifecycle,
    /// A reefer's power fails at sea: alarm, notification, silence, and the evidence of the trip.
    Alarm,
}

/// Plays `scenario` with so many containers; `verify` looks at records. An error is the verdict "failed".
pub(crate) async fn play(
    scenario: Scenario,
    devices: u16,
    verify: Verify,
    screen: Screen,
) -> anyhow::Result<()> {
    match scenario {
        Scenario::Alarm if devices > 2 => bail!("the scenario alarm is about one container, not {devices}"),
        Scenario::Alarm => alarm::play(verify, screen).await,
        Scenario::Lifecycle => lifecycle::play(usize::from(devices), screen).await,
    }
}
