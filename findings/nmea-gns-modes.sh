#!/usr/bin/env bash
# A GNS sentence of a receiver with three or more satellite systems is refused by the crate nmea 0.8.0.
#
# NMEA 0183 gives GNS one mode letter for each satellite system, as many as the receiver has: `A`, `AA`, and with Galileo and
# BeiDou `AAA` or `AAAA`, which today's receivers send. The crate reads one or two; with three the whole sentence, position and
# time included, is an error.
#
# Seen: "AN: read", "ANN: refused", "AAAA: refused".
#
# What follows for a tracker: positions are not taken from GNS by this crate; RMC and GGA carry them as well.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cargo init --quiet --name finding --vcs none .
echo 'nmea = "=0.8.0"' >>Cargo.toml
cat >src/main.rs <<'RUST'
fn main() {
    for modes in ["AN", "ANN", "AAAA"] {
        let body = format!("GNGNS,093021.00,5157.5988,N,00402.9012,E,{modes},11,0.9,4.1,45.6,,");
        let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        let seen = nmea::parse_str(&format!("${body}*{checksum:02X}\r\n")).map_or("refused", |_| "read");
        println!("{modes}: {seen}");
    }
}
RUST
cargo run --quiet | tee seen
diff seen - <<'SEEN'
AN: read
ANN: refused
AAAA: refused
SEEN
