//! The GPS receiver: position, speed, course, and the time.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracker_sensors::gps::{
    Fix, GpsState, GpsTime, Known, PlausibilitySettings, Receiver, ReceiverSettings, SerialSource,
};
use tracker_sensors::health::Health;
#[cfg(feature = "lab")]
use tracker_sensors::simulated::{GpsReceiver, SimulatedClock};

use super::fields::{Fields, POSITION_DECIMALS};
use super::health::SensorHealth;
use super::instrument::{Instrument, Start};
#[cfg(feature = "lab")]
use super::simulation::Simulation;
use crate::platform::clock::build_date;

/// The task that reads the port, as the log has it.
pub const GPS_READER: &str = "the GPS reader";
/// The reader of a lost port rests so long between attempts to open it.
const REOPENING: Duration = Duration::from_secs(30);

/// `[sensors.gps]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GpsConfig {
    /// Off: the container has no receiver.
    pub enabled: bool,
    /// The serial port.
    pub port: PathBuf,
    /// Bits a second.
    pub baud: u32,
}

impl Default for GpsConfig {
    fn default() -> Self {
        Self { enabled: true, port: "/dev/serial0".into(), baud: 9600 }
    }
}

impl GpsConfig {
    /// The key that is wrong, and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        (self.baud == 0)
            .then(|| ("sensors.gps.baud", "a speed of 0 transports nothing; 9600 is usual".into()))
    }
}

/// A receiver, listened to by a task once it has started.
pub struct Gps {
    receiver: Option<Receiver>,
    health: watch::Receiver<Health>,
    state: watch::Receiver<GpsState>,
    look: Arc<Notify>,
}

impl Gps {
    /// This receiver.
    pub fn new(receiver: Receiver) -> Self {
        Self {
            health: receiver.health(),
            state: receiver.state(),
            look: receiver.look(),
            receiver: Some(receiver),
        }
    }

    /// The one of the configuration; its date is judged by what is known of it.
    pub fn configured(config: &GpsConfig, known: &Known) -> Option<Box<dyn Instrument>> {
        if !config.enabled {
            return None;
        }
        let source = SerialSource::new(&config.port, config.baud);
        Some(Box::new(Self::new(Receiver::new(source, settings(1.0)).knowing(known.clone()))))
    }

    /// The one of a simulated container, or a recorded log in its place.
    #[cfg(feature = "lab")]
    pub fn simulated(simulation: &Simulation) -> anyhow::Result<Box<dyn Instrument>> {
        use tracker_sensors::simulated::{AtEnd, Replay};
        let receiver = match &simulation.replay {
            Some(path) => {
                // As many epochs a second as hours of a voyage.
                let speed = simulation.clock.speed();
                let mut settings = settings(speed);
                // The dates of a recording are those of its time.
                settings.plausibility.build_date = None;
                Receiver::new(Replay::open(path, AtEnd::Loop)?.at_speed(speed), settings)
            }
            None => {
                return Ok(Box::new(Self::emulated(simulation.container.gps_receiver(), &simulation.clock)));
            }
        };
        Ok(Box::new(Self::new(receiver)))
    }

    /// An emulated one, whose time is that of `clock`.
    #[cfg(feature = "lab")]
    pub fn emulated(receiver: GpsReceiver, clock: &SimulatedClock) -> Self {
        Self::new(Receiver::new(receiver, settings(clock.time_scale())))
    }
}

/// `time_scale`: simulated seconds a second.
fn settings(time_scale: f64) -> ReceiverSettings {
    let plausibility = PlausibilitySettings { build_date: Some(build_date().date_naive()), time_scale };
    ReceiverSettings::new(plausibility, Instant::now())
}

impl Instrument for Gps {
    fn name(&self) -> &'static str {
        "gps"
    }

    fn start(&mut self, start: &mut Start<'_>) -> io::Result<()> {
        let Some(receiver) = self.receiver.take() else { return Ok(()) };
        let (zero, clock) = (receiver.started(), start.clock.clone());
        let receiver = receiver.telling_time(move |GpsTime { utc, at }| {
            let age = zero.elapsed().saturating_sub(at);
            clock.learn(utc, clock.monotonic().saturating_sub(age));
        });
        let heart = start.vitals.watch(GPS_READER, REOPENING);
        start.tasks.spawn(async move {
            let never = heart.follow(receiver.run()).await;
            match never {}
        });
        Ok(())
    }

    fn health(&self) -> SensorHealth {
        SensorHealth::of(self.health.clone())
    }

    fn look(&self) {
        self.look.notify_one();
    }

    fn read(&mut self, fields: &mut Fields) {
        let state = self.state.borrow();
        if let Some(fix) = &state.fix {
            tell(fix, fields);
        } else if state.counts.lines.sentences > 0 {
            fields.word("fix", "none");
        }
    }

    fn position(&self) -> Option<watch::Receiver<GpsState>> {
        Some(self.state.clone())
    }
}

/// Sets the fields of a fix.
pub fn tell(fix: &Fix, fields: &mut Fields) {
    fields.object_of("location", |location| {
        location.number("lat", Some(fix.position.latitude), POSITION_DECIMALS);
        location.number("lon", Some(fix.position.longitude), POSITION_DECIMALS);
        location.number("alt", fix.altitude_m, 1);
    });
    fields.number("speed", fix.speed_kmh(), 2);
    fields.number("course", fix.course_deg, 1);
    fields.word("fix", quality(fix.quality));
    if let Some(satellites) = fix.satellites {
        fields.count("satellites", satellites.into());
    }
    fields.number("hdop", fix.hdop, 2);
}

/// The quality digit of GGA as a word. What a receiver has estimated (6), what was typed in (7) and what it simulates (8)
/// is no fix: it was not measured.
pub(crate) fn quality(digit: Option<u8>) -> &'static str {
    match digit {
        Some(2) => "dgps",
        Some(3) => "pps",
        Some(4) => "rtk",
        Some(5) => "rtkFloat",
        _ => "gps",
    }
}
