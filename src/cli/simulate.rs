//! `container-tracker simulate`: the whole road, from emulated chip to hub, on one computer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracker_emulator::{Subscription, SubscriptionError, TelemetryMessage};
use tracker_sensors::simulated::{AtEnd, Replay, SimulatedClock, SimulatedContainer, Voyage};

use super::terminal::signals::asked_to_stop;
use crate::config::{Config, Interval};
use crate::event::Events;
use crate::identity::Identity;
use crate::instruments;
use crate::instruments::simulation::Simulation;
use crate::journal::JournalStats;
use crate::lab::clock::VoyageClock;
use crate::lab::scenario::{self, Scenario};
use crate::lab::screen::Screen;
use crate::lab::{Cloud, Received};
use crate::link::timing::{STOP_WITHIN, Timing};
use crate::platform::clock::system_time;
use crate::tracker::Tracker;

/// The voyages of the first devices; the others follow.
const FIRST_VOYAGES: [&str; 2] = ["woerden-tokyo-gouda-cape", "teawamutu-shanghai-cheddar"];

/// Options of `simulate`.
#[derive(Debug, clap::Args)]
pub(super) struct SimulateArgs {
    /// How many containers travel.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=5000))]
    devices: u16,
    /// The voyage of all containers, for example teawamutu-shanghai-cheddar; by default each has one of its own.
    #[arg(long, value_name = "NAME")]
    voyage: Option<String>,
    /// Simulated hours that pass in a second.
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    speed: f64,
    /// Makes weather, sensor noise and start of every voyage the same again.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Seconds between readings, as the initial twin's telemetryInterval.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(i64::from(Interval::SHORTEST)..=i64::from(Interval::LONGEST)))]
    interval: u32,
    /// A recorded NMEA log that becomes the bytes of the GPS receivers, one epoch a second, over and over.
    #[arg(long, value_name = "FILE.nmea")]
    replay: Option<PathBuf>,
    /// Simulated sensors against a real Azure: the identity and DPS of this configuration file, one device.
    #[arg(long, value_name = "FILE", conflicts_with = "interval")]
    config: Option<PathBuf>,
    /// Tell a story instead: each step says what is done, expected and seen; the exit code is the verdict.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "voyage", "replay", "interval"])]
    scenario: Option<Scenario>,
    /// End by itself after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u64>,
    /// Print one JSON object a line, for scripts.
    #[arg(long)]
    json: bool,
}

/// Runs the simulation until Ctrl-C.
pub(super) fn run(args: SimulateArgs) -> anyhow::Result<()> {
    if !(args.speed.is_finite() && args.speed > 0.0 && args.speed <= 1000.0) {
        bail!("--speed {} is not above 0 and at most 1000 hours a second", args.speed);
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no async runtime")?;
    let result = runtime.block_on(play(args));
    // A name that is being looked up must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn play(args: SimulateArgs) -> anyhow::Result<()> {
    let screen = Screen::new(args.json);
    if let Some(path) = &args.replay
        && let Some(lack) = Replay::open(path, AtEnd::Loop)?.lack()
    {
        let text = format!("the recording {} {lack}: the devices will have no position", path.display());
        screen.note("replay", &text, json!({"file": path, "lack": lack}));
    }
    let (stop, stopped) = watch::channel(false);
    let duration = args.duration.map(Duration::from_secs);
    tokio::spawn(async move {
        tokio::select! {
            () = asked_to_stop() => {}
            () = after(duration) => {}
        }
        stop.send_replace(true);
    });
    if let Some(scenario) = args.scenario {
        return tokio::select! {
            verdict = scenario::play(scenario, args.devices, screen) => verdict,
            () = asked(stopped) => bail!("stopped before the end of the story"),
        };
    }
    match &args.config {
        Some(path) => real_cloud(path, &args, screen, stopped).await,
        None => local_cloud(&args, screen, stopped).await,
    }
}

async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

async fn local_cloud(
    args: &SimulateArgs,
    screen: Screen,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let directory =
        tempfile::Builder::new().prefix("container-tracker-").tempdir().context("no temporary directory")?;
    let cloud = Cloud::start(directory.path(), args.interval).await?;
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
    let mut trackers = JoinSet::new();
    for index in 0..args.devices {
        let id = format!("sensor-thl-{:03}", index + 1);
        let config = cloud.device(&id)?;
        let tracker = tracker(args, screen, &id, index, config)?;
        trackers.spawn(tracker.run(asked(stopped.clone())));
    }
    let mut telemetry = cloud.hub.telemetry();
    let mut received = Received::default();
    let ended = loop {
        tokio::select! {
            () = show_next(&mut telemetry, screen, &mut received) => {}
            _ = stopped.changed() => break Ok(()),
            Some(ended) = trackers.join_next() => break Err(ended),
        }
    };
    let mut totals = JournalStats::default();
    if let Err(ended) = ended {
        // A tracker that ends by itself could not start.
        ended??;
    }
    while let Some(ended) = trackers.join_next().await {
        add(&mut totals, ended??);
    }
    while let Ok(Some(message)) = telemetry.try_next() {
        received.count(&message);
        screen.telemetry(&message);
    }
    summarise(screen, args.devices, totals, Some(&received));
    cloud.emulator.shutdown().await;
    Ok(())
}

async fn real_cloud(
    path: &Path,
    args: &SimulateArgs,
    screen: Screen,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    if args.devices != 2 && args.devices != 1 {
        bail!("--config names one identity, so one device can be simulated with it, not {}", args.devices);
    }
    let config = Config::load(path)?;
    let id = Identity::load(&config.identity.certificate, &config.identity.key, &config.state.directory)?
        .registration_id
        .to_string();
    let text =
        format!("Simulated sensors, {} as configured in {}. Ctrl-C ends.", config.dps.host, path.display());
    screen.note("cloud", &text, json!({"dpsHost": config.dps.host, "idScope": config.dps.id_scope}));
    let tracker = tracker(args, screen, &id, 0, config)?;
    let totals = tracker.run(asked(stopped)).await?;
    summarise(screen, 1, totals, None);
    Ok(())
}

/// A tracker with emulated chip and receiver.
fn tracker(
    args: &SimulateArgs,
    screen: Screen,
    id: &str,
    index: u16,
    config: Config,
) -> anyhow::Result<Tracker> {
    let start = system_time();
    let seed = args.seed.wrapping_add(index.into());
    let voyage = match &args.voyage {
        Some(name) => Voyage::named(name, start, seed)?,
        None => Voyage::named(usual_voyage(index), start, seed)?,
    };
    let title = format!("{id}: {}", voyage.title());
    screen.note("voyage", &title, json!({"device": id, "voyage": voyage.name(), "cargo": voyage.cargo()}));
    let clock = SimulatedClock::new(start, args.speed);
    let container = SimulatedContainer::new(voyage, clock, seed);
    let simulation = Simulation { container, clock, replay: args.replay.clone() };
    let device = id.to_owned();
    let events = Events::to(id, Arc::new(move |event| screen.event(&device, event)));
    Ok(Tracker {
        config,
        instruments: instruments::simulated(&simulation)?,
        clock: Arc::new(VoyageClock::new(clock)),
        events,
        first_wait: Duration::ZERO,
        // All of them share one disk.
        timing: Timing { stop_within: STOP_WITHIN * 10, ..Timing::default() },
    })
}

fn usual_voyage(index: u16) -> &'static str {
    let index = usize::from(index);
    FIRST_VOYAGES.get(index).copied().unwrap_or_else(|| {
        let count = Voyage::names().count().max(1);
        Voyage::names().nth(index % count).unwrap_or(FIRST_VOYAGES[0])
    })
}

async fn asked(mut stopped: watch::Receiver<bool>) {
    // The sender lives as long as the program.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn show_next(telemetry: &mut Subscription<TelemetryMessage>, screen: Screen, received: &mut Received) {
    match telemetry.next().await {
        Ok(message) => {
            received.count(&message);
            screen.telemetry(&message);
        }
        Err(SubscriptionError::Lagged(missed)) => {
            screen.note(
                "lagged",
                &format!("{missed} messages came faster than they can be shown"),
                json!({"missed": missed}),
            );
        }
        Err(SubscriptionError::Closed) => std::future::pending().await,
    }
}

fn add(totals: &mut JournalStats, stats: JournalStats) {
    totals.taken += stats.taken;
    totals.sent += stats.sent;
    totals.acknowledged += stats.acknowledged;
    totals.backlog += stats.backlog;
    totals.dropped += stats.dropped;
    totals.thinned += stats.thinned;
}

fn summarise(screen: Screen, devices: u16, totals: JournalStats, received: Option<&Received>) {
    let JournalStats { taken, sent, acknowledged, backlog, dropped, .. } = totals;
    let mut text = format!(
        "{devices} devices: {taken} readings taken, {sent} sent, {acknowledged} acknowledged, {backlog} not yet sent"
    );
    let mut details = json!({
        "devices": devices, "taken": taken, "sent": sent, "acknowledged": acknowledged, "backlog": backlog,
        "dropped": dropped,
    });
    if let Some(received) = received {
        let (distinct, duplicates) = (received.distinct(), received.duplicates);
        // Acknowledged, and yet unknown to the hub: that must not be.
        let lost = acknowledged.saturating_sub(distinct) + dropped;
        text += &format!("; {distinct} received by the hub, {duplicates} duplicates, {lost} lost");
        details["received"] = distinct.into();
        details["duplicates"] = duplicates.into();
        details["lost"] = lost.into();
    }
    screen.note("summary", &text, details);
}
