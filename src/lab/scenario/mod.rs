//! `container-tracker simulate --scenario lifecycle`: the whole life of a fleet, told step by step, with a verdict.

mod fleet;
mod lifecycle;
mod story;
mod timing;

use super::screen::Screen;

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
