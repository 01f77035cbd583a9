//! How far containers have come, in the directories of their state: a simulation that begins again goes on there.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::spawn_blocking;
use tracker_sensors::simulated::SimulatedClock;

use crate::lab::screen::Screen;
use crate::platform::state_file;

/// Its name in the directory of a device's state.
const NAME: &str = "voyage.json";
/// What a kill takes back at the most.
const EVERY: Duration = Duration::from_secs(10);
const HOUR_MS: f64 = 3_600_000.0;

/// Where a container is on its voyage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    /// Its name.
    pub(super) voyage: String,
    pub(super) seed: u64,
    /// When it began, and when this was written, in simulated time.
    pub(super) start: DateTime<Utc>,
    pub(super) time: DateTime<Utc>,
}

impl Page {
    /// What is written for a device with this directory; what can't be read counts as nothing.
    pub(super) fn read(state: &Path) -> Option<Self> {
        state_file::read(&state.join(NAME)).ok().flatten()
    }

    /// Hours of the voyage that are over at this time.
    pub(super) fn hours_until(&self, time: DateTime<Utc>) -> f64 {
        ((time - self.start).num_milliseconds() as f64 / HOUR_MS).max(0.0)
    }
}

/// The time at which those with these directories were seen last.
pub(super) fn last_seen(states: impl Iterator<Item = PathBuf>) -> Option<DateTime<Utc>> {
    states.filter_map(|state| Page::read(&state)).map(|page| page.time).max()
}

/// The pages of a fleet.
#[derive(Debug, Default)]
pub(super) struct Logbook {
    /// Where nothing outlives the program there is none.
    is_kept: bool,
    pages: Mutex<Vec<(PathBuf, Page, SimulatedClock)>>,
}

impl Logbook {
    pub(super) fn kept(is_kept: bool) -> Arc<Self> {
        Arc::new(Self { is_kept, pages: Mutex::default() })
    }

    /// The page of before, where it is of the voyage that is wanted, and that is not over.
    pub(super) fn page(&self, state: &Path, voyage: &str, seed: u64) -> Option<Page> {
        let page = self.is_kept.then(|| Page::read(state)).flatten()?;
        (page.voyage == voyage && page.seed == seed).then_some(page)
    }

    /// From now on this container is followed.
    pub(super) fn follow(&self, state: &Path, voyage: &str, seed: u64, clock: &SimulatedClock) {
        if self.is_kept {
            let page = Page { voyage: voyage.into(), seed, start: clock.start(), time: clock.utc() };
            let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
            pages.push((state.join(NAME), page, clock.clone()));
        }
    }

    /// Writes now and then, until it is dropped.
    pub(super) async fn write_on(self: Arc<Self>, screen: Screen) -> Infallible {
        loop {
            tokio::time::sleep(EVERY).await;
            let book = self.clone();
            let _ = spawn_blocking(move || book.write(screen)).await;
        }
    }

    /// Writes all pages. What can't be written is told, and only means that a voyage begins anew.
    pub(super) fn write(&self, screen: Screen) {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (path, page, clock) in pages {
            // The tracker makes the directory when it starts.
            if path.parent().is_none_or(|state| !state.is_dir()) {
                continue;
            }
            if let Err(error) = state_file::replace(&path, &Page { time: clock.utc(), ..page }) {
                let text = format!("{}: the voyage begins anew after a restart: {error}", path.display());
                return screen.note("logbook", &text, json!({"file": path}));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_voyage_goes_on_where_it_was_and_another_one_begins() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path();
        let clock = SimulatedClock::new(DateTime::UNIX_EPOCH, 1.0);
        let book = Logbook::kept(true);
        book.follow(state, "cape", 7, &clock);
        tokio::time::sleep(Duration::from_secs(5)).await;
        book.write(Screen::new(true));
        let page = book.page(state, "cape", 7).unwrap();
        assert_eq!(page.hours_until(page.time).round(), 5.0);
        assert!(book.page(state, "suez", 7).is_none() && book.page(state, "cape", 8).is_none());
        assert!(Logbook::kept(false).page(state, "cape", 7).is_none());
        assert_eq!(last_seen([state.to_owned(), state.join("none")].into_iter()), Some(page.time));

        let again = SimulatedClock::new(page.time, 1.0).begun_at(page.start);
        assert_eq!((again.start(), again.hours().round()), (page.start, 5.0));
        // What is damaged is no page.
        std::fs::OpenOptions::new().write(true).open(state.join(NAME)).unwrap().set_len(9).unwrap();
        assert!(book.page(state, "cape", 7).is_none());
    }
}
