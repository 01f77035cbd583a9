//! A fleet at a local cloud: set up side by side, shown, and ended whenever somebody asks.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracker_console::history::HistoryOptions;
use tracker_emulator::{Subscription, SubscriptionError, TelemetryMessage};
use tracker_sensors::simulated::SimulatedClock;

use super::arguments::SimulateArgs;
use super::container::{Container, asked, onlooker};
use super::ledger::Ledger;
use super::logbook::{Logbook, last_seen};
use super::manifest::Manifest;
use super::set_up::SetUp;
use super::shared::Fleet;
use super::story::Story;
use crate::journal::JournalStats;
use crate::lab::Cloud;
use crate::lab::console::{Backlogs, Page, Parts, Simulation};
use crate::lab::screen::Screen;
use crate::platform::clock::system_time;
use crate::supervision::Supervision;
use crate::verify;

/// What the trackers of a fleet have to end in, which hundreds do in half a second. Whoever asks for the end waits no longer.
const END_WITHIN: Duration = Duration::from_secs(3);
/// What the history of the page has, which is thrown away with the directory.
const PAGE_WITHIN: Duration = Duration::from_millis(500);
/// What the emulator has after that.
const SHUT_WITHIN: Duration = Duration::from_millis(100);

/// Plays the fleet until `stopped`. The error of a tracker that can't start is the fleet's, and so is a lost reading.
pub(super) async fn play(
    args: Arc<SimulateArgs>,
    cloud: Cloud,
    screen: Screen,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let ledger = Arc::new(Ledger::at_a_local_hub());
    let counts = ledger.clone();
    cloud.hub.observe(move |message| counts.received(message));
    let mut telemetry = cloud.hub.telemetry();
    let cloud = Arc::new(cloud);
    let story = args.story.then(|| Story::new(cloud.clone(), screen, args.record.as_deref()));
    let mut story = story.transpose()?;
    // With a story the trackers end when their trips have.
    let (end_trackers, ending) = watch::channel(false);
    let ending = if args.story { ending } else { stopped.clone() };
    let is_kept = args.directory.is_some();
    let logbook = Logbook::kept(is_kept);
    let states = (0..args.devices).map(|index| cloud.directory().join(args.device(index)).join("state"));
    let begin = is_kept.then(|| last_seen(states)).flatten().unwrap_or_else(system_time);
    let time = SimulatedClock::new(begin, args.speed);
    screen.expect(args.devices.into(), &time);
    let backlogs = Backlogs::default();
    let manifest = Manifest::default();
    manifest.keep(&cloud.emulator, &cloud.hub);
    let page = page(&args, &cloud, &time, &backlogs, screen).await?;
    let fleet = Fleet { args: args.clone(), screen, ledger: ledger.clone(), logbook: logbook.clone(), time };
    let (devices_cloud, transport) = (cloud.clone(), args.transport);
    let mut set_up = SetUp::new(fleet, Arc::new(move |id| devices_cloud.device_by(id, transport)));
    let mut writing = pin!(logbook.clone().write_on(screen));
    let mut trackers = JoinSet::new();
    let mut end_asked = pin!(asked(stopped.clone()));
    loop {
        tokio::select! {
            biased;
            () = &mut end_asked => break,
            // A tracker that ends by itself could not start.
            Some(ended) = trackers.join_next() => ledger.ended(ended??),
            container = set_up.next() => {
                let Container { title, tracker, details, wishes } = container?;
                let word = |name: &str| details[name].as_str().unwrap_or_default();
                let device = word("device");
                manifest.load(device, word("cargo"), word("voyage"));
                let (window, onlooker) = (backlogs.window(device), onlooker(screen, device));
                let supervision = Supervision { window, onlooker, ..Supervision::default() };
                if let Some(((story, wishes), id)) = story.as_mut().zip(wishes).zip(details["device"].as_str()) {
                    story.begin(id, wishes);
                }
                screen.note("voyage", &title, details);
                ledger.started();
                trackers.spawn(tracker.run_supervised(asked(ending.clone()), supervision));
            }
            () = over(story.as_ref(), args.devices) => break,
            () = show_next(&mut telemetry, screen, &ledger) => {}
            never = &mut writing => match never {},
        }
    }
    screen.close();
    set_up.cancel();
    if let Some(story) = &mut story {
        story.end().await;
    }
    end_trackers.send_replace(true);
    end(&mut trackers, &mut telemetry, screen, &ledger).await?;
    if let Some(page) = page {
        // What it holds up is the end that somebody waits for.
        let _ = timeout(PAGE_WITHIN, page.stop()).await;
    }
    logbook.write(screen);
    let settled = ledger.settle(screen, args.devices);
    let judged = story.map_or(Ok(()), Story::judge);
    drop(set_up);
    if let Some(cloud) = Arc::into_inner(cloud) {
        // What is not closed by then ends with the program.
        let _ = timeout(SHUT_WITHIN, cloud.emulator.shutdown()).await;
    }
    settled.and(judged)
}

/// Serves the page, if it is wanted, and prints its link.
async fn page(
    args: &SimulateArgs,
    cloud: &Cloud,
    time: &SimulatedClock,
    backlogs: &Backlogs,
    screen: Screen,
) -> anyhow::Result<Option<Page>> {
    if args.no_console {
        return Ok(None);
    }
    let containers = if args.devices == 1 { "container" } else { "containers" };
    let backend = Simulation::new(Parts {
        dps: cloud.emulator.dps().clone(),
        faults: cloud.emulator.faults().clone(),
        events: cloud.emulator.events(),
        backlogs: backlogs.clone(),
        clock: time.clone(),
        title: format!("Simulation of {} {containers}", args.devices),
        directory: cloud.directory().to_owned(),
        root: cloud.device_root(),
        verify: verify::judgements,
        director: None,
    });
    let history = HistoryOptions::temporary(cloud.directory().join("console.sqlite"));
    let page = Page::serve(Arc::new(backend), history, args.listening())
        .await
        .context("the page can't be served")?;
    page.announce(screen, args.open);
    Ok(Some(page))
}

/// Waits until all voyages are over, where somebody wants to know.
async fn over(story: Option<&Story>, devices: u16) {
    match story {
        Some(story) => story.is_over(devices).await,
        None => std::future::pending().await,
    }
}

/// Waits for the trackers, which have been asked to end, and shows what they still deliver.
async fn end(
    trackers: &mut JoinSet<anyhow::Result<JournalStats>>,
    telemetry: &mut Subscription<TelemetryMessage>,
    screen: Screen,
    ledger: &Ledger,
) -> anyhow::Result<()> {
    let all = async {
        while let Some(ended) = trackers.join_next().await {
            ledger.ended(ended??);
        }
        anyhow::Ok(())
    };
    // Those that take longer are cut off, which the sums tell.
    timeout(END_WITHIN, all).await.unwrap_or(Ok(()))?;
    loop {
        match telemetry.try_next() {
            Ok(Some(message)) => screen.telemetry(&message),
            Err(SubscriptionError::Lagged(missed)) => ledger.not_shown(missed),
            Ok(None) | Err(SubscriptionError::Closed) => return Ok(()),
        }
    }
}

async fn show_next(telemetry: &mut Subscription<TelemetryMessage>, screen: Screen, ledger: &Ledger) {
    match telemetry.next().await {
        Ok(message) => screen.telemetry(&message),
        Err(SubscriptionError::Lagged(missed)) => {
            ledger.not_shown(missed);
            screen.note(
                "lagged",
                &format!("{missed} messages came faster than they can be shown; the hub has them"),
                json!({"missed": missed}),
            );
        }
        Err(SubscriptionError::Closed) => std::future::pending().await,
    }
}
