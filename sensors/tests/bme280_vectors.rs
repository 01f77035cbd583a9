//! The compensation against values computed by the chip maker's own code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use serde_json::Value;
use tracker_sensors::bme280::{
    Calibration, Cause, Chip, Compensated, Environment, Quantity, RawReading, compensate,
};

struct Row {
    id: String,
    flags: Vec<String>,
    values: Compensated,
    reference: Value,
}

impl Row {
    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }

    fn reference(&self, build: &str, name: &str) -> Option<f64> {
        self.reference[build][name].as_f64()
    }
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    let text = value.as_str().unwrap();
    let bytes: Vec<u8> =
        (0..N).map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

fn rows() -> Vec<Row> {
    let text = std::fs::read(common::data("bme280/vectors.json")).unwrap();
    let file: Value = serde_json::from_slice(&text).unwrap();
    let rows: Vec<Row> = file["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let calibration =
                Calibration::from_registers(&bytes(&row["calib_88_a1"]), &bytes(&row["calib_e1_e7"]));
            let raw = RawReading::from_registers(&bytes(&row["data_f7_fe"]));
            Row {
                id: row["id"].as_str().unwrap().to_owned(),
                flags: row["flags"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|flag| flag.as_str().unwrap().to_owned())
                    .collect(),
                values: compensate(&calibration, &raw),
                reference: row.clone(),
            }
        })
        .collect();
    assert_eq!(rows.len(), 222);
    rows
}

fn agrees(row: &Row, build: &str) -> bool {
    let near = |ours: f64, name: &str, tolerance: f64| {
        row.reference(build, name).is_some_and(|theirs| (ours - theirs).abs() <= tolerance)
    };
    near(row.values.temperature_c, "t_c", 0.01)
        && row.values.pressure_pa.is_some_and(|pressure| near(pressure, "p_pa", 1.0))
        && near(row.values.humidity_rh, "rh", 0.01)
}

#[test]
fn trimming_values_are_decoded_and_encoded() {
    for row in rows() {
        let (first, second) = (bytes(&row.reference["calib_88_a1"]), bytes(&row.reference["calib_e1_e7"]));
        let calibration = Calibration::from_registers(&first, &second);
        let expected = &row.reference["calib"];
        assert_eq!(expected["dig_T1"], calibration.dig_t1, "{}", row.id);
        assert_eq!(expected["dig_P9"], calibration.dig_p9, "{}", row.id);
        assert_eq!(expected["dig_H1"], calibration.dig_h1, "{}", row.id);
        assert_eq!(expected["dig_H4"], calibration.dig_h4, "{}", row.id);
        assert_eq!(expected["dig_H5"], calibration.dig_h5, "{}", row.id);
        assert_eq!(expected["dig_H6"], calibration.dig_h6, "{}", row.id);
        let (first_again, second_again) = calibration.to_registers();
        // Register 0xA0 is not used.
        assert_eq!(
            (&first_again[..24], first_again[25], second_again),
            (&first[..24], first[25], second),
            "{}",
            row.id
        );
    }
}

#[test]
fn rows_without_flags_agree() {
    let mut unflagged = 0;
    for row in rows().iter().filter(|row| row.flags.is_empty()) {
        assert!(agrees(row, "double"), "{}: {:?} against {}", row.id, row.values, row.reference["double"]);
        unflagged += 1;
    }
    assert_eq!(unflagged, 162);
}

/// What each flag means for the comparison with the clamped reference. A row may have several.
///
/// | flag | compensation | driver |
/// |---|---|---|
/// | `clamped_t`, `clamped_p`, `clamped_h` | gives the value as computed, agreeing with the unclamped reference | the value is missing; humidity up to 5 %RH beyond the limit is reported as the limit |
/// | `raw_t/p/h_is_reset_value` | agrees: the count is also an ordinary one | reported, unless all three are reset values |
/// | `h3_formula_differs` | humidity follows the datasheet and its integer forms; the reference multiplies once more | reported |
/// | `int32_overflow`, `int64_overflow` | agrees: double precision does not overflow | as the clamps say |
#[test]
fn rows_with_flags_differ_only_as_their_flags_say() {
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows() {
        for flag in &row.flags {
            *met.entry(flag.clone()).or_default() += 1;
        }
        let id = &row.id;
        let division_by_zero = row.reference["double_unclamped"]["p_pa"].is_null();
        if row.has("h3_formula_differs") {
            let by_integers = row.reference("datasheet_shift", "h_q10").unwrap() / 1024.0;
            assert!((row.values.humidity_rh - by_integers).abs() < 0.05, "{id}");
            assert!((row.values.humidity_rh - row.reference("double", "rh").unwrap()).abs() > 0.01, "{id}");
            continue;
        }
        if division_by_zero {
            assert_eq!(row.values.pressure_pa, None, "{id}");
        } else {
            assert!(agrees(&row, "double_unclamped"), "{id}: {:?}", row.values);
        }
        let clamped = ["clamped_t", "clamped_p", "clamped_h"].iter().any(|flag| row.has(flag));
        if !clamped {
            assert!(agrees(&row, "double"), "{id}: {:?}", row.values);
        }
    }
    let expected = [
        ("clamped_h", 42),
        ("clamped_p", 11),
        ("clamped_t", 10),
        ("h3_formula_differs", 1),
        ("int32_overflow", 10),
        ("int64_overflow", 4),
        ("raw_h_is_reset_value", 5),
        ("raw_p_is_reset_value", 4),
        ("raw_t_is_reset_value", 4),
    ];
    let met: Vec<(&str, usize)> = met.iter().map(|(flag, count)| (flag.as_str(), *count)).collect();
    assert_eq!(met, expected);
}

#[test]
fn what_is_beyond_the_range_is_missing_and_named() {
    for row in rows() {
        let id = &row.id;
        let environment = Environment::within_range(Chip::Bme280, 0x76, &row.values);
        let faulty = |quantity: Quantity| {
            environment
                .faults
                .iter()
                .any(|fault| matches!(fault.cause, Cause::OutOfRange { quantity: of, .. } if of == quantity))
        };
        if row.has("clamped_t") {
            assert_eq!(environment.temperature_c, None, "{id}");
            assert_eq!((environment.pressure_hpa, environment.humidity_rh), (None, None), "{id}");
            assert!(faulty(Quantity::Temperature), "{id}");
            continue;
        }
        assert_eq!(environment.temperature_c, Some(row.values.temperature_c), "{id}");
        if row.has("clamped_p") {
            assert_eq!(environment.pressure_hpa, None, "{id}");
            assert!(!environment.faults.is_empty(), "{id}");
        } else {
            assert_eq!(environment.pressure_hpa, row.values.pressure_pa.map(|pa| pa / 100.0), "{id}");
        }
        let computed = row.values.humidity_rh;
        if (-5.0..=105.0).contains(&computed) {
            assert_eq!(environment.humidity_rh, Some(computed.clamp(0.0, 100.0)), "{id}");
        } else {
            assert_eq!(environment.humidity_rh, None, "{id}");
            assert!(faulty(Quantity::Humidity), "{id}");
        }
    }
}
