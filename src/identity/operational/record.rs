//! What is kept besides the pairs, in `record.json`: which the hub has refused, and which keys in the token are of no more use.

use serde::{Deserialize, Serialize};

/// Its file.
pub(super) const FILE: &str = "record.json";
/// After so many refusals no more are counted: nothing more follows from them, and each would be written.
const COUNTED: u8 = 3;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// By thumbprint, those that are still there.
    refusals: Vec<(String, u8)>,
    /// Names of keys in the token that no pair will need any more, to be destroyed.
    pub(super) retired: Vec<String>,
}

impl Record {
    /// How often the hub has refused it since it took it last, at most 3.
    pub(super) fn refusals(&self, thumbprint: &str) -> u8 {
        self.refusals.iter().find(|(of, _)| of == thumbprint).map_or(0, |(_, count)| *count)
    }

    /// The hub has refused it once more. Whether that changes anything.
    pub(super) fn refused(&mut self, thumbprint: &str) -> bool {
        let count = self.refusals(thumbprint);
        self.taken(thumbprint);
        self.refusals.push((thumbprint.into(), COUNTED.min(count + 1)));
        count < COUNTED
    }

    /// The hub has taken it.
    pub(super) fn taken(&mut self, thumbprint: &str) {
        self.refusals.retain(|(of, _)| of != thumbprint);
    }

    /// Only these are still there.
    pub(super) fn keep(&mut self, thumbprints: &[String]) {
        self.refusals.retain(|(of, _)| thumbprints.contains(of));
    }
}
