//! Which chip answers: the identification register (datasheet section 5.4.1).

use std::fmt;

/// A chip this driver can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chip {
    /// Temperature, pressure and humidity; ID 0x60.
    Bme280,
    /// Temperature and pressure only, though often sold as a BME280; ID 0x58 (0x56, 0x57 on samples).
    Bmp280,
}

impl Chip {
    /// The chip with this ID, or nothing if the driver cannot read it.
    pub fn from_id(id: u8) -> Option<Self> {
        match id {
            0x60 => Some(Self::Bme280),
            0x56..=0x58 => Some(Self::Bmp280),
            _ => None,
        }
    }

    /// Whether the chip measures humidity.
    pub fn has_humidity(self) -> bool {
        self == Self::Bme280
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bme280 => "BME280",
            Self::Bmp280 => "BMP280 (temperature and pressure only, no humidity)",
        })
    }
}

/// What an ID that the driver cannot read says about the wiring or the part.
pub(super) fn describe_foreign(id: u8) -> &'static str {
    match id {
        0xFF => "nothing drives the data line: check power and SDA",
        0x00 => "the data line is held low: check SDA for a short",
        0x55 => "this is a BMP180, which has other registers: fit a BME280",
        0x61 => "this is a BME680 or BME688, which has other registers: fit a BME280",
        0x50 => "this is a BMP388, which has other registers: fit a BME280",
        _ => "not a BME280 (0x60) nor a BMP280 (0x58): is another device at this address?",
    }
}
