//! Takes a reading at every interval, whatever the network does.

mod alarm_desk;
mod alarm_message;
#[cfg(test)]
mod alarm_tests;
#[cfg(test)]
mod interval_tests;
mod motion;
mod reports;
mod sighting;
mod signals;
mod summary;
#[cfg(test)]
mod voyages;

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::{oneshot, watch};
use tokio::task::yield_now;
use tokio::time::Instant;
use tracker_timers::sleep_until;

use crate::config::{Alerts, Pace};
use crate::instruments::fields::Fields;
use crate::instruments::instrument::{Instrument, Measuring};
use crate::journal::Journal;
use crate::platform::clock::Clock;
use crate::platform::heartbeat::Heartbeat;
use crate::reading::{Reading, Stamp};
use crate::whereabouts::Whereabouts;
use alarm_desk::Shown;
pub use alarm_desk::{ActiveAlarm, ActiveAlarms, AlarmDesk};
use motion::{Place, Seen};
use reports::Measured;
pub use reports::Reports;
pub use sighting::Sighting;
pub use signals::Sources;

/// What a recorder works with.
pub struct Recorder {
    /// What it asks, all of them started.
    pub instruments: Vec<Box<dyn Instrument>>,
    /// Time between readings; a change acts at once.
    pub pace: watch::Receiver<Pace>,
    /// Which measurements are reported.
    pub reports: Reports,
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
    /// Tells others what was seen last.
    pub sighting: watch::Sender<Option<Sighting>>,
    /// Beats with every reading, and while it waits for the next.
    pub heart: Heartbeat,
}

impl Recorder {
    /// Records for ever; the first reading is taken at once.
    pub async fn run(mut self) {
        let mut kept = self.journal.states();
        loop {
            let due = self.reports.next(*self.pace.borrow_and_update());
            let is_measured = {
                let mut measured = pin!(self.heart.during(measure(&mut self.instruments, due)));
                loop {
                    tokio::select! {
                        () = &mut measured => break true,
                        // An interval that changes meanwhile counts from the last reading.
                        Ok(()) = self.pace.changed() => break false,
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
            self.record(due).await;
        }
    }

    async fn record(&mut self, due: Instant) {
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
        self.sighting.send_replace(Some(sighting(&self.whereabouts, stamp, &fields)));
        let pace = *self.pace.borrow();
        // As the stamps count it.
        let interval = pace.shortest().mul_f64(self.clock.time_scale());
        let Self { alarms, whereabouts, reports, alerts, .. } = self;
        alarms.take(stamp, interval, fields, places, |fields, Shown { has_events, is_alarm }| {
            let fields = if pace.has_states() {
                let (seen, is_in_fence) = (seen(whereabouts, stamp, &fields), whereabouts.is_in_fence());
                reports.take(
                    Measured { due, stamp, interval, seen, is_in_fence, is_alarm, has_events },
                    fields,
                )?
            } else {
                reports.take_all(due, fields)
            };
            Some(Reading::new(stamp, fields, alerts))
        });
    }
}

/// What was measured after the last report is not lost with a stop.
impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some((stamp, fields)) = self.reports.rest() {
            self.journal.append(Reading::new(stamp, fields, &self.alerts));
        }
    }
}

/// What a measurement says of place and cold.
fn sighting(whereabouts: &Whereabouts, stamp: Stamp, fields: &Fields) -> Sighting {
    let position = whereabouts.fix(stamp).map(|fix| (fix.latitude, fix.longitude));
    // Without a fix nobody knows whether it is still there.
    let place = position.and_then(|_| whereabouts.place());
    Sighting { stamp, position, place, temperature: fields.get("temperature") }
}

/// What a measurement says of motion.
fn seen(whereabouts: &Whereabouts, stamp: Stamp, fields: &Fields) -> Seen {
    let place = whereabouts
        .fix(stamp)
        .map(|fix| Place { at: (fix.latitude, fix.longitude), margin_m: fix.margin_m() });
    let (speed_kmh, pressure_hpa) = (fields.get("speed"), fields.get("pressure"));
    Seen { at: stamp.monotonic, place, speed_kmh, pressure_hpa }
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
