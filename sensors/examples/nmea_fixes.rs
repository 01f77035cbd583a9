//! NMEA bytes on standard input, fixes on standard output: one JSON array a line, before any test of
//! plausibility.
//!
//! Columns: time of day, date, latitude, longitude, altitude in m, speed in knots, course in degrees,
//! quality, satellites, HDOP, kinds of sentences, spread of their positions in m, byte offset after the last
//! of them.

use std::io::{self, BufWriter, Read, Write};
use std::time::Duration;

use serde_json::{Value, json};
use tracker_sensors::gps::{Decoder, Event, Fix};

fn main() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut output = BufWriter::new(io::stdout().lock());
    let mut decoder = Decoder::new();
    let mut buffer = [0; 4096];
    loop {
        let length = input.read(&mut buffer)?;
        // All at time zero: a file has no pauses.
        let mut events = decoder.push(&buffer[..length], Duration::ZERO);
        if length == 0 {
            events.extend(decoder.finish());
        }
        for event in events {
            if let Event::Fix(fix) = event {
                writeln!(output, "{}", row(&fix))?;
            }
        }
        if length == 0 {
            return output.flush();
        }
    }
}

fn row(fix: &Fix) -> Value {
    json!([
        fix.time.format("%H:%M:%S%.3f").to_string(),
        fix.date.map(|date| date.to_string()),
        rounded(fix.position.latitude, 8),
        rounded(fix.position.longitude, 8),
        fix.altitude_m,
        fix.speed_kn,
        fix.course_deg,
        fix.quality,
        fix.satellites,
        fix.hdop,
        fix.source(),
        rounded(fix.spread_m, 1),
        fix.end,
    ])
}

/// Rounds as printing does: by the exact value, not by a product that has been rounded itself.
fn rounded(value: f64, decimals: usize) -> f64 {
    format!("{value:.decimals$}").parse().unwrap_or(value)
}
