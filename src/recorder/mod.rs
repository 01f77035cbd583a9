//! Takes a reading at every interval, whatever the network does.

mod alarm_desk;
mod alarm_message;
#[cfg(test)]
mod alarm_tests;
mod signals;
#[cfg(test)]
mod voyages;

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::yield_now;
use tokio::time::Instant;
use tracker_timers::sleep_until;

use crate::config::Alerts;
use crate::instruments::fields::Fields;
use crate::instruments::instrument::{Instrument, Measuring};
use crate::journal::Journal;
use crate::platform::clock::Clock;
use crate::platform::heartbeat::Heartbeat;
use crate::reading::{Reading, Stamp};
use crate::whereabouts::Whereabouts;
pub use alarm_desk::{ActiveAlarm, ActiveAlarms, AlarmDesk};
pub use signals::Sources;

/// What a recorder works with.
pub struct Recorder {
    /// What it asks, all of them started.
    pub instruments: Vec<Box<dyn Instrument>>,
    /// Time between readings; a change acts at once.
    pub interval: watch::Receiver<Duration>,
    /// Where readings go.
    pub journal: Arc<Journal>,
    /// Stamps them.
    pub clock: Arc<dyn Clock>,
    /// Says in which fences it is.
    pub whereabouts: Whereabouts,
    /// Bounds of the alerts.
    pub alerts: Alerts,
    /// Looks at every reading.
    pub alarms: Arc<AlarmDesk>,
    /// Beats with every reading, and while it waits for the next.
    pub heart: Heartbeat,
}

impl Recorder {
    /// Records for ever; the first reading is taken at once.
    pub async fn run(mut self) {
        let mut last = None;
        let mut kept = self.journal.states();
        loop {
            let due = next_due(last, *self.interval.borrow_and_update());
            let is_measured = {
                let mut measured = pin!(self.heart.during(measure(&mut self.instruments, due)));
                loop {
                    tokio::select! {
                        () = &mut measured => break true,
                        // An interval that changes meanwhile counts from the last reading.
                        Ok(()) = self.interval.changed() => break false,
                        // A journal that is gone, or did not take the question, knows of none.
                        states = answer(&mut kept) => {
                            self.whereabouts.begin(&states);
                            self.alarms.begin(states);
                        }
                    }
                }
            };
            if !is_measured {
                continue;
            }
            last = Some(due);
            self.record().await;
        }
    }

    async fn record(&mut self) {
        for instrument in &self.instruments {
            instrument.look();
        }
        // Their tasks have their turn.
        yield_now().await;
        let stamp = Stamp::now(&*self.clock);
        let mut fields = Fields::default();
        for instrument in &mut self.instruments {
            instrument.read(&mut fields);
        }
        let places = self.whereabouts.look(stamp, &mut fields);
        // As the stamps count it.
        let interval = self.interval.borrow().mul_f64(self.clock.time_scale());
        self.alarms.take(stamp, interval, fields, places, |fields| Reading::new(stamp, fields, &self.alerts));
    }
}

/// What a question to the journal is answered with; waits for ever once it is.
async fn answer(asked: &mut Option<oneshot::Receiver<BTreeMap<String, String>>>) -> BTreeMap<String, String> {
    let Some(receiver) = asked else { return pending().await };
    let states = receiver.await.unwrap_or_default();
    *asked = None;
    states
}

/// Waits until all that must be asked have measured what is `due`; without any, until then.
async fn measure(instruments: &mut [Box<dyn Instrument>], due: Instant) {
    let mut measuring: Vec<Measuring<'_>> =
        instruments.iter_mut().filter_map(|instrument| instrument.measure(due)).collect();
    if measuring.is_empty() {
        return sleep_until(due).await;
    }
    poll_fn(|context| {
        measuring.retain_mut(|measuring| measuring.as_mut().poll(context).is_pending());
        if measuring.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// The next moment on the grid of intervals. Readings that were missed can't be made up for.
fn next_due(last: Option<Instant>, interval: Duration) -> Instant {
    let now = Instant::now();
    last.map_or(now, |last| now.max(last + interval))
}
