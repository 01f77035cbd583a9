//! What is kept besides the pairs, in `record.json`: which the hub has refused, and which keys in the token are of no more use.

use serde::Serialize;
use serde_json::Value;

/// Its file.
pub(super) const FILE: &str = "record.json";
/// After so many refusals no more are counted: nothing more follows from them, and each would be written.
const COUNTED: u8 = 3;

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Record {
    /// By thumbprint, those that are still there.
    refusals: Vec<(String, u8)>,
    /// Names of keys in the token that no pair will need any more, to be destroyed.
    pub(super) retired: Vec<String>,
}

impl Record {
    /// Of the content of its file; `None` when it is none. Field by field, which is half the code of a derived reader.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let of_list = |name: &str| value[name].as_array();
        let refusal = |value: &Value| Some((value[0].as_str()?.to_owned(), value[1].as_u64()? as u8));
        Some(Self {
            refusals: of_list("refusals")?.iter().filter_map(refusal).collect(),
            retired: of_list("retired")?.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        })
    }

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
