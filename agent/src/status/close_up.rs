//! What a person who looks on closely wants to know beside the state: the last measurement, and how well the receiver hears the
//! sky. Told by programs with the laboratory, not by the firmware.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracker_sensors::gps::{Fix, GpsState};

use crate::instruments::gps::quality;

/// What was measured last, whether it was reported or not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measurement {
    /// When, in seconds since the boot of the machine.
    pub uptime: f64,
    /// The fields, as telemetry has them.
    pub fields: Value,
}

/// What the GPS receiver says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sky {
    /// Whether there is a fix, and of what kind; null without one.
    pub fix: Option<String>,
    /// Satellites that are used for it.
    pub satellites: Option<u8>,
    /// Horizontal dilution of precision.
    pub hdop: Option<f64>,
    /// The kinds of sentences that gave it, as `GGA+RMC`.
    pub sentences: Option<String>,
    /// Bytes since the start.
    pub bytes: u64,
    /// Sentences with a right checksum since the start.
    pub whole: u64,
    /// Lines since the start that were no such sentence.
    pub broken: u64,
    /// Seconds of the receiver since the start that had a fix, and those that had none.
    pub epochs: (u64, u64),
}

impl Sky {
    /// By what the receiver has sent.
    pub fn of(state: &GpsState) -> Self {
        let (counts, fix) = (state.counts, state.fix.as_ref());
        Self {
            fix: fix.map(|fix| quality(fix.quality).into()),
            satellites: fix.and_then(|fix| fix.satellites),
            hdop: fix.and_then(|fix| fix.hdop),
            sentences: fix.map(Fix::source),
            bytes: counts.lines.bytes,
            whole: counts.lines.sentences,
            broken: counts.lines.bad_checksum + counts.lines.without_checksum + counts.lines.overlong,
            epochs: (counts.fixes, counts.epochs_without_fix),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tracker_sensors::gps::{Decoder, Event};

    use super::*;

    #[test]
    fn the_sky_is_told_as_the_receiver_has_it() {
        let mut decoder = Decoder::new();
        decoder.push(
            b"$GPGGA,120000,5157.59,N,00432.12,E,1,09,1.2,3.0,M,,M,,*5A\r\n$GPGGA,x*00\r\n",
            Duration::ZERO,
        );
        let events = decoder.finish();
        let [Event::Fix(fix)] = &events[..] else { panic!("{events:?}") };
        let sky = Sky::of(&GpsState { fix: Some(fix.clone()), time: None, counts: decoder.counts() });
        assert_eq!((sky.fix.as_deref(), sky.satellites, sky.hdop), (Some("gps"), Some(9), Some(1.2)));
        assert_eq!((sky.sentences.as_deref(), sky.whole, sky.broken), (Some("GGA"), 1, 1));
        let nothing = Sky::of(&GpsState { fix: None, time: None, counts: Decoder::new().counts() });
        assert_eq!(nothing, Sky::default());
    }
}
