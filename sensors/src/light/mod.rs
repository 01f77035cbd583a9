//! Light: the Vishay VEML7700 over I2C.
//!
//! Where numbers come from: the datasheet is Vishay's document 84286, revision 1.7 of 29 November 2023 and later, the
//! application note its document 84323, "Designing the VEML7700 Into an Application", revision of 6 March 2025. Both say
//! 0.0042 lx a count for gain 2 and 800 ms, and a range of 140 klx. Up to 2023 they said 0.0036 lx and 120 klx; the
//! change notice (PIN-OPT-7462-2024) calls that wrongly stated. The chip is the same, so what is computed with the old
//! number, as many drivers still do, is too dark by a seventh.

mod driver;
mod error;
mod range;
mod registers;
mod sensor;
mod tap;

pub use driver::Veml7700;
pub use error::{Cause, Error};
pub use range::{BRIGHTEST_LX, Gain, IntegrationTime, Range};
pub use registers::{ADDRESS, CONFIGURATION_AT_RESET, ID, Register, SHUTDOWN};
pub use sensor::LightSensor;
