//! What one measurement says about the air.

use super::{Cause, Chip, Compensated, Error, Quantity, Register};

/// How far humidity may overshoot before it counts as broken. The sensor is within ±3 %RH, and dew on it
/// reads a little over 100; the datasheet's own formula ends with a limit to 0..100 %RH, so within this
/// margin the limit is reported, and only beyond it nothing.
const HUMIDITY_MARGIN_RH: f64 = 5.0;

/// Temperature, pressure and humidity of the air at the sensor. A value that could not be had, or that the
/// sensor cannot truly measure, is absent, and `faults` says why.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Environment {
    /// °C, within -40..85.
    pub temperature_c: Option<f64>,
    /// hPa (which is mbar), within 300..1100.
    pub pressure_hpa: Option<f64>,
    /// Relative humidity in %, within 0..100. Always absent on a BMP280, which has no such sensor: no fault.
    pub humidity_rh: Option<f64>,
    /// Why a value is absent.
    pub faults: Vec<Error>,
}

impl Environment {
    /// Keeps the values that the sensor can measure and names those it cannot (datasheet table 1).
    pub fn within_range(chip: Chip, address: u8, values: &Compensated) -> Self {
        let mut environment = Self::default();
        environment.temperature_c = environment.check(address, Quantity::Temperature, values.temperature_c);
        if environment.temperature_c.is_none() {
            // Pressure and humidity are computed with the temperature: without it they mean nothing.
            return environment;
        }
        if let Some(pressure_pa) = values.pressure_pa {
            environment.pressure_hpa = environment.check(address, Quantity::Pressure, pressure_pa / 100.0);
        } else {
            let (register, cause) = (Register::CALIBRATION, Cause::DeadCalibration);
            environment.faults.push(Error { address, register, cause });
        }
        if chip.has_humidity() {
            environment.humidity_rh = environment
                .check(address, Quantity::Humidity, values.humidity_rh)
                .map(|humidity| humidity.clamp(0.0, 100.0));
        }
        environment
    }

    /// Takes a quantity out that is computed with dead trimming values, which are at `register`.
    pub(super) fn leave_out(&mut self, address: u8, quantity: Quantity, register: Register) {
        match quantity {
            Quantity::Temperature => self.temperature_c = None,
            Quantity::Pressure => self.pressure_hpa = None,
            Quantity::Humidity => self.humidity_rh = None,
        }
        self.faults
            .retain(|fault| fault.register != quantity.register() && fault.register != Register::CALIBRATION);
        self.faults.push(Error { address, register, cause: Cause::DeadCalibration });
    }

    fn check(&mut self, address: u8, quantity: Quantity, value: f64) -> Option<f64> {
        let (low, high) = quantity.range();
        let margin = if quantity == Quantity::Humidity { HUMIDITY_MARGIN_RH } else { 0.0 };
        // Written so that NaN fails too.
        if value >= low - margin && value <= high + margin {
            return Some(value);
        }
        self.faults.push(Error {
            address,
            register: quantity.register(),
            cause: Cause::OutOfRange { quantity, value },
        });
        None
    }
}
