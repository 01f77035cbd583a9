//! Names of devices, as short as the width wants them and each its own.

use std::collections::{HashMap, HashSet};

use crate::lab::text::{cut, width};

/// More devices than these have names that nobody remembers: it begins anew.
const MOST: usize = 20_000;
/// The end of a name that is cut in the middle: fleets are counted there.
const TAIL: usize = 6;

/// The names that are in use.
#[derive(Debug, Default)]
pub(super) struct Names {
    room: usize,
    short: HashMap<String, String>,
    taken: HashSet<String>,
    widest: usize,
}

impl Names {
    /// The short name of a device, in as many columns as the others have, and never in more than `room`.
    pub(super) fn padded(&mut self, device: &str, room: usize) -> String {
        let short = self.short(device, room);
        let blanks = self.widest.saturating_sub(width(&short));
        short + &" ".repeat(blanks)
    }

    /// The short name of a device.
    pub(super) fn short(&mut self, device: &str, room: usize) -> String {
        if self.room != room || self.short.len() >= MOST {
            *self = Self { room, ..Self::default() };
        }
        if let Some(known) = self.short.get(device) {
            return known.clone();
        }
        let short = self.free(device).unwrap_or_else(|| cut(device, room));
        self.widest = self.widest.max(width(&short));
        self.taken.insert(short.clone());
        self.short.insert(device.to_owned(), short.clone());
        short
    }

    /// The first of the ways to say it that fits, and that no other device has.
    fn free(&self, device: &str) -> Option<String> {
        let parts = device.match_indices(['-', '_', '.', ':']).map(|(at, _)| &device[at + 1..]);
        let speaking = parts.filter(|part| part.contains(char::is_alphabetic)).map(str::to_owned);
        let whole = [device.to_owned()].into_iter().chain(speaking);
        let tail: String = device.chars().skip(device.chars().count().saturating_sub(TAIL)).collect();
        let middle = cut(device, self.room.saturating_sub(width(&tail))) + &tail;
        let counted = (2..100).map(|n| format!("{}~{n}", cut(device, self.room.saturating_sub(3))));
        let fits = |short: &String| width(short) <= self.room && !self.taken.contains(short);
        whole.chain([middle]).chain(counted).find(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_each_its_own() {
        let mut names = Names::default();
        assert_eq!(names.padded("sensor-thl-001", 12), "thl-001");
        assert_eq!(names.padded("box", 12), "box    ");
        // What would be the same is told apart.
        assert_eq!(names.padded("probe-x-thl-001", 12), "x-thl-001");
        assert_eq!(names.padded("probes-thl-001", 12), "probe…hl-001");
        assert_eq!(names.short("probed-thl-001", 12), "probed-t…~2");
        assert_eq!(names.padded("sensor-thl-001", 20).trim(), "sensor-thl-001");
        let mut all = HashSet::new();
        for n in 0..60 {
            let device = format!("{}{n}{}", "a".repeat(60), "b".repeat(60));
            let short = names.short(&device, 12);
            assert!(width(&short) <= 12 && all.insert(short), "{device}");
        }
    }
}
