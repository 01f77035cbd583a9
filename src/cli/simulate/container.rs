//! One simulated container: its voyage, and the tracker in it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tracker_sensors::simulated::{AtEnd, Replay, SimulatedClock, SimulatedContainer, Voyage};

use super::arguments::SimulateArgs;
use super::ledger::Ledger;
use super::story::Wishes;
use crate::config::Config;
use crate::event::{Event, Events};
use crate::instruments;
use crate::instruments::simulation::Simulation;
use crate::lab::clock::VoyageClock;
use crate::lab::screen::Screen;
use crate::link::timing::{STOP_WITHIN, Timing};
use crate::platform::clock::system_time;
use crate::tracker::Tracker;

/// The voyages of the first devices; the others follow.
const FIRST_VOYAGES: [&str; 2] = ["woerden-tokyo-gouda-cape", "teawamutu-shanghai-cheddar"];

/// A tracker with emulated chip and receiver, and what there is to say of it.
pub(super) struct Container {
    pub(super) title: String,
    pub(super) details: Value,
    pub(super) tracker: Tracker,
    /// With `--story`: what is wished for it.
    pub(super) wishes: Option<Wishes>,
}

impl Container {
    /// The one with this number, from 0. Its voyage begins now, in the fleet's time.
    pub(super) fn new(
        args: &SimulateArgs,
        screen: Screen,
        ledger: &Arc<Ledger>,
        (id, index): (&str, u16),
        config: Config,
        time: &SimulatedClock,
    ) -> anyhow::Result<Self> {
        let clock = time.beginning_now();
        let seed = args.seed.wrapping_add(index.into());
        let name = args.voyage.as_deref().unwrap_or_else(|| usual_voyage(index));
        let mut voyage = Voyage::named(name, clock.start(), seed)?;
        if args.story {
            voyage = voyage.with_power_failure_at_sea();
        }
        let wishes = args.story.then(|| Wishes::new(args, &voyage, index));
        let title = format!("{id}: {}", voyage.title());
        let details = json!({"device": id, "voyage": voyage.name(), "cargo": voyage.cargo()});
        let container = SimulatedContainer::new(voyage, clock.clone(), seed);
        let simulation = Simulation { container, clock: clock.clone(), replay: args.replay.clone() };
        let (device, ledger) = (id.to_owned(), ledger.clone());
        let listener = move |event: &Event| {
            if let Event::Delivered { seq } = event {
                ledger.delivered(&device, *seq);
            }
            screen.event(&device, event);
        };
        let tracker = Tracker {
            config,
            instruments: instruments::simulated(&simulation)?,
            clock: Arc::new(VoyageClock::new(clock)),
            events: Events::to(id, Arc::new(listener)),
            first_wait: Duration::ZERO,
            // All of them share one disk.
            timing: Timing { stop_within: STOP_WITHIN * 10, ..Timing::default() },
        };
        Ok(Self { title, details, tracker, wishes })
    }
}

/// Whether every container could be made as the options want it, before anything is started.
pub(super) fn check(args: &SimulateArgs) -> anyhow::Result<()> {
    if let Some(name) = &args.voyage {
        Voyage::named(name, system_time(), args.seed)?;
    }
    if let Some(path) = &args.replay {
        Replay::open(path, AtEnd::Loop)?;
    }
    Ok(())
}

fn usual_voyage(index: u16) -> &'static str {
    let index = usize::from(index);
    FIRST_VOYAGES.get(index).copied().unwrap_or_else(|| {
        let count = Voyage::names().count().max(1);
        Voyage::names().nth(index % count).unwrap_or(FIRST_VOYAGES[0])
    })
}

/// Waits until somebody asks for the end.
pub(super) async fn asked(mut stopped: watch::Receiver<bool>) {
    // The sender lives as long as the program.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
