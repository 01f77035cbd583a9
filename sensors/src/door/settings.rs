//! Which line the switch is on, and how the driver behaves.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::Instant;

/// The resistor that gives the line a level while the switch is open. The kernel passes over one that the chip does not
/// have, and nothing tells: then there must be one on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bias {
    /// As it was left by the firmware of the board.
    AsIs,
    /// The chip's own resistor to supply; the switch goes to ground.
    #[default]
    PullUp,
    /// The chip's own resistor to ground; the switch goes to supply.
    PullDown,
    /// None: there is one on the board.
    Disabled,
}

/// A line of a GPIO chip, and the switch on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineSettings {
    /// The chip's device, `/dev/gpiochip0` on a Raspberry Pi's header. One that can be unplugged needs a name made by udev:
    /// it may come back with another number.
    pub chip: PathBuf,
    /// Number of the line on the chip, from 0: on a Raspberry Pi the GPIO number.
    pub line: u32,
    /// Whether the line is low while the door is open.
    ///
    /// Not so for the usual switch, normally open, which the magnet of a closed door closes to ground: the door opens,
    /// the switch too, and the resistor pulls the line up. It is so for a normally closed switch to ground, and for a
    /// normally open one to supply.
    pub active_low: bool,
    /// The resistor.
    pub bias: Bias,
    /// A change that does not last so long is bouncing. Reed switches bounce for 1 to 5 ms, doors rattle for longer.
    pub debounce: Duration,
}

impl LineSettings {
    /// What outlasts bouncing and rattling and yet is shorter than any hand.
    pub const DEBOUNCE: Duration = Duration::from_millis(50);

    /// A normally open switch to ground at `line` of `chip`.
    pub fn new(chip: impl Into<PathBuf>, line: u32) -> Self {
        Self { chip: chip.into(), line, active_low: false, bias: Bias::PullUp, debounce: Self::DEBOUNCE }
    }
}

/// How the driver behaves. Only `started` has no sensible default.
#[derive(Debug, Clone, Copy)]
pub struct ContactSettings {
    /// Zero of the monotonic clock: all durations that come out are counted from here.
    pub started: Instant,
    /// Wait before a lost line is first asked for again; doubles up to `longest_backoff`.
    pub first_backoff: Duration,
    /// The longest wait.
    pub longest_backoff: Duration,
}

impl ContactSettings {
    /// Settings for a real switch.
    pub fn new(started: Instant) -> Self {
        Self { started, first_backoff: Duration::from_secs(1), longest_backoff: Duration::from_secs(30) }
    }
}
