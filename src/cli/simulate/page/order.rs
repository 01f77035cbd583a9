//! Which containers are shown, and in which order.

use std::cmp::Ordering;

use crate::lab::board::Brief;
use crate::status::State;

/// What comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Device,
    /// What needs a person: alarms, then what is not online.
    Trouble,
    Warmest,
    Backlog,
    Silence,
}

impl Order {
    /// The next one.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Device => Self::Trouble,
            Self::Trouble => Self::Warmest,
            Self::Warmest => Self::Backlog,
            Self::Backlog => Self::Silence,
            Self::Silence => Self::Device,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Trouble => "trouble",
            Self::Warmest => "warmest",
            Self::Backlog => "backlog",
            Self::Silence => "silence",
        }
    }

    /// Sorts; equals stay in the order of their IDs.
    pub(super) fn sort(self, briefs: &mut [Brief]) {
        match self {
            Self::Device => {}
            Self::Trouble => briefs.sort_by_key(|brief| std::cmp::Reverse(trouble(brief))),
            Self::Warmest => briefs.sort_by(|a, b| match (a.temperature, b.temperature) {
                (Some(a), Some(b)) => b.total_cmp(&a),
                (a, b) => b.is_some().cmp(&a.is_some()),
            }),
            Self::Backlog => briefs.sort_by_key(|brief| std::cmp::Reverse(brief.backlog)),
            // What was never heard is the most silent.
            Self::Silence => briefs.sort_by(|a, b| match (a.silent_s, b.silent_s) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Less,
                (Some(_), None) => Ordering::Greater,
                (Some(a), Some(b)) => b.cmp(&a),
            }),
        }
    }
}

fn trouble(brief: &Brief) -> (bool, usize, bool) {
    let is_critical = brief.alarms.iter().any(|(_, is_critical)| *is_critical);
    (is_critical, brief.alarms.len(), brief.state != Some(State::Online))
}

/// Whether a container is meant by these words: every one is in something that is shown of it.
pub(super) fn is_meant(brief: &Brief, words: &str) -> bool {
    let alarms = brief.alarms.iter().map(|(name, _)| &**name);
    let place = brief.place.as_deref().unwrap_or_default();
    let shown = [&brief.id, &brief.voyage, &brief.cargo, place, state(brief)];
    let shown = shown.into_iter().chain(alarms).collect::<Vec<_>>().join("\n").to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| shown.contains(word))
}

/// The state in a word.
pub(super) fn state(brief: &Brief) -> &'static str {
    match brief.state {
        _ if brief.taken_over => "taken",
        None => "starts",
        Some(State::Registering) => "asks DPS",
        Some(State::Connecting) => "connects",
        Some(State::Online) => "online",
        Some(State::Refused) => "refused",
    }
}
