//! A fleet at a local cloud: set up side by side, shown, and ended whenever somebody asks.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::timeout;
use tracker_console::history::HistoryOptions;
use tracker_emulator::{Subscription, SubscriptionError, TelemetryMessage};
use tracker_sensors::simulated::SimulatedClock;

use super::arguments::SimulateArgs;
use super::container::{Container, asked, onlooker};
use super::ledger::Ledger;
use super::manifest::Manifest;
use super::story::Story;
use crate::cli::verify;
use crate::journal::JournalStats;
use crate::lab::Cloud;
use crate::lab::console::{Backlogs, Page, Parts, Simulation};
use crate::lab::screen::Screen;
use crate::platform::clock::system_time;
use crate::supervision::Supervision;

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
    let time = SimulatedClock::new(system_time(), args.speed);
    screen.expect(args.devices.into(), &time);
    let backlogs = Backlogs::default();
    let manifest = Manifest::default();
    manifest.keep(&cloud.emulator, &cloud.hub);
    let page = page(&args, &cloud, &time, &backlogs, screen).await?;
    let mut set_up = SetUp::new(args.clone(), cloud.clone(), screen, ledger.clone(), time);
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

/// Certificates, directories and voyages, made on as many threads as there are processors and handed out in order.
struct SetUp {
    args: Arc<SimulateArgs>,
    cloud: Arc<Cloud>,
    screen: Screen,
    ledger: Arc<Ledger>,
    time: SimulatedClock,
    at_a_time: usize,
    begun: u16,
    making: VecDeque<JoinHandle<anyhow::Result<Container>>>,
}

impl SetUp {
    fn new(
        args: Arc<SimulateArgs>,
        cloud: Arc<Cloud>,
        screen: Screen,
        ledger: Arc<Ledger>,
        time: SimulatedClock,
    ) -> Self {
        let at_a_time = std::thread::available_parallelism().map_or(2, |count| 2 * count.get());
        Self { args, cloud, screen, ledger, time, at_a_time, begun: 0, making: VecDeque::new() }
    }

    /// The next container; for ever nothing when there is none any more. Cancel-safe.
    async fn next(&mut self) -> anyhow::Result<Container> {
        while self.making.len() < self.at_a_time && self.begun < self.args.devices {
            let (args, cloud, screen) = (self.args.clone(), self.cloud.clone(), self.screen);
            let (ledger, time, index) = (self.ledger.clone(), self.time.clone(), self.begun);
            self.begun += 1;
            self.making.push_back(spawn_blocking(move || {
                let id = format!("sensor-thl-{:03}", index + 1);
                let config = cloud.device_by(&id, args.transport)?;
                Container::new(&args, screen, &ledger, (&id, index), config, &time)
            }));
        }
        let Some(first) = self.making.front_mut() else { return std::future::pending().await };
        let made = first.await.context("a container can't be made")?;
        self.making.pop_front();
        made
    }

    /// Begins nothing any more.
    fn cancel(&mut self) {
        self.begun = self.args.devices;
        self.making.drain(..).for_each(|making| making.abort());
    }
}
