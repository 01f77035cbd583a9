//! What can go wrong at the light sensor, named so that somebody with a screwdriver knows where to look.

use std::fmt;

use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};

use super::{ADDRESS, BRIGHTEST_LX, ID, Register};

/// A failed access or a reading that cannot be true. After any of these the driver starts the chip afresh at the next
/// measurement, so the caller need only try again at its next cycle.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("VEML7700 at {ADDRESS:#04x}, register {register}: {cause}")]
pub struct Error {
    /// Register that was read or written.
    pub register: Register,
    /// What happened.
    pub cause: Cause,
}

/// What happened at the register.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The bus reported an error.
    Bus {
        /// What the bus driver calls it.
        kind: ErrorKind,
        /// The bus driver's own words.
        detail: String,
    },
    /// The ID is that of another part.
    ForeignChip {
        /// What register 0x07 holds.
        id: u16,
    },
    /// Every bit read is one.
    AllOnes,
    /// Every bit read is zero.
    AllZeros,
    /// The settings read back are not those written: the chip has been without power.
    ConfigurationLost {
        /// As written.
        written: u16,
        /// As read back.
        read: u16,
    },
    /// More light than the chip can measure.
    TooBright,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The bus driver knows best: perhaps there is no bus.
            Self::Bus { kind: ErrorKind::Other, detail } => f.write_str(detail),
            Self::Bus { kind, detail } => write!(f, "{} ({detail})", describe_bus_error(*kind)),
            Self::ForeignChip { id } => write!(
                f,
                "holds {id:#06x}, not the {ID:#04x} of a VEML7700: another part is at this address (a VEML6040 or \
                 VEML6035?), fit a VEML7700"
            ),
            Self::AllOnes => {
                f.write_str("every bit reads 1: nothing drives the data line, check power and SDA")
            }
            Self::AllZeros => {
                f.write_str("every bit reads 0: the data line is held low, check SDA for a short")
            }
            Self::ConfigurationLost { written, read } => write!(
                f,
                "settings lost (written {written:#06x}, read back {read:#06x}): the chip was without power for a \
                 moment, check supply and cable"
            ),
            Self::TooBright => write!(f, "brighter than the {BRIGHTEST_LX} lx that the sensor can measure"),
        }
    }
}

fn describe_bus_error(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address | NoAcknowledgeSource::Unknown) => {
            "nobody acknowledges the address: check cable and power"
        }
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data) => {
            "the chip stopped acknowledging: check the cable"
        }
        ErrorKind::ArbitrationLoss => "another device drives the bus: check for a second master or a short",
        ErrorKind::Bus => "bus fault: check pull-ups, and that no kernel driver (veml6030) holds the address",
        ErrorKind::Overrun => "the bus controller lost bytes: try a lower bus speed",
        _ => "the transfer failed: check cable and pull-ups",
    }
}
