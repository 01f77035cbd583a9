//! The Bosch BME280 (temperature, pressure, humidity) and BMP280 (the same without humidity) over I2C.
//!
//! Section numbers in this module are those of the datasheet BST-BME280-DS002.

mod calibration;
mod chip;
mod compensation;
mod driver;
mod environment;
mod error;
mod registers;
mod sensor;
mod settings;
mod tap;

#[cfg(target_os = "linux")]
pub use crate::i2c::{LinuxDelay, LinuxI2c, LinuxI2cError};
pub use calibration::Calibration;
pub use chip::Chip;
pub use compensation::{Compensated, RawReading, compensate};
pub use driver::Bme280;
pub use environment::Environment;
pub use error::{Cause, Error, Quantity};
pub use registers::{DATA_AT_RESET, RESET_WORD, Register, STATUS_IM_UPDATE, STATUS_MEASURING};
pub use sensor::EnvironmentSensor;
pub use settings::{Address, Filter, Oversampling, Settings};
