#!/usr/bin/env bash
# Two drivers for one light sensor disagree by a sixth, and one of them is off by more in bright light.
#
# The Vishay VEML7700 is driven by the crates veml6030 1.0.0 (which names it among its parts) and veml7700 0.3.2. Up to 2023
# Vishay's datasheet 84286 gave 0.0036 lx a count at gain 2 and 800 ms, since revision 1.7 (November 2023) it gives 0.0042;
# the chip is the same. veml6030 has the old number, veml7700 the new one, so that the same 10,000 counts are 36 lx or 42 lx.
# The correction for bright light (application note 84323, a polynomial of the fourth degree) is exact in veml6030 and made of
# approximate powers in veml7700.
#
# Seen: "gain 2, 800 ms, 10000 counts: veml6030 36.0 lx, veml7700 42.0 lx", and the bright line below.
#
# What follows for a tracker: lx come from the raw counts and the current datasheet, never from the crate.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cargo init --quiet --name finding --vcs none .
cat >>Cargo.toml <<'TOML'
veml6030 = "=1.0.0"
veml7700 = "=0.3.2"
TOML
cat >src/main.rs <<'RUST'
fn polynomial(lux: f64) -> f64 {
    ((6.0135e-13 * lux - 9.3924e-9) * lux + 8.1488e-5) * lux * lux + 1.0023 * lux
}

fn main() {
    let counts = 10_000;
    let dim = (
        veml6030::convert_raw_als_to_lux(veml6030::IntegrationTime::Ms800, veml6030::Gain::Two, counts),
        veml7700::convert_raw_als_to_lux(veml7700::IntegrationTime::_800ms, veml7700::Gain::Two, counts),
    );
    println!("gain 2, 800 ms, {counts} counts: veml6030 {:.1} lx, veml7700 {:.1} lx", dim.0, dim.1);
    let bright = (
        veml6030::convert_raw_als_to_lux(veml6030::IntegrationTime::Ms100, veml6030::Gain::OneEighth, counts),
        veml7700::convert_raw_als_to_lux(veml7700::IntegrationTime::_100ms, veml7700::Gain::OneEighth, counts),
    );
    let exact = (polynomial(10_000.0 * 0.4608), polynomial(10_000.0 * 0.5376));
    println!(
        "gain 1/8, 100 ms, {counts} counts: veml6030 {:.1} % off its own polynomial, veml7700 {:.1} %",
        (f64::from(bright.0) / exact.0 - 1.0) * 100.0,
        (f64::from(bright.1) / exact.1 - 1.0) * 100.0
    );
}
RUST
cargo run --quiet | tee seen
grep -qx 'gain 2, 800 ms, 10000 counts: veml6030 36.0 lx, veml7700 42.0 lx' seen
