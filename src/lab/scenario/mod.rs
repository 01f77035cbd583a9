//! `container-tracker simulate --scenario NAME`: a story told step by step, with a verdict.

mod alarm;
mod fleet;
mod lifecycle;
mod management;
mod renewal;
mod story;
mod timing;
mod watching;

use anyhow::bail;

use super::console::Page;
use super::screen::Screen;

pub(crate) use renewal::Terms;
pub(crate) use watching::Watching;

/// A story that can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Enroll, provision, configure, disable, deprovision, reprovision, move, roll certificates.
    Lifecycle,
    /// A reefer's power fails at sea: alarm, notification, silence, and the evidence of the trip.
    Alarm,
    /// Certificates that Azure issues live for seconds, and are renewed while links flap.
    Renewal,
    /// Configurations, jobs, uploaded files, and the registry exported and imported into a second hub.
    Management,
}

impl Scenario {
    /// Whether it can be watched on a page, and stepped through there.
    pub(crate) fn has_page(self) -> bool {
        self == Self::Lifecycle
    }
}

/// Plays `scenario` with so many containers. An error is the verdict "failed". The page, where it has one, is to be stopped by
/// the caller.
pub(crate) async fn play(
    scenario: Scenario,
    devices: u16,
    terms: Terms,
    screen: Screen,
    watching: Watching<'_>,
    page: &mut Option<Page>,
) -> anyhow::Result<()> {
    match scenario {
        Scenario::Alarm if devices > 2 => bail!("the scenario alarm is about one container, not {devices}"),
        Scenario::Alarm => alarm::play(screen).await,
        Scenario::Renewal => renewal::play(usize::from(devices), terms, watching.directory, screen).await,
        Scenario::Management => {
            management::play(usize::from(devices), watching.open_hub, watching.directory, screen).await
        }
        Scenario::Lifecycle => lifecycle::play(usize::from(devices), screen, watching, page).await,
    }
}
