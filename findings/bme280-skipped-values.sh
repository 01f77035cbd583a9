#!/usr/bin/env bash
# A BME280 that has measured nothing passes for a warm day: the crate bme280 0.5.1 computes with the reset values.
#
# After power-up, and for a quantity that is switched off, the data registers hold 0x80000 (temperature, pressure) and 0x8000
# (humidity): datasheet BST-BME280-DS002, 5.4.7 to 5.4.9. The crate hands them to the compensation formulas like measured values,
# and the result is plausible. No error, and nothing in the result tells.
#
# Here the chip is a table of registers with trimming values of a usual kind, whose data registers never change.
#
# Seen: "21.8 °C, 697.1 hPa, 71.9 %RH".
#
# What follows for a tracker: look at the raw registers before believing what was computed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cargo init --quiet --name finding --vcs none .
cat >>Cargo.toml <<'TOML'
bme280 = "=0.5.1"
embedded-hal = "1.0"
TOML
cat >src/main.rs <<'RUST'
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{ErrorType, I2c, Operation};
use std::convert::Infallible;

struct Chip([u8; 256]);
struct NoDelay;

impl DelayNs for NoDelay {
    fn delay_ns(&mut self, _: u32) {}
}

impl ErrorType for Chip {
    type Error = Infallible;
}

impl I2c for Chip {
    fn transaction(&mut self, _: u8, operations: &mut [Operation<'_>]) -> Result<(), Infallible> {
        let mut at = 0;
        for operation in operations {
            match operation {
                Operation::Write(bytes) => at = usize::from(bytes[0]),
                Operation::Read(into) => into.copy_from_slice(&self.0[at..at + into.len()]),
            }
        }
        Ok(())
    }
}

fn main() {
    let mut chip = Chip([0; 256]);
    chip.0[0xd0] = 0x60;
    let trimming: [i32; 12] = [28485, 26735, 50, 36738, -10635, 3024, 6980, -4, -7, 9900, -10230, 4285];
    for (index, word) in trimming.iter().enumerate() {
        chip.0[0x88 + 2 * index..][..2].copy_from_slice(&(*word as u16).to_le_bytes());
    }
    chip.0[0xa1] = 75;
    chip.0[0xe1..0xe8].copy_from_slice(&[0x6a, 0x01, 0x00, 0x13, 0x24, 0x03, 0x1e]);
    // What stands there while nothing was measured.
    chip.0[0xf7..0xff].copy_from_slice(&[0x80, 0, 0, 0x80, 0, 0, 0x80, 0]);
    let mut sensor = bme280::i2c::BME280::new_primary(chip);
    sensor.init(&mut NoDelay).unwrap();
    let seen = sensor.measure(&mut NoDelay).unwrap();
    println!("{:.1} °C, {:.1} hPa, {:.1} %RH", seen.temperature, seen.pressure / 100.0, seen.humidity);
}
RUST
cargo run --quiet | tee seen
grep -qx '21.8 °C, 697.1 hPa, 71.9 %RH' seen
