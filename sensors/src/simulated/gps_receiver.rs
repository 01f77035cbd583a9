//! A GNSS receiver emulated at its wire: NMEA at 1 Hz, from a cold start on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::bursts::{BurstStream, Bursts, SharedBursts};
use super::nmea_writer::{Measured, Satellite, epoch, sentence};
use crate::gps::{ByteSource, Opening, Position};

/// Where the antenna really is, and what it sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation {
    /// True date and time.
    pub utc: DateTime<Utc>,
    /// True position.
    pub position: Position,
    /// Metres above mean sea level.
    pub altitude_m: f64,
    /// Knots.
    pub speed_kn: f64,
    /// Degrees true; the receiver leaves it out at rest.
    pub course_deg: Option<f64>,
    /// Whether the sky is in sight.
    pub sky_visible: bool,
}

/// What a receiver without a clock says before its first fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColdClock {
    /// No time at all.
    #[default]
    Empty,
    /// First no time, then the first days of GPS time, January 1980.
    Year1980,
}

/// How the emulated receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpsReceiverSettings {
    /// Time between epochs.
    pub interval: Duration,
    /// So many epochs after power-on are without a fix.
    pub cold_start_epochs: u32,
    /// What it says meanwhile.
    pub cold_clock: ColdClock,
    /// Probability that a byte is damaged on the wire, 0 to 1.
    pub noise: f64,
    /// Spread of the measured position in metres.
    pub wander_m: f64,
    /// Fixes the random part.
    pub seed: u64,
}

impl Default for GpsReceiverSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            cold_start_epochs: 3,
            cold_clock: ColdClock::Empty,
            noise: 0.0,
            wander_m: 2.0,
            seed: 0,
        }
    }
}

/// An emulated receiver, to be opened as a serial port is. It goes on while the line is closed.
pub struct GpsReceiver {
    interval: Duration,
    device: SharedBursts,
}

struct Device {
    situation: Box<dyn FnMut() -> Situation + Send>,
    settings: GpsReceiverSettings,
    random: ChaCha8Rng,
    epochs: u32,
    offset_m: (f64, f64),
}

impl GpsReceiver {
    /// A receiver that asks for its situation at every epoch.
    pub fn new(situation: impl FnMut() -> Situation + Send + 'static, settings: GpsReceiverSettings) -> Self {
        let device = Device {
            situation: Box::new(situation),
            random: ChaCha8Rng::seed_from_u64(settings.seed),
            epochs: 0,
            offset_m: (0.0, 0.0),
            settings,
        };
        Self { interval: settings.interval, device: Arc::new(Mutex::new(device)) }
    }
}

impl ByteSource for GpsReceiver {
    fn open(&mut self) -> Opening<'_> {
        let stream = BurstStream::open(&self.device, self.interval);
        Box::pin(std::future::ready(Ok(Box::new(stream) as _)))
    }

    fn name(&self) -> String {
        "emulated receiver".to_owned()
    }
}

impl Bursts for Device {
    fn next_burst(&mut self) -> Option<Vec<u8>> {
        let situation = (self.situation)();
        let mut burst = Vec::new();
        if self.epochs == 0 {
            for text in
                ["HW UBX-M8030", "ROM CORE 3.01", "PROTVER=18.00", "ANTSUPERV=AC SD PDoS SR", "ANTSTATUS=OK"]
            {
                sentence(&mut burst, &format!("GNTXT,01,01,02,{text}"));
            }
        }
        let is_cold = self.epochs < self.settings.cold_start_epochs;
        let sky = self.sky();
        let measured = (!is_cold && situation.sky_visible).then(|| self.measure(&situation, &sky));
        let clock = if is_cold { self.cold_clock() } else { Some(situation.utc) };
        burst.extend(epoch(clock, measured.as_ref(), &sky));
        self.damage(&mut burst);
        self.epochs = self.epochs.saturating_add(1);
        Some(burst)
    }
}

impl Device {
    fn cold_clock(&self) -> Option<DateTime<Utc>> {
        let without_time = self.settings.cold_start_epochs / 2;
        let since = self.epochs.checked_sub(without_time)?;
        match self.settings.cold_clock {
            ColdClock::Empty => None,
            ColdClock::Year1980 => {
                // 1980-01-06, when GPS time began.
                DateTime::from_timestamp(315_964_800, 0)?
                    .checked_add_signed(TimeDelta::seconds(i64::from(since)))
            }
        }
    }

    fn measure(&mut self, situation: &Situation, sky: &[Satellite]) -> Measured {
        let wander = self.settings.wander_m;
        // The error of a receiver drifts over minutes rather than jumping about.
        let mut drift = |offset: f64| offset * 0.97 + self.random.random_range(-0.25..=0.25) * wander;
        self.offset_m = (drift(self.offset_m.0), drift(self.offset_m.1));
        let metres_per_degree = 111_195.0;
        let narrowing = situation.position.latitude.to_radians().cos().max(0.01);
        let latitude = (situation.position.latitude + self.offset_m.0 / metres_per_degree).clamp(-90.0, 90.0);
        let longitude = situation.position.longitude + self.offset_m.1 / (metres_per_degree * narrowing);
        let satellites = self.random.random_range(sky.len() - 3..=sky.len());
        Measured {
            position: Position { latitude, longitude: wrap(longitude) },
            altitude_m: situation.altitude_m + self.random.random_range(-0.5..=0.5) * wander,
            speed_kn: (situation.speed_kn + self.random.random_range(-0.05..=0.05)).max(0.0),
            course_deg: situation.course_deg.filter(|_| situation.speed_kn > 0.5),
            satellites,
            hdop: self.random.random_range(0.7..1.3),
        }
    }

    /// A dozen satellites that rise and set with the hours, so that two moments differ.
    fn sky(&mut self) -> Vec<Satellite> {
        let turn = self.epochs / 600;
        (0..11u32)
            .map(|index| {
                let number = 1 + (index * 5 + turn) % 32;
                let elevation = 10 + (index * 17 + turn) % 75;
                let azimuth = (index * 67 + turn * 3) % 360;
                (number as u8, elevation as u8, azimuth as u16, self.random.random_range(25..47))
            })
            .collect()
    }

    fn damage(&mut self, bytes: &mut [u8]) {
        if self.settings.noise > 0.0 {
            for byte in bytes {
                if self.random.random_bool(self.settings.noise.min(1.0)) {
                    *byte ^= 1 << self.random.random_range(0..8);
                }
            }
        }
    }
}

/// A longitude brought into -180..180.
pub(super) fn wrap(longitude: f64) -> f64 {
    (longitude + 180.0).rem_euclid(360.0) - 180.0
}
