//! The pairs on disk or in a token, for those who must not wait for either.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::spawn_blocking;

use crate::config::Config;
use crate::event::{Event, Events};
use crate::identity::operational::{Operational, OperationalError, Pairs};

/// The one who opens the pairs, and works with them on threads that may wait. A folder that can't be read is tried again each
/// time.
#[derive(Clone)]
pub(super) struct Holder {
    pairs: Arc<Mutex<Option<Pairs>>>,
    operational: Operational,
    state_directory: PathBuf,
    events: Events,
}

impl Holder {
    /// `None` where nothing is to be issued.
    pub(super) fn new(config: &Config, events: &Events) -> Option<Self> {
        Some(Self {
            pairs: Arc::default(),
            operational: config.identity.operational.clone()?,
            state_directory: config.state.directory.clone(),
            events: events.clone(),
        })
    }

    /// See [`Operational::renew_at`].
    pub(super) fn renew_at(&self) -> f64 {
        self.operational.renew_at
    }

    /// Does this with the pairs, and tells what they have to tell. An error is a sentence.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Pairs) -> Result<T, OperationalError> + Send + 'static,
    ) -> Result<T, String> {
        let holder = self.clone();
        let done = spawn_blocking(move || holder.work_here(work)).await;
        done.unwrap_or_else(|_| Err("the thread that looks after certificates has ended".into()))
    }

    fn work_here<T>(
        &self,
        work: impl FnOnce(&mut Pairs) -> Result<T, OperationalError>,
    ) -> Result<T, String> {
        let mut held = self.pairs.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            let opened = Pairs::open(Some(&self.operational), &self.state_directory);
            *held = opened.map_err(|error| error.to_string())?;
        }
        let pairs = held.as_mut().ok_or("no certificates are to be issued")?;
        let done = work(pairs).map_err(|error| error.to_string());
        for what in pairs.news() {
            self.events.emit(Event::Trouble(what));
        }
        done
    }
}
