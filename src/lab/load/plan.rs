//! What a fleet does, as pure functions of the seed and the number of a device: it is the same, however many programs play it.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::shard::Span;

/// More devices have no names: seven digits.
pub const MOST_DEVICES: u32 = 10_000_000;
/// Messages of each device in an alarm storm.
const ALARMS: u32 = 10;
/// A voyage: so many readings go out one by one,
const AT_LAND: u32 = 12;
/// and so many wait on the ship for a network, and go out as one message.
const AT_SEA: u32 = 4;

/// What the devices do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// A reading at each interval.
    #[default]
    Steady,
    /// The same with holes: twelve readings, then four intervals without a connection, whose readings come as one message.
    Voyage,
    /// All connections are cut in one moment, half way, and made again.
    ReconnectStorm,
    /// All devices ask the provisioning service again, half way.
    Reprovision,
    /// All devices come back with new keys and certificates, half way.
    RollCertificates,
    /// All devices send ten alarms in one moment, half way.
    AlarmStorm,
}

/// What happens to all devices in one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The connection is cut, and made again.
    Cut,
    /// Registered anew.
    Reprovision,
    /// With a new key.
    Roll,
    /// A burst of messages.
    Alarms,
}

/// A fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whence all data come.
    pub seed: u64,
    /// What the names of devices begin with.
    pub prefix: String,
    /// What they do.
    pub profile: Profile,
    /// Between two readings of a device.
    pub interval: Duration,
    /// How many intervals a device measures.
    pub slots: u32,
}

/// One message of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cargo {
    /// Intervals after the first message of this device.
    pub slot: u32,
    /// The first reading in it.
    pub first: u32,
    /// How many it holds.
    pub readings: u32,
    /// The device has no connection between this message and the next.
    pub then_dark: bool,
}

impl Plan {
    /// So many readings as fit into `duration`, and one at least.
    pub fn new(seed: u64, prefix: String, profile: Profile, interval: Duration, duration: Duration) -> Self {
        let slots = duration.as_millis().checked_div(interval.as_millis()).unwrap_or(1);
        let slots = u32::try_from(slots).unwrap_or(u32::MAX).max(1);
        Self { seed, prefix, profile, interval, slots }
    }

    /// The name of the device of this number.
    pub fn name(&self, number: u32) -> String {
        format!("{}{number:07}", self.prefix)
    }

    /// Which part of an interval a device lets pass before its first reading, from 0 to 1: or all would send in one moment.
    pub fn phase(&self, number: u32) -> f64 {
        (draw(self.seed, number, PHASE) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// What happens to all of them.
    pub fn happening(&self) -> Option<Happening> {
        match self.profile {
            Profile::Steady | Profile::Voyage => None,
            Profile::ReconnectStorm => Some(Happening::Cut),
            Profile::Reprovision => Some(Happening::Reprovision),
            Profile::RollCertificates => Some(Happening::Roll),
            Profile::AlarmStorm => Some(Happening::Alarms),
        }
    }

    /// How many messages with readings a device sends.
    pub fn messages(&self, number: u32) -> u32 {
        if self.profile != Profile::Voyage {
            return self.slots;
        }
        let (cycles, rest) = (self.slots / (AT_LAND + AT_SEA), self.slots % (AT_LAND + AT_SEA));
        let begin = self.begin(number);
        let more = (0..=AT_LAND).take_while(|index| slot(begin + index) - slot(begin) < rest).count();
        let count = cycles.saturating_mul(AT_LAND + 1).saturating_add(more as u32);
        // Of a voyage that begins on land and ends on the ship, the last batch would leave when it is over.
        let is_late = |index: u32| slot(begin.saturating_add(index)) - slot(begin) >= self.slots;
        if count > 1 && is_late(count - 1) { count - 1 } else { count }
    }

    /// How many messages of alarms follow those, in their numbering.
    pub fn alarms(&self) -> u32 {
        if self.profile == Profile::AlarmStorm { ALARMS } else { 0 }
    }

    /// How many messages these devices send, alarms included.
    pub fn messages_of(&self, span: Span) -> u64 {
        span.numbers().map(|number| u64::from(self.messages(number)) + u64::from(self.alarms())).sum()
    }

    /// What a message holds.
    pub fn cargo(&self, number: u32, message: u32) -> Cargo {
        if self.profile != Profile::Voyage {
            return Cargo { slot: message, first: message, readings: 1, then_dark: false };
        }
        let begin = self.begin(number);
        let index = begin.saturating_add(message);
        let at = slot(index);
        let (first, readings) = match index % (AT_LAND + 1) {
            AT_LAND => (at - AT_SEA, AT_SEA),
            _ => (at, 1),
        };
        let then_dark = index % (AT_LAND + 1) == AT_LAND - 1;
        Cargo { slot: at - slot(begin), first, readings, then_dark }
    }

    /// Where in the cycle a device begins its voyage.
    fn begin(&self, number: u32) -> u32 {
        (draw(self.seed, number, BEGIN) % u64::from(AT_LAND + 1)) as u32
    }
}

/// When a message of a voyage leaves: the one from the ship when it has a network again.
fn slot(index: u32) -> u32 {
    let (cycle, rest) = (index / (AT_LAND + 1), index % (AT_LAND + 1));
    let within = if rest == AT_LAND { AT_LAND + AT_SEA } else { rest };
    cycle.saturating_mul(AT_LAND + AT_SEA).saturating_add(within)
}

const PHASE: u64 = 1;
const BEGIN: u64 = 2;

/// A number that nothing but these three decide: the steps of `SplitMix64`, which are the same on every machine and for ever.
pub(super) fn draw(seed: u64, number: u32, what: u64) -> u64 {
    mix(mix(mix(seed).wrapping_add(u64::from(number))).wrapping_add(what))
}

fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(profile: Profile, slots: u32) -> Plan {
        let interval = Duration::from_secs(1);
        Plan::new(7, "load-".into(), profile, interval, interval * slots)
    }

    #[test]
    fn a_voyage_loses_no_reading_and_repeats_none() {
        for slots in [1, 5, 16, 17, 100] {
            let plan = plan(Profile::Voyage, slots);
            for number in 0..50 {
                let messages = plan.messages(number);
                let all: Vec<_> = (0..messages).map(|message| plan.cargo(number, message)).collect();
                assert!(all.last().unwrap().slot < slots && plan.cargo(number, messages).slot >= slots);
                for pair in all.windows(2) {
                    assert_eq!(pair[0].first + pair[0].readings, pair[1].first, "{pair:?}");
                    // What comes from the ship leaves together with the first reading after it.
                    assert!(pair[0].slot <= pair[1].slot);
                }
            }
        }
    }

    #[test]
    fn readings_fit_into_the_duration_and_there_is_one_at_least() {
        assert_eq!(plan(Profile::Steady, 10).slots, 10);
        let short = Duration::from_millis(10);
        assert_eq!(Plan::new(1, String::new(), Profile::Steady, Duration::from_mins(1), short).slots, 1);
        let phases: Vec<_> = (0..100).map(|number| plan(Profile::Steady, 1).phase(number)).collect();
        assert!(phases.iter().all(|phase| (0.0..1.0).contains(phase)));
        let early = phases.iter().filter(|phase| **phase < 0.5).count();
        assert!((30..70).contains(&early), "{early} of 100 in the first half");
    }
}
