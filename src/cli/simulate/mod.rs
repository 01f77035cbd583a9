//! `container-tracker simulate`: the whole road, from emulated chip to hub, on one computer.

mod arguments;
mod catalogue;
mod container;
mod fleet;
pub(super) mod guest;
mod hint;
mod hub_service;
mod ledger;
mod logbook;
mod manifest;
mod page;
mod set_up;
mod shared;
mod story;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;
use tokio::sync::watch;
use tracker_sensors::simulated::{AtEnd, Replay, SimulatedClock};

use super::cloud::EmulatorFile;
use super::place::check_place;
use super::terminal::screen::lack;
use crate::commands::signals::{asked_to_stop, hung_up};
use crate::config::Config;
use crate::lab::Cloud;
use crate::lab::scenario;
use crate::lab::screen::Screen;
use crate::platform::clock::system_time;
use crate::platform::stderr::tell;
use crate::supervision::Supervision;
use arguments::ScreenKind;
pub(super) use arguments::SimulateArgs;
use container::{Container, asked, onlooker};
use ledger::Ledger;
use logbook::{Logbook, last_seen};
use shared::Fleet;
use story::Story;

/// Files here are in memory.
#[cfg(target_os = "linux")]
const IN_MEMORY: &str = "/dev/shm";
/// Several times the bytes that the files of a device take while it delivers.
#[cfg(target_os = "linux")]
const ROOM_OF_A_DEVICE: u64 = 2 * 1024 * 1024;

/// Runs the simulation until Ctrl-C.
pub(in crate::cli) fn run(args: SimulateArgs) -> anyhow::Result<()> {
    SimulateArgs::check_speed(args.speed)?;
    if args.voyage.as_deref() == Some(catalogue::LIST) {
        return catalogue::print(&args);
    }
    if let Some(directory) = &args.directory {
        check_place(directory, "--directory")?;
    }
    container::check(&args)?;
    Story::check(&args)?;
    args.check()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no async runtime")?;
    let result = runtime.block_on(play(args));
    // A name that is being looked up must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn play(args: SimulateArgs) -> anyhow::Result<()> {
    let screen = match args.screen {
        ScreenKind::Terminal => terminal_screen(),
        ScreenKind::Lines => Screen::new(args.json),
    };
    if let Some(path) = &args.replay
        && let Some(lack) = Replay::open(path, AtEnd::Loop)?.lack()
    {
        let text = format!("the recording {} {lack}: the devices will have no position", path.display());
        screen.note("replay", &text, json!({"file": path, "lack": lack}));
    }
    let (stop, stopped) = watch::channel(false);
    let duration = args.duration.map(Duration::from_secs);
    // Whatever ends it, the terminal is given back before anything else is said.
    let _closing = Closing(screen);
    if let Some(board) = screen.board() {
        page::begin(board, &args, stop.clone())?;
    }
    let hung_up = hung_up_at(screen);
    tokio::spawn(async move {
        tokio::select! {
            () = asked_to_stop() => {}
            () = hung_up => {}
            () = after(duration) => {}
        }
        stop.send_replace(true);
    });
    if let Some(scenario) = args.scenario {
        return story(scenario, &args, screen, stopped).await;
    }
    match (&args.config, &args.emulator) {
        (Some(path), _) => real_cloud(&path.clone(), args, screen, stopped).await,
        (None, Some(emulator)) => at_an_emulator(&emulator.clone(), args, screen, stopped).await,
        (None, None) => local_cloud(args, screen, stopped).await,
    }
}

async fn story(
    scenario: scenario::Scenario,
    args: &SimulateArgs,
    screen: Screen,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let directory = temporary_directory(args.devices)?;
    let watching = scenario::Watching {
        directory: directory.path(),
        page: (!args.no_console).then(|| args.listening()),
        is_opened: args.open,
        is_stepping: args.step,
        open_hub: hub_service::open,
    };
    let mut page = None;
    let verdict = tokio::select! {
        verdict = scenario::play(scenario, args.devices, args.terms(), screen, watching, &mut page) => verdict,
        () = asked(stopped.clone()) => bail!("stopped before the end of the story"),
    };
    if let Some(page) = page {
        if args.step {
            screen.note("waiting", "The page stays until Ctrl-C.", json!({}));
            asked(stopped).await;
        }
        page.stop().await;
    }
    verdict
}

/// A page, where the terminal can show one.
fn terminal_screen() -> Screen {
    match lack() {
        // One for the whole program.
        None => Screen::on(Box::leak(Box::default())),
        Some(why) => {
            tell!("no screen: {why}; lines instead");
            Screen::new(false)
        }
    }
}

/// Closes the page.
struct Closing(Screen);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Waits until the terminal of a page is taken away, which would end the program; without one it does.
fn hung_up_at(screen: Screen) -> impl Future<Output = ()> {
    let hung_up = screen.board().map(|_| hung_up());
    async move {
        match hung_up {
            Some(hung_up) => hung_up.await,
            None => std::future::pending().await,
        }
    }
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

async fn local_cloud(
    args: SimulateArgs,
    screen: Screen,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let place = Place::of(&args)?;
    let directory = place.path();
    EmulatorFile::check_free(directory)?;
    let emulator = Story::emulator(directory);
    let cloud = match &place {
        Place::Kept(_) => Cloud::start_kept(emulator, directory, args.interval()).await?,
        Place::Temporary(_) => Cloud::start_with(emulator, directory, args.interval()).await?,
    };
    let file = EmulatorFile::of(&cloud.emulator, None);
    let held = file.as_ref().map(|file| file.save(directory)).transpose()?;
    screen.note(
        "emulator",
        &format!(
            "A local Azure listens on {}: DPS with ID scope {}, hub {}. Ctrl-C ends.",
            cloud.emulator.address(),
            cloud.emulator.id_scope(),
            Cloud::HUB
        ),
        json!({"address": cloud.emulator.address().to_string(), "idScope": cloud.emulator.id_scope(), "hub": Cloud::HUB}),
    );
    if held.is_some() {
        hint::tell(screen, &args.device(0), directory);
    }
    if let Some(interval) = args.interval {
        let changed = cloud.set_interval(interval)?;
        if changed > 0 {
            let s = if changed == 1 { "" } else { "s" };
            let text = format!(
                "--interval: telemetryInterval is {interval} now in the twin{s} of {changed} device{s} of before."
            );
            screen.note("interval", &text, json!({"interval": interval, "devices": changed}));
        }
    }
    let played = fleet::play(Arc::new(args), cloud, screen, stopped).await;
    if let (Some(file), Some(held)) = (&file, held) {
        file.remove(directory, held);
    }
    played
}

async fn at_an_emulator(
    emulator: &Path,
    args: SimulateArgs,
    screen: Screen,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let place = Place::of(&args)?;
    let is_kept = matches!(place, Place::Kept(_));
    guest::play(Arc::new(args), emulator, (place.path(), is_kept), screen, stopped).await
}

/// Where the files of a fleet are.
enum Place {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Place {
    fn of(args: &SimulateArgs) -> anyhow::Result<Self> {
        let Some(directory) = &args.directory else {
            return Ok(Self::Temporary(temporary_directory(args.devices)?));
        };
        std::fs::create_dir_all(directory)
            .with_context(|| format!("can't make the directory {}", directory.display()))?;
        Ok(Self::Kept(directory.clone()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(directory) => directory,
            Self::Temporary(directory) => directory.path(),
        }
    }
}

async fn real_cloud(
    path: &Path,
    args: SimulateArgs,
    screen: Screen,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    if args.devices != 2 && args.devices != 1 {
        bail!("--config names one identity, so one device can be simulated with it, not {}", args.devices);
    }
    let config = Config::load(path)?;
    let id = config.identity.load(&config.state.directory)?.registration_id.to_string();
    let endpoint = config.connection.endpoint(&config.dps.host);
    let text = format!("Simulated sensors, to {endpoint} as configured in {}. Ctrl-C ends.", path.display());
    screen.note("cloud", &text, json!({"dpsHost": config.dps.host, "idScope": config.dps.id_scope}));
    let ledger = Arc::new(Ledger::default());
    let states = [config.state.directory.clone()].into_iter();
    let time = SimulatedClock::new(last_seen(states).unwrap_or_else(system_time), args.speed);
    screen.expect(1, &time);
    let logbook = Logbook::kept(true);
    let args = Arc::new(args);
    let fleet = Fleet { args, screen, ledger: ledger.clone(), logbook: logbook.clone(), time };
    let Container { title, details, tracker, .. } = Container::new(&fleet, &id, config)?;
    screen.note("voyage", &title, details);
    ledger.started();
    let supervision = Supervision { onlooker: onlooker(screen, &id), ..Supervision::default() };
    let ended = tokio::select! {
        ended = tracker.run_supervised(asked(stopped), supervision) => ended,
        never = logbook.clone().write_on(screen) => match never {},
    };
    screen.close();
    logbook.write(screen);
    ledger.ended(ended?);
    ledger.settle(screen, 1)
}

/// A place for what goes with the program. In memory where there is room: a fleet is hard on a disk, which would also take
/// seconds to forget its files. Where `TMPDIR` says is where somebody wants them.
fn temporary_directory(devices: u16) -> anyhow::Result<tempfile::TempDir> {
    let mut named = tempfile::Builder::new();
    named.prefix("container-tracker-");
    #[cfg(target_os = "linux")]
    if std::env::var_os("TMPDIR").is_none() {
        let room =
            rustix::fs::statvfs(IN_MEMORY).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        if room / u64::from(devices) >= ROOM_OF_A_DEVICE
            && let Ok(directory) = named.tempdir_in(IN_MEMORY)
        {
            return Ok(directory);
        }
    }
    named.tempdir().context("no temporary directory")
}
