//! What is known of the door.

use std::fmt;
use std::time::Duration;

/// How the door stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The magnet is away from the switch.
    Open,
    /// The magnet holds the switch.
    Closed,
}

impl Door {
    pub(crate) fn of(open: bool) -> Self {
        if open { Self::Open } else { Self::Closed }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Closed => "closed",
        })
    }
}

/// The door now, and what it did since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DoorState {
    /// How it stands; nothing while the line cannot be read.
    pub door: Option<Door>,
    /// How often it was opened since the start. Only ever grows, also over a chip that was unplugged. At least so
    /// often: where edges were lost, or the chip was away, one opening is counted that must have been.
    pub openings: u64,
    /// When it was last opened, counted from [`ContactSettings::started`](super::ContactSettings::started).
    pub last_opening: Option<Duration>,
}
