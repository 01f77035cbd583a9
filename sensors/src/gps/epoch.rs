//! The sentences of one moment, gathered into one fix.

use std::fmt;
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};

use super::sentence::{Claim, Motion, Report};
use super::{Fix, Kind, Position};

/// Position sentences in a row with the same time of day.
#[derive(Debug)]
pub(super) struct Epoch {
    pub(super) time: Option<NaiveTime>,
    pub(super) date: Option<NaiveDate>,
    /// For each kind the most telling report; of equal ones the first.
    best: [Option<Report>; 4],
    /// From VTG.
    motion: Option<Motion>,
    first_position: Option<Position>,
    spread_m: f64,
    end: u64,
    received_at: Duration,
}

/// Why an epoch is no fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFix {
    /// The receiver says that it has none.
    Denied,
    /// The position is estimated, typed in or simulated.
    Estimated,
    /// One kind of sentence claims a fix and another denies it.
    Contradictory,
    /// The receiver claims a fix without a position, at 0/0, or beyond 90 or 180 degrees.
    NoPosition,
    /// There is no time of day.
    NoTime,
}

impl fmt::Display for NoFix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "the receiver answers but has no fix: does the antenna see the sky?",
            Self::Estimated => {
                "the receiver has no fix and tells a position that it has not measured (dead reckoning, typed in or \
                 simulated): does the antenna see the sky?"
            }
            Self::Contradictory => {
                "the receiver contradicts itself, one sentence claims a fix and another denies it (RMC and GGA?): \
                 update its firmware, or switch one of them off"
            }
            Self::NoPosition => {
                "the receiver claims a fix, but its position is missing or can't be: power it off and on"
            }
            Self::NoTime => "the receiver has a position but no time of day: does the antenna see the sky?",
        })
    }
}

impl Epoch {
    pub(super) fn open(time: Option<NaiveTime>, received_at: Duration) -> Self {
        Self {
            time,
            date: None,
            best: [const { None }; 4],
            motion: None,
            first_position: None,
            spread_m: 0.0,
            end: 0,
            received_at,
        }
    }

    pub(super) fn add(&mut self, report: Report, end: u64) {
        self.end = end;
        if let Some((latitude, longitude)) = report.position {
            let position = Position { latitude, longitude };
            let first = self.first_position.get_or_insert(position);
            self.spread_m = self.spread_m.max(first.distance_m(&position));
        }
        let place = &mut self.best[report.kind as usize];
        if place.as_ref().is_none_or(|known| report.claim > known.claim) {
            *place = Some(report);
        }
    }

    pub(super) fn add_motion(&mut self, motion: Motion) {
        self.motion.get_or_insert(motion);
    }

    pub(super) fn close(self) -> Result<Fix, NoFix> {
        let claims = || self.best.iter().flatten().map(|report| report.claim);
        if claims().all(|claim| claim == Claim::NoFix) {
            return Err(NoFix::Denied);
        }
        if claims().any(|claim| claim == Claim::NoFix) {
            return Err(NoFix::Contradictory);
        }
        if claims().any(|claim| claim == Claim::Estimated) {
            return Err(NoFix::Estimated);
        }
        let time = self.time.ok_or(NoFix::NoTime)?;
        let placed = || self.best.iter().flatten().filter(|report| report.position.is_some());
        let (latitude, longitude) = placed().find_map(|report| report.position).ok_or(NoFix::NoPosition)?;
        if latitude == 0.0 && longitude == 0.0 {
            return Err(NoFix::NoPosition);
        }
        let sources = placed().map(|report| report.kind).collect();
        let of = |kind: Kind| self.best[kind as usize].as_ref();
        let motion = match of(Kind::Rmc) {
            Some(rmc) => rmc.motion,
            None => self.motion.unwrap_or_default(),
        };
        let detail = of(Kind::Gga).or(of(Kind::Gns));
        Ok(Fix {
            time,
            date: self.date,
            position: Position { latitude, longitude },
            altitude_m: detail.and_then(|report| report.altitude_m),
            speed_kn: motion.speed_kn,
            course_deg: motion.course_deg,
            quality: detail.and_then(|report| report.quality),
            satellites: detail.and_then(|report| report.satellites),
            hdop: detail.and_then(|report| report.hdop),
            sources,
            spread_m: self.spread_m,
            end: self.end,
            received_at: self.received_at,
        })
    }
}
