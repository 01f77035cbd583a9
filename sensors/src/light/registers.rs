//! Register map of the VEML7700 (datasheet, "Command register format"). Registers have 16 bits, low byte first.

use std::fmt;

/// A register of 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Register(
    /// Command code of the register.
    pub u8,
);

impl Register {
    /// Gain (bits 12 and 11), integration time (bits 9 to 6), interrupt, and [`SHUTDOWN`].
    pub const CONFIGURATION: Self = Self(0x00);
    /// Power saving between measurements that follow each other; not used, the driver shuts down instead.
    pub const POWER_SAVING: Self = Self(0x03);
    /// Counts behind the filter that sees as the eye does.
    pub const LIGHT: Self = Self(0x04);
    /// [`ID`] in the low byte. Parts made before the register was documented hold zero.
    pub const ID: Self = Self(0x07);

    fn name(self) -> &'static str {
        match self {
            Self::CONFIGURATION => " (configuration)",
            Self::POWER_SAVING => " (power saving)",
            Self::LIGHT => " (light)",
            Self::ID => " (id)",
            _ => "",
        }
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04X}{}", self.0, self.name())
    }
}

/// The one address that the part answers to.
pub const ADDRESS: u8 = 0x10;
/// Low byte of [`Register::ID`].
pub const ID: u8 = 0x81;
/// Bit of [`Register::CONFIGURATION`]: asleep.
pub const SHUTDOWN: u16 = 1;
/// What [`Register::CONFIGURATION`] holds from power-on: asleep.
pub const CONFIGURATION_AT_RESET: u16 = SHUTDOWN;
