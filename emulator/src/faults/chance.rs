//! Faults that strike now and then, the same each time: whether one strikes is reckoned from the seed, the fault's number, the
//! device, and how often it was considered for that device. What other devices do has no part in it.

use std::collections::HashMap;

use ring::digest::{SHA256, digest};

/// Devices whose counts are kept; with more all begin anew.
const MAX_COUNTS: usize = 100_000;

/// The dice.
#[derive(Debug, Default)]
pub(super) struct Chances {
    pub(super) seed: u64,
    /// How often the fault of this number was considered for this device.
    counts: HashMap<(u64, String), u64>,
}

impl Chances {
    pub(super) fn strikes(&mut self, fault: u64, device: &str, probability: f64) -> bool {
        if self.counts.len() >= MAX_COUNTS {
            self.counts.clear();
        }
        let device = device.to_ascii_lowercase();
        let text = |count: u64| format!("{} {fault} {count} {device}", self.seed);
        let count = self.counts.get(&(fault, device.clone())).copied().unwrap_or_default();
        let hashed = digest(&SHA256, text(count).as_bytes());
        let number =
            hashed.as_ref().iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
        self.counts.insert((fault, device), count + 1);
        (number as f64) < probability * u64::MAX as f64
    }

    /// Begins anew for all devices.
    pub(super) fn begin_anew(&mut self) {
        self.counts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, device: &str, others: bool) -> Vec<bool> {
        let mut chances = Chances { seed, ..Chances::default() };
        let mut draw = |_| {
            if others {
                chances.strikes(3, "another", 0.5);
            }
            chances.strikes(3, device, 0.3)
        };
        (0..1000).map(&mut draw).collect()
    }

    #[test]
    fn the_same_seed_strikes_the_same_whatever_others_do() {
        let first = drawn(7, "d1", false);
        assert_eq!(first, drawn(7, "D1", true));
        assert_ne!(first, drawn(8, "d1", false));
        assert_ne!(first, drawn(7, "d2", false));
        let struck = first.iter().filter(|struck| **struck).count();
        assert!((250..350).contains(&struck), "{struck} of 1000");
        let mut chances = Chances::default();
        assert!(chances.strikes(0, "d", 1.0) && !chances.strikes(0, "d", 0.0));
    }
}
