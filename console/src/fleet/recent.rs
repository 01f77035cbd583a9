//! What came lately, to know it when it comes again: devices send anew what was not acknowledged.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// More than a batch has readings.
const REMEMBERED: usize = 256;

/// The newest of what has come, as hashes.
#[derive(Default)]
pub(super) struct Recent(VecDeque<u32>);

impl Recent {
    /// Whether it did not come before, as far as is remembered. It has come now.
    pub(super) fn is_new(&mut self, what: &impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let hash = hasher.finish() as u32;
        if self.0.contains(&hash) {
            return false;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(hash);
        true
    }
}
