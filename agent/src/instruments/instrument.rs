//! What every instrument can do.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracker_sensors::gps::GpsState;

use super::fields::Fields;
use super::health::SensorHealth;
use crate::platform::clock::Clock;
use crate::platform::heartbeat::Vitals;

/// A measurement under way. Dropped before it is due, it measures nothing.
pub type Measuring<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What an instrument works with.
pub struct Start<'a> {
    /// Dates its health, and may learn the time from it.
    pub clock: Arc<dyn Clock>,
    /// Hearts for tasks without which readings would be silently poorer.
    pub vitals: &'a Vitals,
    /// Where its tasks run. They never end by themselves.
    pub tasks: &'a mut JoinSet<()>,
}

/// A sensor, and what a tracker makes of it.
pub trait Instrument: Send {
    /// Its name in configuration, log, status and reported properties.
    fn name(&self) -> &'static str;

    /// Begins to work: takes its thread or its tasks. Called once, before all else.
    fn start(&mut self, start: &mut Start<'_>) -> io::Result<()>;

    /// How it is, to be read by others.
    fn health(&self) -> SensorHealth;

    /// A measurement that begins when it is `due`, for what must be asked. `None` for what tells by itself.
    fn measure(&mut self, _due: Instant) -> Option<Measuring<'_>> {
        None
    }

    /// A reading is about to be taken: what has come by now is to be taken in. Its tasks have a turn before
    /// [`Instrument::read`].
    fn look(&self) {}

    /// Sets the fields that it can tell truly now. What [`Instrument::measure`] measured is told once.
    fn read(&mut self, fields: &mut Fields);

    /// Where the container is, from an instrument that knows.
    fn position(&self) -> Option<watch::Receiver<GpsState>> {
        None
    }
}

/// An instrument at which `check` looks as at any other, through [`Instrument`] alone.
#[derive(Debug, Clone, Copy)]
pub struct Examined {
    /// Its name.
    pub name: &'static str,
    /// What holds when it is well.
    pub holds: &'static str,
}
