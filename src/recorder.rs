//! Takes a reading at every interval, whatever the network does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tracker_sensors::bme280::{Environment, EnvironmentSensor};
use tracker_sensors::gps::GpsState;
use tracker_sensors::health::{Health, State};

use crate::clock::Clock;
use crate::config::Alerts;
use crate::heartbeat::Heartbeat;
use crate::journal::Journal;
use crate::reading::{Reading, Stamp};

/// A measurement takes a tenth of a second; a bus that hangs must not hold up the rest.
pub(crate) const LONGEST_MEASUREMENT: Duration = Duration::from_secs(3);

/// What a recorder works with.
pub struct Recorder {
    /// The environment sensor, where there is one.
    pub sampler: Option<Sampler>,
    /// What the GPS receiver says, where there is one.
    pub gps: Option<watch::Receiver<GpsState>>,
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
        let mut due = Instant::now();
        loop {
            sleep_until(due).await;
            self.heart.beat().await;
            self.record().await;
            due = self.next_due(due).await;
        }
    }

    async fn record(&mut self) {
        let environment = match &mut self.sampler {
            Some(sampler) => sampler.measure(self.clock.monotonic()).await,
            None => None,
        };
        let (fix, listening) = match &self.gps {
            Some(gps) => {
                let state = gps.borrow();
                (state.fix.clone(), state.counts.lines.sentences > 0)
            }
            None => (None, false),
        };
        let stamp = Stamp::now(&*self.clock);
        let reading = Reading::new(stamp, environment.as_ref(), fix.as_ref(), listening, &self.alerts);
        self.journal.append(reading);
    }

    /// The next moment on the grid of intervals. An interval that changes meanwhile counts from the last reading.
    async fn next_due(&mut self, last: Instant) -> Instant {
        loop {
            let interval = *self.interval.borrow_and_update();
            let now = Instant::now();
            let mut due = last + interval;
            if due < now {
                // Late: readings that were missed can't be made up for.
                due = now;
            }
            tokio::select! {
                () = self.heart.during(sleep_until(due)) => return due,
                changed = self.interval.changed() => if changed.is_err() {
                    return due;
                }
            }
        }
    }
}

/// Runs a blocking sensor beside the agent.
pub struct Sampler {
    sensor: Sensor,
    health: watch::Receiver<Health>,
    hung: watch::Sender<bool>,
}

enum Sensor {
    Idle(EnvironmentSensor),
    Busy(JoinHandle<(EnvironmentSensor, Option<Environment>)>),
    /// The measurement panicked and took the sensor with it.
    Gone,
}

impl Sampler {
    /// A sampler for `sensor`.
    pub fn new(sensor: EnvironmentSensor) -> Self {
        let health = sensor.health();
        Self { sensor: Sensor::Idle(sensor), health, hung: watch::Sender::new(false) }
    }

    /// How the sensor is, to be read by others.
    pub fn health(&self) -> SensorHealth {
        SensorHealth { health: self.health.clone(), hung: self.hung.subscribe() }
    }

    /// What the sensor says; `None` when it fails, which its health explains.
    async fn measure(&mut self, now: Duration) -> Option<Environment> {
        let mut task = match std::mem::replace(&mut self.sensor, Sensor::Gone) {
            Sensor::Idle(mut sensor) => tokio::task::spawn_blocking(move || {
                let environment = sensor.measure(now).ok();
                (sensor, environment)
            }),
            Sensor::Busy(task) => task,
            Sensor::Gone => return None,
        };
        match timeout(LONGEST_MEASUREMENT, &mut task).await {
            Ok(Ok((sensor, environment))) => {
                self.sensor = Sensor::Idle(sensor);
                // What a hung measurement says at last is old.
                let was_hung = self.hung.send_if_modified(std::mem::take);
                if was_hung { None } else { environment }
            }
            Ok(Err(_)) => {
                self.hung.send_replace(true);
                None
            }
            Err(_) => {
                self.hung.send_replace(true);
                self.sensor = Sensor::Busy(task);
                None
            }
        }
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
