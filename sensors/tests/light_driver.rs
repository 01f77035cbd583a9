//! The driver on the emulated light chip: what it measures, and what it says about each way a chip can fail.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use embedded_hal::delay::DelayNs;
use proptest::prelude::*;
use tracker_sensors::health::State;
use tracker_sensors::light::{
    BRIGHTEST_LX, Cause, Error, Gain, IntegrationTime, LightSensor, Range, Register, SHUTDOWN, Veml7700,
};
use tracker_sensors::simulated::{ChipFault, LightChipDelay, Veml7700Chip};

fn lit(lux: f64) -> (Veml7700Chip, Veml7700<Veml7700Chip, LightChipDelay>) {
    let chip = Veml7700Chip::new();
    chip.set_light(lux);
    let driver = Veml7700::new(chip.clone(), chip.delay());
    (chip, driver)
}

/// Vishay's document 84323 of 6 March 2025, table "Resolution and maximum detection range": rows are integration times
/// from 800 ms to 25 ms, columns gains of 2, 1, 1/4, 1/8.
const RESOLUTION_LX: [[f64; 4]; 6] = [
    [0.0042, 0.0084, 0.0336, 0.0672],
    [0.0084, 0.0168, 0.0672, 0.1344],
    [0.0168, 0.0336, 0.1344, 0.2688],
    [0.0336, 0.0672, 0.2688, 0.5376],
    [0.0672, 0.1344, 0.5376, 1.0752],
    [0.1344, 0.2688, 1.0752, 2.1504],
];

#[test]
fn a_count_is_worth_what_the_makers_table_says() {
    for (row, time) in RESOLUTION_LX.iter().zip(IntegrationTime::ALL.into_iter().rev()) {
        for (expected, gain) in row.iter().zip(Gain::ALL.into_iter().rev()) {
            let found = Range { gain, time }.resolution_lx();
            assert!((found - expected).abs() < 1e-9, "{gain:?} {time:?}: {found} for {expected}");
        }
    }
}

#[test]
fn bits_are_those_of_the_datasheet() {
    let bits: Vec<u16> = Gain::ALL.iter().map(|gain| gain.bits()).collect();
    assert_eq!(bits, [0b10, 0b11, 0b00, 0b01]);
    let bits: Vec<u16> = IntegrationTime::ALL.iter().map(|time| time.bits()).collect();
    assert_eq!(bits, [0b1100, 0b1000, 0b0000, 0b0001, 0b0010, 0b0011]);
    let range = Range { gain: Gain::Eighth, time: IntegrationTime::Ms25 };
    assert_eq!(range.configuration(), 0x1300);
}

/// Counts, and the illuminance that comes out of the driver: from the table above and, for a gain of 1/8, the polynomial
/// of the same document, computed elsewhere.
#[test]
fn counts_become_lx() {
    for (counts, expected) in [
        (0, 0.0),
        (1, 0.0336),
        (1000, 33.6),
        (2976, 99.9936),
        (5000, 3131.94),
        (10_000, 6786.45),
        (10_001, 94_460.26),
        (11_000, 133_259.40),
    ] {
        let chip = Veml7700Chip::new();
        chip.set_counts(counts);
        let lux = Veml7700::new(chip.clone(), chip.delay()).measure().unwrap();
        assert!((lux - expected).abs() <= 0.01, "{counts}: {lux} for {expected}");
    }
}

#[test]
fn light_from_a_closed_container_to_the_noon_sun_is_measured_and_the_chip_sleeps_after() {
    let (chip, mut driver) = lit(0.0);
    let mut lux = 0.0;
    while lux < 120_000.0 {
        chip.set_light(lux);
        let found = driver.measure().unwrap();
        // A count, or a hundredth where two ranges meet.
        assert!((found - lux).abs() <= 0.034 + 0.012 * lux, "{found} for {lux}");
        assert_eq!(chip.peek(Register::CONFIGURATION) & SHUTDOWN, SHUTDOWN);
        lux = lux * 1.7 + 0.1;
    }
    chip.set_light(0.0);
    assert_eq!(driver.measure().unwrap(), 0.0, "from the sun into the dark in one go");
    chip.set_light(110_000.0);
    assert!((driver.measure().unwrap() - 110_000.0).abs() < 1500.0, "and back");
    assert_eq!(driver.starts(), 1);
}

proptest! {
    #[test]
    fn any_light_after_any_other_is_measured(before in 0.0..120_000.0, lux in 0.0..120_000.0) {
        let (chip, mut driver) = lit(before);
        driver.measure().unwrap();
        chip.set_light(lux);
        let found = driver.measure().unwrap();
        prop_assert!((found - lux).abs() <= 0.034 + 0.012 * lux, "{found} for {lux}");
    }

    #[test]
    fn more_counts_are_more_light(counts in 0..u16::MAX, gain in 0..4_usize, time in 0..6_usize) {
        let range = Range { gain: Gain::ALL[gain], time: IntegrationTime::ALL[time] };
        prop_assert!(range.lux(counts) < range.lux(counts + 1));
    }
}

#[test]
fn more_light_than_can_be_measured_is_absent() {
    let (chip, driver) = lit(0.0);
    chip.set_counts(u16::MAX);
    let mut sensor = LightSensor::new(chip.clone(), chip.delay());
    drop(driver);
    let error = sensor.measure(Duration::ZERO).unwrap_err();
    assert_eq!(error, Error { register: Register::LIGHT, cause: Cause::TooBright });
    assert_eq!(
        error.to_string(),
        "VEML7700 at 0x10, register 0x04 (light): brighter than the 140000 lx that the sensor can measure"
    );
    assert_eq!(sensor.health().borrow().state, State::Degraded);
    chip.set_light(500.0);
    assert!((sensor.measure(Duration::from_secs(1)).unwrap() - 500.0).abs() < 6.0);
    assert_eq!(sensor.health().borrow().state, State::Ok);
    assert_eq!(BRIGHTEST_LX, 140_000.0);
}

/// A fault, the register it shows at when the chip has already been in use, and words of its text.
#[test]
fn each_fault_is_named_and_the_next_cycle_recovers() {
    let cases = [
        (
            ChipFault::NoAcknowledge,
            Register::CONFIGURATION,
            "nobody acknowledges the address: check cable and power",
        ),
        (ChipFault::BusError, Register::CONFIGURATION, "bus fault: check pull-ups"),
        (ChipFault::AllOnes, Register::CONFIGURATION, "every bit reads 1: nothing drives the data line"),
        (ChipFault::AllZeros, Register::CONFIGURATION, "every bit reads 0: the data line is held low"),
    ];
    for (fault, register, words) in cases {
        let (chip, mut driver) = lit(2000.0);
        driver.measure().unwrap();
        chip.set_fault(Some(fault));
        let error = driver.measure().unwrap_err();
        assert_eq!(error.register, register, "{fault:?}: {error}");
        let text = error.to_string();
        assert!(text.starts_with("VEML7700 at 0x10, register 0x00 (configuration): "), "{text}");
        assert!(text.contains(words), "{fault:?}: {text}");
        assert!(driver.measure().is_err(), "{fault:?} lasts");
        chip.set_fault(None);
        assert!((driver.measure().unwrap() - 2000.0).abs() < 20.0);
        assert!(driver.starts() >= 2, "{fault:?}");
    }
}

#[test]
fn faults_at_the_start_are_named() {
    let cases = [
        (ChipFault::NoAcknowledge, Register::ID, "nobody acknowledges"),
        (ChipFault::AllOnes, Register::ID, "every bit reads 1"),
        (ChipFault::AllZeros, Register::CONFIGURATION, "every bit reads 0"),
    ];
    for (fault, register, words) in cases {
        let (chip, mut driver) = lit(30.0);
        chip.set_fault(Some(fault));
        let error = driver.measure().unwrap_err();
        assert_eq!(error.register, register, "{fault:?}: {error}");
        assert!(error.to_string().contains(words), "{fault:?}: {error}");
        chip.set_fault(None);
        assert!((driver.measure().unwrap() - 30.0).abs() < 0.1);
    }
}

#[test]
fn another_part_is_named_and_an_early_one_without_an_id_is_taken() {
    let (chip, mut driver) = lit(30.0);
    chip.set_id(0x1234);
    let error = driver.measure().unwrap_err();
    assert_eq!(error.cause, Cause::ForeignChip { id: 0x1234 });
    let text = error.to_string();
    assert!(
        text.contains("holds 0x1234, not the 0x81 of a VEML7700") && text.contains("fit a VEML7700"),
        "{text}"
    );
    for id in [0x0000, 0xC481, 0x0081] {
        chip.set_id(id);
        assert!((driver.measure().unwrap() - 30.0).abs() < 0.1, "{id:#06x}");
    }
}

/// Pauses at whose end the supply dips, as long as it is told to.
struct Dips(Veml7700Chip, Arc<AtomicBool>);

impl DelayNs for Dips {
    fn delay_ns(&mut self, ns: u32) {
        self.0.delay().delay_ns(ns);
        if self.1.load(Ordering::Relaxed) {
            self.0.lose_power();
        }
    }
}

#[test]
fn a_chip_that_loses_its_power_while_it_measures_is_noticed() {
    let chip = Veml7700Chip::new();
    chip.set_light(7.0);
    let dips = Arc::new(AtomicBool::new(true));
    let mut driver = Veml7700::new(chip.clone(), Dips(chip.clone(), dips.clone()));
    let error = driver.measure().unwrap_err();
    assert!(matches!(error.cause, Cause::ConfigurationLost { written: 0x0800, read: 1 }), "{error}");
    assert!(error.to_string().contains("without power for a moment"), "{error}");
    dips.store(false, Ordering::Relaxed);
    assert!((driver.measure().unwrap() - 7.0).abs() < 0.04);
    assert_eq!(driver.starts(), 2);
}

#[test]
fn a_stale_value_is_not_a_reading() {
    // The register holds what was measured before the sleep until the next value is complete.
    let (chip, mut driver) = lit(50.0);
    driver.measure().unwrap();
    chip.set_light(80.0);
    assert!((driver.measure().unwrap() - 80.0).abs() < 0.04);
}

#[test]
fn health_follows_the_measurements() {
    let chip = Veml7700Chip::new();
    let mut sensor = LightSensor::new(chip.clone(), chip.delay());
    let health = sensor.health();
    assert_eq!(health.borrow().state, State::Starting);
    sensor.measure(Duration::from_secs(1)).unwrap();
    assert_eq!((health.borrow().state, health.borrow().cause.clone()), (State::Ok, None));
    chip.set_fault(Some(ChipFault::NoAcknowledge));
    sensor.measure(Duration::from_secs(2)).unwrap_err();
    sensor.measure(Duration::from_secs(3)).unwrap_err();
    let failed = health.borrow().clone();
    assert_eq!((failed.state, failed.since), (State::Failed, Duration::from_secs(2)));
    assert!(failed.cause.unwrap().contains("nobody acknowledges"));
    chip.set_fault(None);
    sensor.measure(Duration::from_secs(4)).unwrap();
    let well = serde_json::to_value(health.borrow().clone()).unwrap();
    let expected =
        serde_json::json!({"state": "ok", "since_s": 4.0, "readings": 2, "failures": 2, "starts": 2});
    assert_eq!(well, expected);
}
