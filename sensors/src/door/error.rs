//! What can go wrong at a line, in words that say where and how to mend it.

use std::fmt;

/// A line that cannot be had, or was lost. The driver asks for it again for as long as the agent lives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {cause}")]
pub struct LineError {
    /// What people call it: `GPIO line 17 of /dev/gpiochip0`.
    pub line: String,
    /// What happened.
    pub cause: LineCause,
}

/// What happened at the line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineCause {
    /// There is no such device.
    NoChip,
    /// The device is of another kind.
    NotAChip,
    /// The device is closed to this user.
    NoPermission,
    /// The chip has no such line.
    NoLine {
        /// How many it has, counted from 0.
        lines: u32,
    },
    /// Somebody else has the line.
    InUse {
        /// What they call themselves, or nothing if they do not tell.
        by: Option<String>,
    },
    /// The chip has no interrupt for the line.
    NoInterrupt,
    /// The chip cannot do what was asked: mostly a resistor that it does not have.
    Refused,
    /// The chip went while the line was watched.
    Unplugged,
    /// The kernel's own words for anything else.
    Other(String),
}

impl fmt::Display for LineCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChip => f.write_str("there is no such chip: gpiodetect lists those there are; is it plugged in?"),
            Self::NotAChip => f.write_str("this is no GPIO chip: gpiodetect lists those there are"),
            Self::NoPermission => f.write_str("permission denied: add the user to the group gpio"),
            Self::NoLine { lines: 0 } => f.write_str("the chip has no lines"),
            Self::NoLine { lines } => {
                write!(f, "there is no such line: those of this chip are 0 to {}, see gpioinfo", lines - 1)
            }
            Self::InUse { by: Some(name) } => {
                write!(f, "{name:?} has the line: end that, or put the switch on another line")
            }
            Self::InUse { by: None } => {
                f.write_str("somebody else has the line: gpioinfo may say who; else put the switch on another line")
            }
            Self::NoInterrupt => f.write_str(
                "the chip has no interrupt for this line, so openings could be missed: put the switch on another line",
            ),
            Self::Refused => f.write_str(
                "the chip refuses these settings: perhaps it has no resistor of its own, then fit one and say so",
            ),
            Self::Unplugged => f.write_str("the chip is gone: was it unplugged, or its driver unloaded?"),
            Self::Other(words) => write!(f, "{words}: is this the right chip?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_says_what_was_found_where_and_how_to_mend_it() {
        let said = |cause| LineError { line: "GPIO line 17 of /dev/gpiochip0".to_owned(), cause }.to_string();
        assert_eq!(
            said(LineCause::InUse { by: Some("buttons".to_owned()) }),
            "GPIO line 17 of /dev/gpiochip0: \"buttons\" has the line: end that, or put the switch on another line"
        );
        for (cause, words) in [
            (LineCause::NoChip, "there is no such chip: gpiodetect lists"),
            (LineCause::NotAChip, "this is no GPIO chip"),
            (LineCause::NoPermission, "add the user to the group gpio"),
            (LineCause::NoLine { lines: 8 }, "those of this chip are 0 to 7"),
            (LineCause::NoLine { lines: 0 }, "the chip has no lines"),
            (LineCause::InUse { by: None }, "gpioinfo may say who"),
            (LineCause::NoInterrupt, "put the switch on another line"),
            (LineCause::Refused, "no resistor of its own"),
            (LineCause::Unplugged, "was it unplugged"),
            (LineCause::Other("Input/output error".to_owned()), "Input/output error"),
        ] {
            let text = said(cause);
            assert!(text.starts_with("GPIO line 17 of /dev/gpiochip0: ") && text.contains(words), "{text}");
        }
    }
}
