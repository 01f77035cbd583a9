//! How the chip is asked to measure (datasheet sections 3.4, 3.5 and 9.1).

use std::fmt;
use std::time::Duration;

/// How many conversions are averaged into one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Oversampling {
    /// One conversion: enough for slowly changing air, and the least self-heating.
    #[default]
    X1,
    /// 2 conversions.
    X2,
    /// 4 conversions.
    X4,
    /// 8 conversions.
    X8,
    /// 16 conversions.
    X16,
}

impl Oversampling {
    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::X1 => 1,
            Self::X2 => 2,
            Self::X4 => 3,
            Self::X8 => 4,
            Self::X16 => 5,
        }
    }

    fn of_crate(self) -> bme280::Oversampling {
        match self {
            Self::X1 => bme280::Oversampling::Oversampling1X,
            Self::X2 => bme280::Oversampling::Oversampling2X,
            Self::X4 => bme280::Oversampling::Oversampling4X,
            Self::X8 => bme280::Oversampling::Oversampling8X,
            Self::X16 => bme280::Oversampling::Oversampling16X,
        }
    }
}

/// Smoothing of temperature and pressure inside the chip. It advances once a measurement, so with one
/// measurement a minute a coefficient of 16 answers a change only after a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filter {
    /// Each measurement stands alone.
    #[default]
    Off,
    /// Coefficient 2.
    X2,
    /// Coefficient 4.
    X4,
    /// Coefficient 8.
    X8,
    /// Coefficient 16.
    X16,
}

impl Filter {
    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::X2 => 1,
            Self::X4 => 2,
            Self::X8 => 3,
            Self::X16 => 4,
        }
    }

    fn of_crate(self) -> bme280::IIRFilter {
        match self {
            Self::Off => bme280::IIRFilter::Off,
            Self::X2 => bme280::IIRFilter::Coefficient2,
            Self::X4 => bme280::IIRFilter::Coefficient4,
            Self::X8 => bme280::IIRFilter::Coefficient8,
            Self::X16 => bme280::IIRFilter::Coefficient16,
        }
    }
}

/// Where the chip is looked for. The address depends on the SDO pin: 0x76 to ground, 0x77 to supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Address {
    /// First 0x76, then 0x77.
    #[default]
    Auto,
    /// 0x76: SDO to ground.
    Primary,
    /// 0x77: SDO to supply.
    Secondary,
}

impl Address {
    pub(super) fn candidates(self) -> &'static [u8] {
        match self {
            Self::Auto => &[0x76, 0x77],
            Self::Primary => &[0x76],
            Self::Secondary => &[0x77],
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "0x76 or 0x77",
            Self::Primary => "0x76",
            Self::Secondary => "0x77",
        })
    }
}

/// Settings of one chip. The default is Bosch's suggestion for weather and slow surroundings: one conversion
/// each, no filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    /// Where the chip is looked for.
    pub address: Address,
    /// Oversampling of temperature.
    pub temperature: Oversampling,
    /// Oversampling of pressure.
    pub pressure: Oversampling,
    /// Oversampling of humidity.
    pub humidity: Oversampling,
    /// Smoothing of temperature and pressure.
    pub filter: Filter,
}

impl Settings {
    /// The longest a measurement takes: 9.3 ms for x1/x1/x1, 112.8 ms for x16/x16/x16.
    pub fn longest_measurement(&self) -> Duration {
        let conversions = |oversampling: Oversampling| 1u64 << (oversampling.bits() - 1);
        let sum = conversions(self.temperature) + conversions(self.pressure) + conversions(self.humidity);
        Duration::from_micros(1250 + 2300 * sum + 2 * 575)
    }

    pub(super) fn ctrl_hum(self) -> u8 {
        self.humidity.bits()
    }

    /// `ctrl_meas` with the mode bits at sleep, which is what the chip falls back to after a forced
    /// measurement.
    pub(super) fn ctrl_meas(self) -> u8 {
        self.temperature.bits() << 5 | self.pressure.bits() << 2
    }

    pub(super) fn config(self) -> u8 {
        self.filter.bits() << 2
    }

    pub(super) fn of_crate(self) -> bme280::Configuration {
        bme280::Configuration::default()
            .with_temperature_oversampling(self.temperature.of_crate())
            .with_pressure_oversampling(self.pressure.of_crate())
            .with_humidity_oversampling(self.humidity.of_crate())
            .with_iir_filter(self.filter.of_crate())
    }
}
