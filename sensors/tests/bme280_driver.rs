//! The driver on the emulated chip: what it measures, and what it says about each way a chip can fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use tracker_sensors::bme280::Oversampling::{X1, X2, X4, X8, X16};
use tracker_sensors::bme280::{
    Address, Bme280, Cause, Chip, EnvironmentSensor, Error, Filter, RawReading, Register, Settings,
};
use tracker_sensors::health::State;
use tracker_sensors::simulated::{Air, Bme280Chip, ChipDelay, ChipFault, published_calibration};

const AIR: Air = Air { temperature_c: 4.25, pressure_hpa: 1009.7, humidity_rh: 84.0 };

fn chip() -> Bme280Chip {
    let chip = Bme280Chip::new(0x76, published_calibration());
    chip.set_air(AIR);
    chip
}

fn driver(chip: &Bme280Chip, settings: Settings) -> Bme280<Bme280Chip, ChipDelay> {
    Bme280::new(chip.clone(), chip.delay(), settings)
}

fn assert_measures(driver: &mut Bme280<Bme280Chip, ChipDelay>) {
    let environment = driver.measure().expect("the chip is well");
    assert!(environment.faults.is_empty(), "{environment:?}");
    // One step of a 16-bit conversion.
    assert!((environment.temperature_c.unwrap() - AIR.temperature_c).abs() < 0.01, "{environment:?}");
    assert!((environment.pressure_hpa.unwrap() - AIR.pressure_hpa).abs() < 0.05, "{environment:?}");
    assert!((environment.humidity_rh.unwrap() - AIR.humidity_rh).abs() < 0.05, "{environment:?}");
}

fn error(driver: &mut Bme280<Bme280Chip, ChipDelay>) -> Error {
    driver.measure().expect_err("the chip is not well")
}

#[test]
fn a_healthy_chip_is_measured_and_left_asleep() {
    let chip = chip();
    let mut driver = driver(&chip, Settings::default());
    assert_measures(&mut driver);
    assert_measures(&mut driver);
    assert_eq!(driver.chip(), Some(Chip::Bme280));
    assert_eq!(driver.starts(), 1);
    assert_eq!(chip.peek(Register::CTRL_MEAS.0), 1 << 5 | 1 << 2);
    assert_eq!(chip.peek(Register::CTRL_HUM.0), 1);
    assert_eq!(chip.peek(Register::CONFIG.0), 0);
}

#[test]
fn every_oversampling_and_filter_is_written_and_waited_for() {
    for (oversampling, bits) in [(X1, 1), (X2, 2), (X4, 3), (X8, 4), (X16, 5)] {
        for (filter, filter_bits) in
            [(Filter::Off, 0), (Filter::X2, 1), (Filter::X4, 2), (Filter::X8, 3), (Filter::X16, 4)]
        {
            let chip = chip();
            let settings = Settings {
                address: Address::Auto,
                temperature: oversampling,
                pressure: oversampling,
                humidity: oversampling,
                filter,
            };
            let mut driver = driver(&chip, settings);
            assert_measures(&mut driver);
            assert_eq!(chip.peek(Register::CTRL_MEAS.0), bits << 5 | bits << 2);
            assert_eq!(chip.peek(Register::CTRL_HUM.0), bits);
            assert_eq!(chip.peek(Register::CONFIG.0), filter_bits << 2);
        }
    }
}

#[test]
fn the_longest_measurement_is_that_of_the_datasheet() {
    let of = |temperature, pressure, humidity| {
        Settings { temperature, pressure, humidity, ..Settings::default() }.longest_measurement()
    };
    assert_eq!(of(X1, X1, X1), Duration::from_micros(9_300));
    assert_eq!(of(X2, X16, X1), Duration::from_micros(46_100));
    assert_eq!(of(X16, X16, X16), Duration::from_micros(112_800));
}

#[test]
fn both_addresses_are_tried_and_a_wrong_one_is_named() {
    let chip = Bme280Chip::new(0x77, published_calibration());
    chip.set_air(AIR);
    assert_measures(&mut driver(&chip, Settings::default()));
    assert_measures(&mut driver(&chip, Settings { address: Address::Secondary, ..Settings::default() }));
    let mut wrong = driver(&chip, Settings { address: Address::Primary, ..Settings::default() });
    let text = error(&mut wrong).to_string();
    assert!(
        text.starts_with("BME280 at 0x76, register 0xD0 (id): nobody acknowledges the address"),
        "{text}"
    );
    assert!(text.contains("check cable, power and the SDO pin (0x76 or 0x77)"), "{text}");
}

#[test]
fn a_bmp280_gives_temperature_and_pressure_only() {
    for id in [0x56, 0x57, 0x58] {
        let chip = chip();
        chip.set_id(id);
        let mut driver = driver(&chip, Settings::default());
        for _ in 0..2 {
            let environment = driver.measure().unwrap();
            assert!(environment.faults.is_empty(), "{environment:?}");
            assert!((environment.temperature_c.unwrap() - AIR.temperature_c).abs() < 0.01);
            assert!((environment.pressure_hpa.unwrap() - AIR.pressure_hpa).abs() < 0.05);
            assert_eq!(environment.humidity_rh, None);
        }
        assert_eq!(driver.chip(), Some(Chip::Bmp280));
        assert_eq!(driver.starts(), 1);
    }
}

#[test]
fn other_chips_are_named() {
    for (id, name) in [(0x61, "BME680"), (0x55, "BMP180"), (0x50, "BMP388"), (0x42, "another device")] {
        let chip = chip();
        chip.set_id(id);
        let error = error(&mut driver(&chip, Settings::default()));
        assert_eq!(error.cause, Cause::ForeignChip { id });
        let text = error.to_string();
        let mend = if id == 0x42 { "is another device at this address?" } else { "fit a BME280" };
        assert!(text.contains(mend), "{text}");
        assert!(text.contains(name) && text.contains(&format!("{id:#04x}")), "{text}");
    }
}

/// A fault, the register it shows at when the chip has already been in use, and words of its text: what, and how to mend it.
#[test]
fn each_fault_is_named_and_the_next_cycle_recovers() {
    let cases = [
        (
            ChipFault::NoAcknowledge,
            Register::CTRL_MEAS,
            "nobody acknowledges the address",
            "check cable, power and the SDO pin",
        ),
        (ChipFault::AllOnes, Register::STATUS, "every bit reads 1", "check power and SDA"),
        (ChipFault::AllZeros, Register::DATA, "every bit reads 0", "check SDA for a short"),
        (ChipFault::NeverFinishes, Register::STATUS, "the measurement does not end", "cycle its power"),
    ];
    for (fault, register, words, mend) in cases {
        let chip = chip();
        let mut driver = driver(&chip, Settings::default());
        assert_measures(&mut driver);
        chip.set_fault(Some(fault));
        let error = error(&mut driver);
        assert_eq!((error.address, error.register), (0x76, register), "{fault:?}: {error}");
        assert!(error.to_string().contains(words), "{fault:?}: {error}");
        assert!(error.to_string().contains(mend), "{fault:?}: {error}");
        assert!(driver.measure().is_err(), "{fault:?} lasts");
        chip.set_fault(None);
        assert_measures(&mut driver);
        assert_eq!(driver.starts(), 2 + u64::from(fault == ChipFault::NeverFinishes), "{fault:?}");
    }
}

#[test]
fn faults_at_the_start_are_named() {
    let cases = [
        (ChipFault::NoAcknowledge, Register::ID, "nobody acknowledges the address"),
        (ChipFault::AllOnes, Register::ID, "nothing drives the data line"),
        (ChipFault::AllZeros, Register::ID, "the data line is held low"),
        (ChipFault::NeverLoadsCalibration, Register::STATUS, "still loading trimming values"),
    ];
    for (fault, register, words) in cases {
        let chip = chip();
        chip.set_fault(Some(fault));
        let mut driver = driver(&chip, Settings::default());
        let error = error(&mut driver);
        assert_eq!(error.register, register, "{fault:?}: {error}");
        assert!(error.to_string().contains(words), "{fault:?}: {error}");
        chip.set_fault(None);
        assert_measures(&mut driver);
    }
}

#[test]
fn a_chip_that_lost_power_is_noticed_and_started_again() {
    let chip = chip();
    let mut driver = driver(&chip, Settings::default());
    assert_measures(&mut driver);
    chip.lose_power();
    let error = error(&mut driver);
    assert!(matches!(error.cause, Cause::ConfigurationLost { .. }), "{error}");
    assert!(error.to_string().contains("the chip was without power for a moment"), "{error}");
    assert_measures(&mut driver);
    assert_eq!(driver.starts(), 2);
}

#[test]
fn a_measurement_that_left_reset_values_is_not_a_reading() {
    let chip = chip();
    let mut driver = driver(&chip, Settings::default());
    chip.set_raw(RawReading { pressure: 0x8_0000, temperature: 0x8_0000, humidity: 0x8000 });
    let error = error(&mut driver);
    assert_eq!((error.register, &error.cause), (Register::DATA, &Cause::NothingMeasured));
    chip.set_air(AIR);
    assert_measures(&mut driver);
}

#[test]
fn one_count_at_its_reset_value_is_an_ordinary_reading() {
    let chip = chip();
    let mut driver = driver(&chip, Settings::default());
    let ordinary = AIR.to_raw(&published_calibration());
    for raw in [
        RawReading { temperature: 0x8_0000, ..ordinary },
        RawReading { humidity: 0x8000, ..ordinary },
        RawReading { temperature: 0x8_0000, humidity: 0x8000, ..ordinary },
    ] {
        chip.set_raw(raw);
        let environment = driver.measure().unwrap();
        assert!(environment.faults.is_empty(), "{raw:?}: {environment:?}");
        assert!(environment.temperature_c.is_some() && environment.humidity_rh.is_some());
    }
}

#[test]
fn a_value_out_of_range_is_missing_while_the_others_stay() {
    let chip = chip();
    let mut driver = driver(&chip, Settings::default());
    let ordinary = AIR.to_raw(&published_calibration());
    chip.set_raw(RawReading { humidity: 0xFFF0, ..ordinary });
    let environment = driver.measure().unwrap();
    assert_eq!(environment.humidity_rh, None);
    assert!(environment.temperature_c.is_some() && environment.pressure_hpa.is_some());
    let text = environment.faults[0].to_string();
    assert!(text.starts_with("BME280 at 0x76, register 0xFD (humidity): humidity of"), "{text}");
    assert!(text.ends_with("is beyond what the sensor can measure (0..100 %RH)"), "{text}");
    chip.set_air(AIR);
    assert_measures(&mut driver);
    assert_eq!(driver.starts(), 2, "a fault restarts the chip");
}

/// A chip with these bytes in place of the trimming values from this register on.
fn chip_with(at: u8, bytes: &[u8]) -> Bme280Chip {
    let (mut first, mut second) = published_calibration().to_registers();
    let place = usize::from(at);
    match at {
        0xE1.. => second[place - 0xE1..][..bytes.len()].copy_from_slice(bytes),
        _ => first[place - 0x88..][..bytes.len()].copy_from_slice(bytes),
    }
    let chip = Bme280Chip::with_calibration_registers(0x76, first, second);
    // Of the sound values.
    chip.set_raw(AIR.to_raw(&published_calibration()));
    chip
}

#[test]
fn a_quantity_with_dead_trimming_values_is_absent_and_the_others_stay() {
    for bit in [0x00, 0xFF] {
        for (at, length) in [(0x88, 6), (0x88, 2), (0x8A, 2), (0x88, 24)] {
            let error = error(&mut driver(&chip_with(at, &vec![bit; length]), Settings::default()));
            assert_eq!(
                (error.register, error.cause),
                (Register::CALIBRATION, Cause::DeadCalibration),
                "{at:#x}"
            );
        }
        let cases = [
            (0x8E, 18, Register::CALIBRATION_PRESSURE, "0x8E (calibration of pressure)"),
            (0x8E, 2, Register::CALIBRATION_PRESSURE, "0x8E (calibration of pressure)"),
            (0x9A, 6, Register::CALIBRATION_PRESSURE, "0x8E (calibration of pressure)"),
            (0xE1, 7, Register::CALIBRATION_HUMIDITY, "0xE1 (calibration of humidity)"),
            (0xE1, 2, Register::CALIBRATION_HUMIDITY, "0xE1 (calibration of humidity)"),
        ];
        for (at, length, register, words) in cases {
            let chip = chip_with(at, &vec![bit; length]);
            let environment = driver(&chip, Settings::default()).measure().unwrap();
            assert!((environment.temperature_c.unwrap() - AIR.temperature_c).abs() < 0.01, "{environment:?}");
            let near = |value: Option<f64>, expected: f64| {
                value.is_some_and(|value| (value - expected).abs() < 0.05)
            };
            let pressure_is_dead = register == Register::CALIBRATION_PRESSURE;
            assert_eq!(
                near(environment.pressure_hpa, AIR.pressure_hpa),
                !pressure_is_dead,
                "{environment:?}"
            );
            assert_eq!(environment.pressure_hpa.is_none(), pressure_is_dead, "{environment:?}");
            assert_eq!(near(environment.humidity_rh, AIR.humidity_rh), pressure_is_dead, "{environment:?}");
            assert_eq!(environment.humidity_rh.is_none(), !pressure_is_dead, "{environment:?}");
            assert_eq!(environment.faults.len(), 1, "{environment:?}");
            let fault = &environment.faults[0];
            assert_eq!((fault.register, &fault.cause), (register, &Cause::DeadCalibration));
            assert!(fault.to_string().contains(words), "{fault}");
        }
    }
    let mut all_dead = driver(&chip_with(0xE1, &[0; 7]), Settings::default());
    all_dead.measure().unwrap();
    let environment = all_dead.measure().unwrap();
    assert_eq!((environment.humidity_rh, all_dead.starts()), (None, 2), "it is read anew each time");
}

#[test]
fn a_bmp280_needs_no_trimming_values_of_humidity() {
    let chip = chip_with(0xE1, &[0; 7]);
    chip.set_id(0x58);
    assert!(driver(&chip, Settings::default()).measure().unwrap().faults.is_empty());
}

#[test]
fn trimming_values_are_read_twice_and_again() {
    let chip = chip();
    let mut driver = driver(&chip, Settings::default());
    chip.disturb_next_calibration();
    assert_eq!(error(&mut driver).cause, Cause::UnsteadyCalibration);
    let sound = AIR.to_raw(&published_calibration());
    let mut measure = |n: u16| {
        chip.set_raw(RawReading { humidity: sound.humidity + n % 3, ..sound });
        driver.measure()
    };
    for n in 0..59 {
        assert!(measure(n).is_ok_and(|environment| environment.faults.is_empty()), "{n}");
    }
    chip.disturb_next_calibration();
    let error = measure(59).unwrap_err();
    assert_eq!(error.cause, Cause::UnsteadyCalibration);
    assert!(error.to_string().contains("read otherwise a second time: check the cable"), "{error}");
    assert!(measure(60).is_ok());
}

#[test]
fn every_vector_comes_through_the_driver() {
    let text = std::fs::read(common::data("bme280/vectors.json")).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut compared = 0;
    for row in file["vectors"].as_array().unwrap() {
        if !row["flags"].as_array().unwrap().is_empty() {
            continue;
        }
        let hex = |name: &str| -> Vec<u8> {
            let text = row[name].as_str().unwrap();
            (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
        };
        let chip = Bme280Chip::with_calibration_registers(
            0x76,
            hex("calib_88_a1").try_into().unwrap(),
            hex("calib_e1_e7").try_into().unwrap(),
        );
        let data: [u8; 8] = hex("data_f7_fe").try_into().unwrap();
        chip.set_raw(RawReading::from_registers(&data));
        let environment = driver(&chip, Settings::default()).measure().unwrap();
        let near = |value: Option<f64>, name: &str, scale: f64, tolerance: f64| {
            let expected = row["double"][name].as_f64().unwrap();
            assert!((value.unwrap() * scale - expected).abs() <= tolerance, "{}: {name}", row["id"]);
        };
        near(environment.temperature_c, "t_c", 1.0, 0.01);
        near(environment.pressure_hpa, "p_pa", 100.0, 1.0);
        near(environment.humidity_rh, "rh", 1.0, 0.01);
        compared += 1;
    }
    assert_eq!(compared, 162);
}

#[test]
fn health_follows_the_measurements() {
    let chip = chip();
    let mut sensor = EnvironmentSensor::new(chip.clone(), chip.delay(), Settings::default());
    let health = sensor.health();
    assert_eq!(health.borrow().state, State::Starting);

    sensor.measure(Duration::from_secs(1)).unwrap();
    assert_eq!((health.borrow().state, health.borrow().cause.clone()), (State::Ok, None));

    chip.set_fault(Some(ChipFault::NoAcknowledge));
    let error = sensor.measure(Duration::from_secs(2)).unwrap_err();
    sensor.measure(Duration::from_secs(3)).unwrap_err();
    let failed = health.borrow().clone();
    assert_eq!((failed.state, failed.since), (State::Failed, Duration::from_secs(2)));
    assert!(failed.cause.unwrap().contains("nobody acknowledges"), "{error}");

    chip.set_fault(None);
    sensor.measure(Duration::from_secs(4)).unwrap();
    let well = serde_json::to_value(health.borrow().clone()).unwrap();
    let expected =
        serde_json::json!({"state": "ok", "since_s": 4.0, "readings": 2, "failures": 2, "starts": 2});
    assert_eq!(well, expected);

    chip.set_id(0x58);
    chip.lose_power();
    sensor.measure(Duration::from_secs(5)).unwrap_err();
    sensor.measure(Duration::from_secs(6)).unwrap();
    assert_eq!(health.borrow().state, State::Degraded);
    assert!(health.borrow().cause.as_ref().unwrap().contains("BMP280"));
}

#[test]
fn a_chip_that_repeats_itself_for_long_is_silent_and_reset() {
    let chip = chip();
    let mut sensor = EnvironmentSensor::new(chip.clone(), chip.delay(), Settings::default());
    let health = sensor.health();
    sensor.measure(Duration::ZERO).unwrap();
    chip.set_fault(Some(ChipFault::Stuck));
    for second in 1..60 {
        sensor.measure(Duration::from_secs(second)).unwrap();
        assert_eq!(health.borrow().state, State::Ok, "after {second}");
    }
    let error = sensor.measure(Duration::from_mins(1)).unwrap_err();
    assert_eq!(error.cause, Cause::Frozen);
    assert_eq!(health.borrow().state, State::Failed);
    assert!(health.borrow().cause.as_ref().unwrap().contains("the chip is stuck and is reset"));
    sensor.measure(Duration::from_secs(61)).unwrap_err();
    chip.set_fault(None);
    chip.set_air(Air { temperature_c: 7.0, ..AIR });
    sensor.measure(Duration::from_secs(62)).unwrap();
    assert_eq!((health.borrow().state, health.borrow().starts), (State::Ok, 3));
}

#[test]
fn a_chip_whose_counts_stay_after_a_reset_stays_silent() {
    let chip = chip();
    let mut driver = driver(&chip, Settings::default());
    for _ in 0..=59 {
        driver.measure().unwrap();
    }
    for reset in 0..3 {
        assert_eq!(error(&mut driver).cause, Cause::Frozen);
        assert_eq!(driver.starts(), 1 + reset);
    }
    chip.set_air(Air { temperature_c: 7.0, ..AIR });
    assert!(driver.measure().unwrap().faults.is_empty());
}

#[test]
fn still_air_is_no_stuck_chip() {
    let chip = chip();
    let mut driver = driver(&chip, Settings::default());
    let sound = AIR.to_raw(&published_calibration());
    for n in 0..1000_u32 {
        // A last bit that moves every ten measurements.
        chip.set_raw(RawReading { pressure: sound.pressure + (n / 10 % 2) * 16, ..sound });
        assert!(driver.measure().is_ok(), "{n}");
    }
    assert_eq!(driver.starts(), 1);
}
