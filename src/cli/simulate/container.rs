//! One simulated container: its voyage, and the tracker in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tracker_sensors::simulated::{AtEnd, Replay, SimulatedClock, SimulatedContainer, Voyage};

use super::arguments::{PREFIX, SimulateArgs};
use super::catalogue::LIST;
use super::shared::Fleet;
use super::story::Wishes;
use crate::config::Config;
use crate::event::{Event, Events};
use crate::instruments;
use crate::instruments::simulation::Simulation;
use crate::lab::clock::VoyageClock;
use crate::lab::screen::Screen;
use crate::link::timing::{STOP_WITHIN, Timing};
use crate::platform::clock::system_time;
use crate::supervision::Onlooker;
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
    /// The one of this name. Its voyage begins now, in the fleet's time, or goes on.
    pub(super) fn new(fleet: &Fleet, id: &str, config: Config) -> anyhow::Result<Self> {
        let (args, screen) = (&fleet.args, fleet.screen);
        let number = number(id);
        let seed = args.seed.wrapping_add(number);
        let name = args.voyage.as_deref().unwrap_or_else(|| usual_voyage(number));
        let clock = clock(fleet, name, seed, &config.state.directory)?;
        let mut voyage = Voyage::named(name, clock.start(), seed)?;
        if args.story {
            voyage = voyage.with_power_failure_at_sea();
        }
        let wishes = args.story.then(|| Wishes::new(args, &voyage, number as u16));
        fleet.logbook.follow(&config.state.directory, name, seed, &clock);
        let mut details = json!({"device": id, "voyage": voyage.name(), "cargo": voyage.cargo()});
        let title = if let Some(file) = &args.replay {
            details["replay"] = json!(file);
            format!(
                "{id}: as {} was recorded, over and over; air and goods: {}",
                file.display(),
                voyage.title()
            )
        } else {
            format!("{id}: {}", voyage.title())
        };
        let container = SimulatedContainer::new(voyage, clock.clone(), seed);
        let simulation = Simulation { container, clock: clock.clone(), replay: args.replay.clone() };
        let (device, ledger) = (id.to_owned(), fleet.ledger.clone());
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

/// Shows a tracker on the board, where there is one.
pub(super) fn onlooker(screen: Screen, id: &str) -> Option<Onlooker> {
    let (board, device) = (screen.board()?, id.to_owned());
    Some(Onlooker(Arc::new(move |status| board.track(&device, status))))
}

/// Whether every container could be made as the options want it, before anything is started.
pub(super) fn check(args: &SimulateArgs) -> anyhow::Result<()> {
    if let Some(name) = args.voyage.as_deref().filter(|name| *name != LIST) {
        Voyage::named(name, system_time(), args.seed)?;
    }
    if let Some(path) = &args.replay {
        Replay::open(path, AtEnd::Loop)?;
    }
    Ok(())
}

/// The hours of a voyage: of a new one, or as the logbook has them.
fn clock(fleet: &Fleet, voyage: &str, seed: u64, state: &Path) -> anyhow::Result<SimulatedClock> {
    let Some(page) = fleet.logbook.page(state, voyage, seed) else { return Ok(fleet.time.beginning_now()) };
    let hours = page.hours_until(fleet.time.utc());
    let is_over = hours >= Voyage::named(voyage, page.start, seed)?.length_h();
    Ok(if is_over { fleet.time.beginning_now() } else { fleet.time.begun_at(page.start) })
}

/// What makes a voyage a device's own: its number, from 0, or one out of its name.
fn number(id: &str) -> u64 {
    let number = id.strip_prefix(PREFIX).and_then(|number| number.parse::<u64>().ok());
    number.and_then(|number| number.checked_sub(1)).unwrap_or_else(|| {
        // FNV-1a: the same in every version of this program.
        id.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    })
}

fn usual_voyage(number: u64) -> &'static str {
    let first = usize::try_from(number).ok().and_then(|number| FIRST_VOYAGES.get(number).copied());
    first.unwrap_or_else(|| {
        let count = Voyage::names().count().max(1) as u64;
        Voyage::names().nth((number % count) as usize).unwrap_or(FIRST_VOYAGES[0])
    })
}

/// Waits until somebody asks for the end.
pub(super) async fn asked(mut stopped: watch::Receiver<bool>) {
    // The sender lives as long as the program.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
