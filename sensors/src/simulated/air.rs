//! Air at the emulated chip, and the raw counts that the chip would give for it.

use crate::bme280::{Calibration, Compensated, RawReading, compensate};

/// The state of the air.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Air {
    /// °C.
    pub temperature_c: f64,
    /// hPa.
    pub pressure_hpa: f64,
    /// %RH.
    pub humidity_rh: f64,
}

impl Air {
    /// The raw counts from which [`compensate`] computes this air, as nearly as the counts can say it.
    /// Beyond what the counts can say, the nearest end.
    pub fn to_raw(&self, calibration: &Calibration) -> RawReading {
        let mut raw = RawReading { pressure: 0, temperature: 0, humidity: 0 };
        let value = |raw: &RawReading| compensate(calibration, raw);
        // The temperature goes into the other two, so it is found first.
        raw.temperature = search(0xF_FFFF, self.temperature_c, |count| {
            value(&RawReading { temperature: count, ..raw }).temperature_c
        });
        raw.pressure = search(0xF_FFFF, self.pressure_hpa * 100.0, |count| {
            let Compensated { pressure_pa, .. } = value(&RawReading { pressure: count, ..raw });
            pressure_pa.unwrap_or_default()
        });
        raw.humidity = search(0xFFFF, self.humidity_rh, |count| {
            value(&RawReading { humidity: count as u16, ..raw }).humidity_rh
        }) as u16;
        raw
    }
}

/// The count from 0 to `most` whose value is nearest to `target`, of a function that rises or falls all the
/// way.
pub(super) fn search(most: u32, target: f64, value: impl Fn(u32) -> f64) -> u32 {
    let rises = value(most) > value(0);
    let (mut low, mut high) = (0, most);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if (value(middle) < target) == rises {
            low = middle;
        } else {
            high = middle;
        }
    }
    if (value(low) - target).abs() <= (value(high) - target).abs() { low } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::published_calibration;

    #[test]
    fn raw_counts_give_back_the_air_they_were_made_of() {
        let calibration = published_calibration();
        for temperature_c in [-39.0, -18.0, 0.0, 4.2, 25.0, 57.0, 84.0] {
            for pressure_hpa in [305.0, 556.0, 1013.25, 1090.0] {
                for humidity_rh in [5.0, 50.0, 99.0] {
                    let air = Air { temperature_c, pressure_hpa, humidity_rh };
                    let back = compensate(&calibration, &air.to_raw(&calibration));
                    assert!((back.temperature_c - temperature_c).abs() < 0.01, "{air:?} {back:?}");
                    let pressure = back.pressure_pa.unwrap();
                    assert!((pressure - pressure_hpa * 100.0).abs() < 1.0, "{air:?} {back:?}");
                    assert!((back.humidity_rh - humidity_rh).abs() < 0.02, "{air:?} {back:?}");
                }
            }
        }
    }
}
