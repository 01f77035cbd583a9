//! Computes the physical values of each row of a vectors file and says whether they agree with the reference.
//!
//! One JSON object a line: `id`, `group`, `flags`, the computed `t_c`, `p_pa` and `rh` before any test of
//! range, whether they agree with the reference within 0.01 °C, 1 Pa and 0.01 %RH, and what the driver would
//! report of them: a value that the sensor cannot measure is missing there. The exit code is 1 if a row
//! without flags disagrees.

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::json;
use tracker_sensors::bme280::{Calibration, Chip, Compensated, Environment, RawReading, compensate};

#[derive(Deserialize)]
struct VectorsFile {
    vectors: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    group: String,
    flags: Vec<String>,
    calib_88_a1: String,
    calib_e1_e7: String,
    data_f7_fe: String,
    double: Reference,
}

#[derive(Deserialize)]
struct Reference {
    t_c: f64,
    p_pa: f64,
    rh: f64,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: bme280_vectors FILE, a vectors file in JSON")?;
    let file: VectorsFile = serde_json::from_slice(&std::fs::read(path)?)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut all_agree = true;
    for row in &file.vectors {
        let calibration =
            Calibration::from_registers(&registers(&row.calib_88_a1)?, &registers(&row.calib_e1_e7)?);
        let values = compensate(&calibration, &RawReading::from_registers(&registers(&row.data_f7_fe)?));
        let agrees = agrees(&values, &row.double);
        all_agree &= agrees || !row.flags.is_empty();
        let reported = Environment::within_range(Chip::Bme280, 0x76, &values);
        let line = json!({
            "id": row.id,
            "group": row.group,
            "flags": row.flags,
            "t_c": values.temperature_c,
            "p_pa": values.pressure_pa,
            "rh": values.humidity_rh,
            "agrees": agrees,
            "reported": {
                "temperature_c": reported.temperature_c,
                "pressure_hpa": reported.pressure_hpa,
                "humidity_rh": reported.humidity_rh,
            },
        });
        writeln!(output, "{line}")?;
    }
    output.flush()?;
    Ok(if all_agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn agrees(values: &Compensated, reference: &Reference) -> bool {
    (values.temperature_c - reference.t_c).abs() <= 0.01
        && values.pressure_pa.is_some_and(|pressure| (pressure - reference.p_pa).abs() <= 1.0)
        && (values.humidity_rh - reference.rh).abs() <= 0.01
}

fn registers<const N: usize>(hex: &str) -> Result<[u8; N], Box<dyn Error>> {
    if hex.len() != 2 * N || !hex.is_ascii() {
        return Err(format!("{hex:?} is not {N} bytes in hexadecimal digits").into());
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16)?;
    }
    Ok(bytes)
}
