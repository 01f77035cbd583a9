//! What instruments are connected to in the laboratory.

use std::io;
use std::path::PathBuf;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracker_sensors::gps::GpsState;
use tracker_sensors::simulated::{SimulatedClock, SimulatedContainer};

use super::fields::Fields;
use super::health::SensorHealth;
use super::instrument::{Instrument, Measuring, Start};

/// A simulated container, and what takes the place of its parts.
pub struct Simulation {
    /// The container on its voyage.
    pub container: SimulatedContainer,
    /// The clock that the voyage follows.
    pub clock: SimulatedClock,
    /// A recorded NMEA log, in place of the voyage's receiver.
    pub replay: Option<PathBuf>,
}

/// An instrument that measures nothing while simulated time stands still: who waits for it takes no reading meanwhile.
pub struct Paused {
    /// The instrument itself.
    pub instrument: Box<dyn Instrument>,
    /// The time.
    pub clock: SimulatedClock,
}

impl Instrument for Paused {
    fn name(&self) -> &'static str {
        self.instrument.name()
    }

    fn start(&mut self, start: &mut Start<'_>) -> io::Result<()> {
        self.instrument.start(start)
    }

    fn health(&self) -> SensorHealth {
        self.instrument.health()
    }

    fn measure(&mut self, due: Instant) -> Option<Measuring<'_>> {
        let Self { instrument, clock } = self;
        let measuring = instrument.measure(due)?;
        Some(Box::pin(async move {
            sleep_until(due).await;
            clock.running().await;
            measuring.await;
        }))
    }

    fn look(&self) {
        self.instrument.look();
    }

    fn read(&mut self, fields: &mut Fields) {
        self.instrument.read(fields);
    }

    fn position(&self) -> Option<watch::Receiver<GpsState>> {
        self.instrument.position()
    }
}
