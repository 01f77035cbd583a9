//! Register map of the BME280 and BMP280 (datasheet BST-BME280-DS002, section 5.3).

use std::fmt;

/// A register, or the first of a block that is read in one burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Register(
    /// Address of the register inside the chip.
    pub u8,
);

impl Register {
    /// First of the 26 trimming bytes `dig_T1` to `dig_H1` (0x88 to 0xA1).
    pub const CALIBRATION: Self = Self(0x88);
    /// First of the 18 bytes among them that pressure is computed with, `dig_P1` to `dig_P9`.
    pub const CALIBRATION_PRESSURE: Self = Self(0x8E);
    /// Chip identification.
    pub const ID: Self = Self(0xD0);
    /// Writing [`RESET_WORD`] restarts the chip as a power cycle does.
    pub const RESET: Self = Self(0xE0);
    /// First of the 7 trimming bytes `dig_H2` to `dig_H6` (0xE1 to 0xE7).
    pub const CALIBRATION_HUMIDITY: Self = Self(0xE1);
    /// Humidity oversampling; acts at the next write to `ctrl_meas`.
    pub const CTRL_HUM: Self = Self(0xF2);
    /// Bit 3: measuring; bit 0: trimming values being copied from non-volatile memory.
    pub const STATUS: Self = Self(0xF3);
    /// Temperature and pressure oversampling, and the mode.
    pub const CTRL_MEAS: Self = Self(0xF4);
    /// Pause in normal mode, and the IIR filter.
    pub const CONFIG: Self = Self(0xF5);
    /// First of the 8 data bytes: pressure (3), temperature (3), humidity (2).
    pub const DATA: Self = Self(0xF7);
    /// First of the 3 temperature bytes.
    pub const TEMPERATURE: Self = Self(0xFA);
    /// First of the 2 humidity bytes.
    pub const HUMIDITY: Self = Self(0xFD);

    fn name(self) -> &'static str {
        match self {
            Self::CALIBRATION => " (calibration)",
            Self::CALIBRATION_PRESSURE => " (calibration of pressure)",
            Self::CALIBRATION_HUMIDITY => " (calibration of humidity)",
            Self::ID => " (id)",
            Self::RESET => " (reset)",
            Self::CTRL_HUM => " (ctrl_hum)",
            Self::STATUS => " (status)",
            Self::CTRL_MEAS => " (ctrl_meas)",
            Self::CONFIG => " (config)",
            Self::DATA => " (data)",
            Self::TEMPERATURE => " (temperature)",
            Self::HUMIDITY => " (humidity)",
            _ => "",
        }
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04X}{}", self.0, self.name())
    }
}

/// What [`Register::RESET`] wants to be told (section 5.4.2).
pub const RESET_WORD: u8 = 0xB6;
/// Bit of [`Register::STATUS`]: a conversion is running.
pub const STATUS_MEASURING: u8 = 1 << 3;
/// Bit of [`Register::STATUS`]: the trimming values are being copied.
pub const STATUS_IM_UPDATE: u8 = 1;
/// What the data registers hold from power-on to the end of the first measurement (section 5.4.7).
pub const DATA_AT_RESET: [u8; 8] = [0x80, 0, 0, 0x80, 0, 0, 0x80, 0];
