//! The thread that measures. A bus may hang for ever, and nothing else must hang with it. It also waits for the moment to
//! measure, so that the agent sleeps until there is something to be recorded.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracker_sensors::health::Health;
use tracker_timers::{sleep_until, timeout_at};

use super::health::SensorHealth;
use crate::platform::clock::Clock;

/// A measurement takes a tenth of a second; a bus that hangs must not hold up the rest.
pub(crate) const LONGEST_MEASUREMENT: Duration = Duration::from_secs(3);

/// A sensor that is asked over a bus.
pub trait Sensor: Send + 'static {
    /// What it measures.
    type Measurement: Send + 'static;

    /// Measures; `None` when it fails, which its health explains. `now` dates the health. Blocks.
    fn measure(&mut self, now: Duration) -> Option<Self::Measurement>;

    /// How it is.
    fn health(&self) -> watch::Receiver<Health>;
}

/// A sensor in a thread of its own, which ends when this is dropped and the bus lets it.
pub struct Sampler<S: Sensor> {
    desk: Arc<Desk<S::Measurement>>,
    health: watch::Receiver<Health>,
    hung: watch::Sender<bool>,
}

/// A measurement, and when it is wanted.
struct Order<M> {
    due: Instant,
    reply: oneshot::Sender<Option<M>>,
}

/// Where orders are left for the thread.
struct Desk<M> {
    slot: Mutex<Slot<M>>,
    changed: Condvar,
}

struct Slot<M> {
    /// The latest; it takes the place of one whose time has not come.
    order: Option<Order<M>>,
    /// The thread sleeps until then. It knows the interval from the orders before, and need not be woken for each.
    until: Option<Instant>,
    /// There is nobody to order, or nobody to measure, any more.
    closed: bool,
}

impl<S: Sensor> Sampler<S> {
    /// Starts the thread of `sensor`, whose health is dated by `clock`.
    pub fn new(sensor: S, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (health, desk) = (sensor.health(), Arc::<Desk<_>>::default());
        let at_desk = Attendance(desk.clone());
        thread::Builder::new().name("sensor".into()).spawn(move || work(sensor, &*clock, &at_desk.0))?;
        Ok(Self { desk, health, hung: watch::Sender::new(false) })
    }

    /// How the sensor is, to be read by others.
    pub fn health(&self) -> SensorHealth {
        SensorHealth::with_bus(self.health.clone(), self.hung.subscribe())
    }

    /// What the sensor says when it is `due`; `None` when it fails, which its health explains. Dropped before then, it
    /// measures nothing.
    pub async fn measure(&self, due: Instant) -> Option<S::Measurement> {
        let (reply, answer) = oneshot::channel();
        let measured = if self.desk.leave(Order { due, reply }) {
            timeout_at(due + LONGEST_MEASUREMENT, answer).await.ok().and_then(Result::ok)
        } else {
            None
        };
        let hangs = measured.is_none();
        self.hung.send_if_modified(|hung| std::mem::replace(hung, hangs) != hangs);
        if hangs {
            sleep_until(due).await;
        }
        measured.flatten()
    }
}

impl<S: Sensor> Drop for Sampler<S> {
    fn drop(&mut self) {
        self.desk.close();
    }
}

impl<M> Default for Desk<M> {
    fn default() -> Self {
        let slot = Slot { order: None, until: None, closed: false };
        Self { slot: Mutex::new(slot), changed: Condvar::new() }
    }
}

impl<M> Desk<M> {
    /// Whether there is a thread to find it.
    fn leave(&self, order: Order<M>) -> bool {
        let mut slot = self.slot();
        if slot.until.is_none_or(|until| until > order.due) {
            self.changed.notify_one();
        }
        slot.order = Some(order);
        !slot.closed
    }

    /// Waits for the moment of the latest order, which is expected at `next`.
    fn take(&self, mut next: Option<Instant>) -> Option<Order<M>> {
        let mut slot = self.slot();
        while !slot.closed {
            let due = slot.order.as_ref().map(|order| order.due);
            let now = Instant::now();
            if due.is_some_and(|due| due <= now) {
                slot.until = None;
                return slot.order.take();
            }
            slot.until = due.or(next.take().filter(|next| *next > now));
            slot = match slot.until {
                Some(until) => {
                    let left = until.saturating_duration_since(now);
                    self.changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(slot).unwrap_or_else(PoisonError::into_inner),
            };
        }
        None
    }

    fn close(&self) {
        self.slot().closed = true;
        self.changed.notify_one();
    }

    fn slot(&self) -> MutexGuard<'_, Slot<M>> {
        // No code panics while it holds the lock; if it did, the slot would still be good.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody waits for a thread that has panicked.
struct Attendance<M>(Arc<Desk<M>>);

impl<M> Drop for Attendance<M> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn work<S: Sensor>(mut sensor: S, clock: &dyn Clock, desk: &Desk<S::Measurement>) {
    let (mut last, mut next) = (None, None);
    while let Some(Order { due, reply }) = desk.take(next) {
        // Whoever asked may have given up; what a hung measurement says at last is old, and nobody hears it.
        if !reply.is_closed() {
            let _ = reply.send(sensor.measure(clock.monotonic()));
        }
        next = last.map(|last: Instant| due + due.saturating_duration_since(last));
        last = Some(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(due: Instant) -> (Order<()>, oneshot::Receiver<Option<()>>) {
        let (reply, answer) = oneshot::channel();
        (Order { due, reply }, answer)
    }

    #[test]
    fn the_latest_order_counts_and_a_thread_that_wakes_in_time_is_left_alone() {
        let desk = Arc::<Desk<()>>::default();
        let now = Instant::now();
        let (soon, far) = (now + Duration::from_millis(100), now + Duration::from_hours(1));
        let taking = desk.clone();
        let thread = thread::spawn(move || taking.take(Some(soon)).map(|order| order.due));
        while desk.slot().until.is_none() {
            thread::yield_now();
        }
        assert!(desk.leave(order(far).0));
        assert_eq!(desk.slot().until, Some(soon), "it sleeps on");
        while desk.slot().until == Some(soon) {
            thread::yield_now();
        }
        assert_eq!(desk.slot().until, Some(far), "until the order is due");
        let at_once = Instant::now();
        assert!(desk.leave(order(at_once).0));
        assert_eq!(thread.join().unwrap(), Some(at_once));
    }

    #[test]
    fn a_thread_that_is_gone_or_not_wanted_any_more_is_known_to_be() {
        let desk = Arc::<Desk<()>>::default();
        let taking = Attendance(desk.clone());
        let thread = thread::spawn(move || taking.0.take(None).is_none());
        desk.close();
        assert!(thread.join().unwrap());
        assert!(!desk.leave(order(Instant::now()).0));
    }
}
