//! The thread that measures. A bus may hang for ever, and nothing else must hang with it. It also waits for the moment to
//! measure, so that the agent sleeps until there is something to be recorded.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracker_sensors::bme280::{Environment, EnvironmentSensor};
use tracker_sensors::health::{Health, State};

use crate::clock::Clock;

/// A measurement takes a tenth of a second; a bus that hangs must not hold up the rest.
pub(crate) const LONGEST_MEASUREMENT: Duration = Duration::from_secs(3);

/// A sensor in a thread of its own, which ends when this is dropped and the bus lets it.
pub struct Sampler {
    orders: SyncSender<Order>,
    health: watch::Receiver<Health>,
    hung: watch::Sender<bool>,
}

/// A measurement, and when it is wanted. A later order takes the place of one whose time has not come.
struct Order {
    due: Instant,
    reply: oneshot::Sender<Option<Environment>>,
}

impl Sampler {
    /// Starts the thread of `sensor`, whose health is dated by `clock`.
    pub fn new(sensor: EnvironmentSensor, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let health = sensor.health();
        let (orders, received) = sync_channel(1);
        thread::Builder::new().name("sensor".into()).spawn(move || work(sensor, &*clock, &received))?;
        Ok(Self { orders, health, hung: watch::Sender::new(false) })
    }

    /// How the sensor is, to be read by others.
    pub fn health(&self) -> SensorHealth {
        SensorHealth { health: self.health.clone(), hung: self.hung.subscribe() }
    }

    /// What the sensor says when it is `due`; `None` when it fails, which its health explains. Dropped before then, it
    /// measures nothing.
    pub async fn measure(&self, due: Instant) -> Option<Environment> {
        let (reply, answer) = oneshot::channel();
        // The thread takes orders at once, or it hangs, or it panicked and is gone.
        let measured = match self.orders.try_send(Order { due, reply }) {
            Ok(()) => timeout_at(due + LONGEST_MEASUREMENT, answer).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        let hangs = measured.is_none();
        self.hung.send_if_modified(|hung| std::mem::replace(hung, hangs) != hangs);
        if hangs {
            sleep_until(due).await;
        }
        measured.flatten()
    }
}

fn work(mut sensor: EnvironmentSensor, clock: &dyn Clock, orders: &Receiver<Order>) {
    let mut next = orders.recv().ok();
    while let Some(Order { due, reply }) = next {
        next = match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(other) => Some(other),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                if !reply.is_closed() {
                    // Whoever asked may have given up meanwhile: what a hung measurement says at last is old.
                    let _ = reply.send(sensor.measure(clock.monotonic()).ok());
                }
                orders.recv().ok()
            }
        };
    }
}

/// The health of a sensor whose bus may hang.
#[derive(Debug, Clone)]
pub struct SensorHealth {
    health: watch::Receiver<Health>,
    hung: watch::Receiver<bool>,
}

impl SensorHealth {
    /// A health that never hangs.
    pub fn of(health: watch::Receiver<Health>) -> Self {
        Self { health, hung: watch::Sender::new(false).subscribe() }
    }

    /// As it is now.
    pub fn current(&self) -> Health {
        let mut health = self.health.borrow().clone();
        if *self.hung.borrow() {
            health.state = State::Failed;
            health.cause = Some("the I2C bus does not answer: a line held low? check the wiring".into());
        }
        health
    }

    /// Waits for a change. Cancel-safe.
    pub async fn changed(&mut self) {
        let (health, hung) = (&mut self.health, &mut self.hung);
        tokio::select! {
            Ok(()) = health.changed() => {}
            Ok(()) = hung.changed() => {}
            else => std::future::pending().await,
        }
    }
}
