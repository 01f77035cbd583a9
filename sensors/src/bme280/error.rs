//! What can go wrong at the chip, named so that somebody with a screwdriver knows where to look.

use std::fmt;

use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};

use super::{Register, chip};

/// A failed access or a reading that cannot be true. After any of these the driver starts the chip afresh at
/// the next measurement, so the caller need only try again at its next cycle.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("BME280 at {address:#04x}, register {register}: {cause}")]
pub struct Error {
    /// Address on the bus.
    pub address: u8,
    /// Register that was read or written, or the first of the block.
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
    /// The ID is not one the driver can read.
    ForeignChip {
        /// What register 0xD0 holds.
        id: u8,
    },
    /// Every bit read is one.
    AllOnes,
    /// Every bit read is zero.
    AllZeros,
    /// The trimming values are those of no real part.
    DeadCalibration,
    /// The trimming values read otherwise a second time.
    UnsteadyCalibration,
    /// The very same bytes in so many measurements that it can't be air.
    Frozen,
    /// The chip did not finish loading its trimming values after a reset.
    CalibrationNotLoaded,
    /// The measurement did not end within twice the longest time it may take.
    StillMeasuring,
    /// All data registers hold what they hold after a reset.
    NothingMeasured,
    /// The settings read back are not those written: the chip has been without power.
    ConfigurationLost {
        /// `ctrl_hum`, `ctrl_meas` and `config` as written; `ctrl_hum` is nothing on a BMP280.
        written: [u8; 3],
        /// The same registers as read back.
        read: [u8; 3],
    },
    /// A value that the sensor cannot measure.
    OutOfRange {
        /// Which.
        quantity: Quantity,
        /// The value as computed, in the quantity's unit.
        value: f64,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The bus driver knows best: perhaps there is no bus.
            Self::Bus { kind: ErrorKind::Other, detail } => f.write_str(detail),
            Self::Bus { kind, detail } => write!(f, "{} ({detail})", describe_bus_error(*kind)),
            Self::ForeignChip { id } => write!(f, "holds {id:#04x}: {}", chip::describe_foreign(*id)),
            Self::AllOnes => f.write_str("every bit reads 1: nothing drives the data line, check power and SDA"),
            Self::AllZeros => {
                f.write_str("every bit reads 0: the data line is held low, check SDA for a short")
            }
            Self::DeadCalibration => f.write_str(
                "the trimming values are those of no real part: check the wiring, else replace the sensor",
            ),
            Self::UnsteadyCalibration => f.write_str(
                "the trimming values read otherwise a second time: check the cable (length, pull-ups) and the supply",
            ),
            Self::Frozen => f.write_str(
                "the same bytes in every measurement: the chip is stuck and is reset, cycle its power if that does not help",
            ),
            Self::CalibrationNotLoaded => {
                f.write_str("still loading trimming values after a reset: check the supply voltage")
            }
            Self::StillMeasuring => f.write_str(
                "the measurement does not end: the chip hangs, cycle its power if the next reset does not help",
            ),
            Self::NothingMeasured => {
                f.write_str("holds reset values: the chip has measured nothing since its last power-on")
            }
            Self::ConfigurationLost { written, read } => write!(
                f,
                "settings lost (ctrl_hum, ctrl_meas, config written {written:02x?}, read back {read:02x?}): \
                 the chip was without power for a moment, check supply and cable"
            ),
            Self::OutOfRange { quantity, value } => {
                let (low, high) = quantity.range();
                let unit = quantity.unit();
                write!(f, "{quantity} of {value:.2} {unit} is beyond what the sensor can measure ")?;
                write!(f, "({low}..{high} {unit})")
            }
        }
    }
}

fn describe_bus_error(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address | NoAcknowledgeSource::Unknown) => {
            "nobody acknowledges the address: check cable, power and the SDO pin (0x76 or 0x77)"
        }
        ErrorKind::NoAcknowledge(NoAcknowledgeSource::Data) => {
            "the chip stopped acknowledging: check the cable"
        }
        ErrorKind::ArbitrationLoss => "another device drives the bus: check for a second master or a short",
        ErrorKind::Bus => "bus fault: check pull-ups, and that no kernel driver (bmp280) holds the address",
        ErrorKind::Overrun => "the bus controller lost bytes: try a lower bus speed",
        _ => "the transfer failed: check cable and pull-ups",
    }
}

/// What the sensor measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Temperature in °C.
    Temperature,
    /// Pressure in hPa.
    Pressure,
    /// Relative humidity in %RH.
    Humidity,
}

impl Quantity {
    /// What the sensor can measure, in the unit of the quantity (datasheet table 1).
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::Temperature => (-40.0, 85.0),
            Self::Pressure => (300.0, 1100.0),
            Self::Humidity => (0.0, 100.0),
        }
    }

    /// Name of the unit.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Temperature => "°C",
            Self::Pressure => "hPa",
            Self::Humidity => "%RH",
        }
    }

    pub(super) fn register(self) -> Register {
        match self {
            Self::Temperature => Register::TEMPERATURE,
            Self::Pressure => Register::DATA,
            Self::Humidity => Register::HUMIDITY,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Temperature => "temperature",
            Self::Pressure => "pressure",
            Self::Humidity => "humidity",
        })
    }
}
