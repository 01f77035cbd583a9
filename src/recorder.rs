//! Takes a reading at every interval, whatever the network does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tracker_sensors::bme280::Environment;
use tracker_sensors::gps::GpsState;

use crate::config::Alerts;
use crate::journal::Journal;
use crate::platform::clock::Clock;
use crate::platform::heartbeat::Heartbeat;
use crate::reading::{Reading, Stamp};
use crate::instruments::sampler::Sampler;

/// What a recorder works with.
pub struct Recorder {
    /// The environment sensor, where there is one.
    pub sampler: Option<Sampler>,
    /// What the GPS receiver says, where there is one, and how to have its line looked at.
    pub gps: Option<(watch::Receiver<GpsState>, Arc<Notify>)>,
    /// Time between readings; a change acts at once.
    pub interval: watch::Receiver<Duration>,
    /// Where readings go.
    pub journal: Arc<Journal>,
    /// Stamps them.
    pub clock: Arc<dyn Clock>,
    /// Bounds of the alerts.
    pub alerts: Alerts,
    /// Beats with every reading, and while it waits for the next.
    pub heart: Heartbeat,
}

impl Recorder {
    /// Records for ever; the first reading is taken at once.
    pub async fn run(mut self) {
        let mut last = None;
        loop {
            let due = next_due(last, *self.interval.borrow_and_update());
            let environment = tokio::select! {
                environment = self.heart.during(measure(self.sampler.as_ref(), due)) => environment,
                // An interval that changes meanwhile counts from the last reading.
                Ok(()) = self.interval.changed() => continue,
            };
            last = Some(due);
            self.record(environment).await;
        }
    }

    async fn record(&mut self, environment: Option<Environment>) {
        let (fix, listening) = match &self.gps {
            Some((gps, look)) => {
                look.notify_one();
                // Its reader has its turn.
                yield_now().await;
                let state = gps.borrow();
                (state.fix.clone(), state.counts.lines.sentences > 0)
            }
            None => (None, false),
        };
        let stamp = Stamp::now(&*self.clock);
        let reading = Reading::new(stamp, environment.as_ref(), fix.as_ref(), listening, &self.alerts);
        self.journal.append(reading);
    }
}

async fn measure(sampler: Option<&Sampler>, due: Instant) -> Option<Environment> {
    match sampler {
        Some(sampler) => sampler.measure(due).await,
        None => {
            sleep_until(due).await;
            None
        }
    }
}

/// The next moment on the grid of intervals. Readings that were missed can't be made up for.
fn next_due(last: Option<Instant>, interval: Duration) -> Instant {
    let now = Instant::now();
    last.map_or(now, |last| now.max(last + interval))
}
