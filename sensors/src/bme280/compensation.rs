//! From raw counts to physical values (datasheet section 4.2.3 and appendix 8.1), in double precision.
//!
//! The `bme280` crate has these formulae too, in single precision (0.05 Pa off at most), but reaches them
//! only through a bus and silently limits what comes out to the sensor's range. A broken sensor would then
//! read 85 °C instead of nothing, so the driver takes the raw bytes and computes here, without limits.

use super::Calibration;

/// Raw counts of one measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawReading {
    /// 20 bits.
    pub pressure: u32,
    /// 20 bits.
    pub temperature: u32,
    /// 16 bits.
    pub humidity: u16,
}

impl RawReading {
    /// Decodes the data registers 0xF7 to 0xFE.
    pub fn from_registers(data: &[u8; 8]) -> Self {
        let twenty_bits = |at: usize| {
            u32::from(data[at]) << 12 | u32::from(data[at + 1]) << 4 | u32::from(data[at + 2]) >> 4
        };
        Self {
            pressure: twenty_bits(0),
            temperature: twenty_bits(3),
            humidity: u16::from_be_bytes([data[6], data[7]]),
        }
    }

    /// The bytes that [`RawReading::from_registers`] decodes; counts beyond 20 bits are cut.
    pub fn to_registers(&self) -> [u8; 8] {
        let twenty_bits = |raw: u32| [(raw >> 12) as u8, (raw >> 4) as u8, (raw << 4) as u8];
        let [p0, p1, p2] = twenty_bits(self.pressure);
        let [t0, t1, t2] = twenty_bits(self.temperature);
        let [h0, h1] = self.humidity.to_be_bytes();
        [p0, p1, p2, t0, t1, t2, h0, h1]
    }
}

/// What the formulae give, not limited to any range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compensated {
    /// °C.
    pub temperature_c: f64,
    /// Pa; nothing where the formula would divide by zero (`dig_P1` is 0).
    pub pressure_pa: Option<f64>,
    /// %RH.
    pub humidity_rh: f64,
}

/// Computes physical values from raw counts. Values beyond the sensor's range come out as they are: the
/// datasheet's formula for humidity ends with a limit to 0..100 %RH, which is left to the caller.
pub fn compensate(calibration: &Calibration, raw: &RawReading) -> Compensated {
    let t_fine = t_fine(calibration, raw.temperature);
    // The datasheet keeps t_fine as an integer between the formulae; so does every published reference.
    let whole = t_fine.trunc();
    Compensated {
        temperature_c: t_fine / 5120.0,
        pressure_pa: pressure_pa(calibration, raw.pressure, whole),
        humidity_rh: humidity_rh(calibration, raw.humidity, whole),
    }
}

fn t_fine(c: &Calibration, raw: u32) -> f64 {
    let adc = f64::from(raw);
    let t1 = f64::from(c.dig_t1);
    let linear = (adc / 16384.0 - t1 / 1024.0) * f64::from(c.dig_t2);
    let offset = adc / 131_072.0 - t1 / 8192.0;
    linear + offset * offset * f64::from(c.dig_t3)
}

fn pressure_pa(c: &Calibration, raw: u32, t_fine: f64) -> Option<f64> {
    let t = t_fine / 2.0 - 64000.0;
    let offset = t * t * f64::from(c.dig_p6) / 32768.0 + t * f64::from(c.dig_p5) * 2.0;
    let offset = offset / 4.0 + f64::from(c.dig_p4) * 65536.0;
    let slope = (f64::from(c.dig_p3) * t * t / 524_288.0 + f64::from(c.dig_p2) * t) / 524_288.0;
    let slope = (1.0 + slope / 32768.0) * f64::from(c.dig_p1);
    if slope == 0.0 {
        return None;
    }
    let p = (1_048_576.0 - f64::from(raw) - offset / 4096.0) * 6250.0 / slope;
    let square = f64::from(c.dig_p9) * p * p / 2_147_483_648.0;
    let linear = p * f64::from(c.dig_p8) / 32768.0;
    Some(p + (square + linear + f64::from(c.dig_p7)) / 16.0)
}

fn humidity_rh(c: &Calibration, raw: u16, t_fine: f64) -> f64 {
    let t = t_fine - 76800.0;
    let offset = f64::from(c.dig_h4) * 64.0 + f64::from(c.dig_h5) / 16384.0 * t;
    let by_temperature =
        1.0 + f64::from(c.dig_h6) / 67_108_864.0 * t * (1.0 + f64::from(c.dig_h3) / 67_108_864.0 * t);
    let h = (f64::from(raw) - offset) * (f64::from(c.dig_h2) / 65536.0 * by_temperature);
    h * (1.0 - f64::from(c.dig_h1) * h / 524_288.0)
}
