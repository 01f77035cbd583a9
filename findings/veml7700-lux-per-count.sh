#!/usr/bin/env bash
# Two drivers for one light sensor disagree by a sixth.
#
# The Vishay VEML7700 is driven by the crates veml6030 1.0.0 (which names it among its parts) and veml7700 0.3.2. Up to 2023
# Vishay's datasheet 84286 gave 0.0036 lx a count at gain 2 and 800 ms; since revision 1.7 (November 2023) it gives 0.0042, and
# the change notice PIN-OPT-7462-2024 calls the old number wrongly stated: the chip is the same. veml6030 has the old number,
# veml7700 the new one.
#
# Seen: "gain 2, 800 ms, 10000 counts: veml6030 36.0 lx, veml7700 42.0 lx".
#
# What follows for a tracker: lx come from the raw counts and the current datasheet, whatever the crate says.
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
fn main() {
    let counts = 10_000;
    let old = veml6030::convert_raw_als_to_lux(veml6030::IntegrationTime::Ms800, veml6030::Gain::Two, counts);
    let new = veml7700::convert_raw_als_to_lux(veml7700::IntegrationTime::_800ms, veml7700::Gain::Two, counts);
    println!("gain 2, 800 ms, {counts} counts: veml6030 {old:.1} lx, veml7700 {new:.1} lx");
}
RUST
cargo run --quiet | tee seen
grep -qx 'gain 2, 800 ms, 10000 counts: veml6030 36.0 lx, veml7700 42.0 lx' seen
