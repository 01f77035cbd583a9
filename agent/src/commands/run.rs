//! `container-tracker run`: the device service.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::timeout;

use super::config_argument::ConfigArgument;
use super::known_dates::known_dates;
use super::log;
use super::signals::{Signal, Signals};
use crate::config::Config;
use crate::event::recent::Recent;
use crate::event::{Event, Events};
use crate::identity::{Chain, Identity, IdentityError};
use crate::instruments;
use crate::link::timing::{ABANDON_WITHIN, Timing};
use crate::link::tls;
use crate::platform::clock::{Clock, SystemClock};
use crate::platform::heartbeat::Vitals;
use crate::platform::notify::Notify;
use crate::platform::owner;
use crate::status::file::StatusFile;
#[cfg(feature = "lab")]
use crate::supervision::Window;
use crate::supervision::{Readers, Supervision};
use crate::tracker::Tracker;
use crate::uplink::assignment::{Assignment, AssignmentFile, Terms};

/// A fleet that is powered at the same moment is spread over this time,
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// which may be so if the machine was booted no longer ago than this.
const JUST_BOOTED: Duration = Duration::from_mins(5);

/// Of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArgument,
    /// How much the log tells: error, warn, info, debug or trace.
    #[arg(long = "log", value_name = "LEVEL", default_value = "info")]
    level: tracing::Level,
}

/// Runs the service, until somebody asks it to end.
pub fn run(args: &RunArgs) -> anyhow::Result<()> {
    log::start(args.level);
    let config = args.config.load()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(config.clock.trust_system));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no async runtime")?;
    let result = runtime.block_on(serve(&args.config.path, config, clock));
    // A name that is being looked up, or a bus that hangs, must not hold up the end.
    runtime.shutdown_timeout(ABANDON_WITHIN);
    result
}

/// Runs trackers, one after the other, each with the configuration of its time.
async fn serve(path: &Path, mut config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    refuse_another_users_directory(&config.state.directory, path)?;
    if let Err(error) = tracker_timers::use_the_kernel() {
        tracing::warn!(
            "the kernel has no timer for this program ({error}), which wakes more often therefore"
        );
    }
    let mut device = check_identity(&config, &*clock)?;
    let recent = Recent::new(clock.clone());
    let file = StatusFile::new(&config.state.directory);
    let notify = Notify::from_environment();
    let signals = Signals::listen().context("no signals can be received")?;
    let mut orders = Orders { signals, path, clock: &*clock, notify: &notify };
    let mut first_wait = first_wait(&config, clock.monotonic());
    loop {
        let events = recent.listen(Events::log(device.clone()));
        let supervision = Supervision {
            notify: notify.clone(),
            vitals: Vitals::default(),
            readers: Some(Readers {
                file: file.clone(),
                recent: recent.clone(),
                transport: config.connection.way(),
            }),
            #[cfg(feature = "lab")]
            window: Window::default(),
            #[cfg(feature = "lab")]
            onlooker: None,
        };
        let tracker = Tracker {
            instruments: instruments::configured(&config.sensors, &known_dates(&config)),
            config: config.clone(),
            clock: clock.clone(),
            events: events.clone(),
            first_wait,
            timing: Timing::default(),
        };
        let mut reloaded = None;
        let order = async { reloaded = orders.next(&config, &events).await };
        let ended = tracker.run_supervised(order, supervision).await;
        match (ended, reloaded) {
            (Ok(_), Some((new, id))) => (config, device) = (new, id),
            (ended, _) => {
                // A disk that hangs does not hold up the end.
                let _ = timeout(ABANDON_WITHIN, file.remove()).await;
                return ended.map(|_| ());
            }
        }
        // It was connected: nothing to spread.
        first_wait = Duration::ZERO;
    }
}

/// Only a device that has to ask DPS waits, and only where others may have been powered with it: a hub takes a hundred
/// connections a second and refuses more, which spreads them; DPS takes seventeen.
fn first_wait(config: &Config, since_boot: Duration) -> Duration {
    if since_boot >= JUST_BOOTED {
        return Duration::ZERO;
    }
    let terms = |chain: Chain| Terms::new(&config.dps, &chain.thumbprint());
    wait_without_hub(
        assignment(config).map(|assignment| assignment.terms).as_ref(),
        Chain::read(&config.identity.certificate).ok().map(terms).as_ref(),
    )
}

/// `now`: on which terms it would be assigned now; `None` where the certificate can't be read, which is no matter of DPS.
fn wait_without_hub(assigned: Option<&Terms>, now: Option<&Terms>) -> Duration {
    match (assigned, now) {
        (None, _) => FIRST_WAIT,
        (Some(assigned), Some(now)) if assigned != now => FIRST_WAIT,
        (Some(_), _) => Duration::ZERO,
    }
}

/// What root writes there the user whose directory it is could not change any more.
fn refuse_another_users_directory(directory: &Path, config: &Path) -> anyhow::Result<()> {
    let owner = owner::of(directory).filter(|owner| owner::me() == Some(0) && *owner != 0);
    let Some(owner) = owner.map(owner::name) else { return Ok(()) };
    anyhow::bail!(
        "the state directory {0} (state.directory) belongs to {owner}, who could not use what root writes there; start the \
         service, or run: sudo -u {owner} container-tracker run --config {1}; or, for root alone: sudo chown -R root {0}",
        directory.display(),
        config.display()
    )
}

/// What the service manager wants, by signals.
struct Orders<'a> {
    signals: Signals,
    path: &'a Path,
    clock: &'a dyn Clock,
    notify: &'a Notify,
}

impl Orders<'_> {
    /// Waits until the agent shall end (`None`), or go on with this configuration and device name.
    async fn next(&mut self, current: &Config, events: &Events) -> Option<(Config, String)> {
        loop {
            if self.signals.next().await == Signal::Stop {
                self.notify.stopping();
                self.notify.status("stopping");
                return None;
            }
            self.notify.reloading();
            events.emit(Event::Reloading);
            match self.reload(current, events) {
                Ok(new) => return Some(new),
                Err(error) => {
                    let what = format!("the configuration in force stays: {}", log::told(&error));
                    events.emit(Event::Trouble(what));
                    self.notify.ready();
                }
            }
        }
    }

    /// The configuration as it is now in the file, but for what can't be changed while the agent runs.
    fn reload(&self, current: &Config, events: &Events) -> anyhow::Result<(Config, String)> {
        let mut new = Config::load(self.path)?;
        let mut fixed = Vec::new();
        if new.state.directory != current.state.directory {
            new.state.directory.clone_from(&current.state.directory);
            fixed.push("state.directory");
        }
        if new.clock.trust_system != current.clock.trust_system {
            new.clock = current.clock;
            fixed.push("clock.trust_system");
        }
        let id = check_renewal(&new, self.clock)?;
        if !fixed.is_empty() {
            let what = format!(
                "{} can't be changed while the agent runs; to change it, restart the service",
                fixed.join(" and ")
            );
            events.emit(Event::Trouble(what));
        }
        Ok((new, id))
    }
}

/// A tracker that has never been online is told about a bad identity at once, by ending: somebody is installing it.
/// One that has an assignment goes on measuring whatever happens to its certificate, and looks at the file again and
/// again: nobody is there.
fn check_identity(config: &Config, clock: &dyn Clock) -> anyhow::Result<String> {
    match (identity(config), assignment(config)) {
        (Ok(identity), Some(_)) => Ok(identity.registration_id.to_string()),
        (Ok(identity), None) => {
            tls::roots(config.connection.roots.as_deref())?;
            if let Some(now) = clock.utc() {
                identity.validity(now, clock.source())?;
            }
            Ok(identity.registration_id.to_string())
        }
        (Err(_), Some(assignment)) => Ok(assignment.device_id),
        // Ending means to be started again, and each start may cost the token one of the PINs that it forgives.
        (Err(IdentityError::Token(error)), None) if error.is_about_pin() => {
            Ok(Chain::read(&config.identity.certificate)?.registration_id()?.to_string())
        }
        (Err(error), None) => Err(error.into()),
    }
}

/// At a reload somebody is there, and what works is not given up for files that can't be used.
fn check_renewal(config: &Config, clock: &dyn Clock) -> anyhow::Result<String> {
    let Some(assignment) = assignment(config) else { return check_identity(config, clock) };
    tls::roots(config.connection.roots.as_deref())?;
    match identity(config) {
        // A token that is back is seen by a library that begins anew, which it does not while it is in use.
        Err(IdentityError::Token(_)) => Ok(assignment.device_id),
        identity => Ok(identity?.registration_id.to_string()),
    }
}

fn identity(config: &Config) -> Result<Identity, IdentityError> {
    config.identity.load(&config.state.directory)
}

fn assignment(config: &Config) -> Option<Assignment> {
    AssignmentFile::new(&config.state.directory).read().ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_device_that_was_just_powered_and_has_no_hub_waits_before_it_begins() {
        let config = "[dps]\nid_scope = \"0ne00A1B2C3\"\n[identity]\ncertificate = \"/none.pem\"\nkey = \"/none\"\n\
                      [state]\ndirectory = \"/nowhere\"\n";
        let config = Config::parse(Path::new("tracker.toml"), config).unwrap();
        assert_eq!(first_wait(&config, Duration::from_secs(20)), FIRST_WAIT, "a new device");
        assert!(
            first_wait(&config, Duration::from_mins(5)).is_zero(),
            "a laptop, or a restart of the service"
        );
        let terms = |thumbprint: &str| Terms::new(&config.dps, thumbprint);
        let (old, new) = (terms("old"), terms("new"));
        assert!(wait_without_hub(Some(&old), Some(&old)).is_zero(), "its hub is known");
        assert!(wait_without_hub(Some(&old), None).is_zero());
        assert_eq!(wait_without_hub(Some(&old), Some(&new)), FIRST_WAIT, "it must ask DPS all the same");
    }
}
