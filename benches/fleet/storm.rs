//! All connections are cut in one moment: how soon everybody is back, beside resumed handshakes with nothing else to do.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::{Apart, quantile};

/// As many as the hub's storm of the documents has, where files allow it.
const MOST: usize = 15_000;
/// Files beside connections, of either program.
const BESIDE: usize = 500;

/// What has come of it.
pub(crate) struct Storm {
    devices: usize,
    /// Milliseconds of each device from the cut until it was online again, in order.
    back: Vec<f64>,
}

/// Plays it by `load`, in a process of its own.
pub(crate) fn storm() -> Storm {
    let emulator = Apart::start();
    let devices = MOST.min(files().saturating_sub(BESIDE));
    println!("\n{devices} devices are cut off in one moment");
    let summary = emulator.directory.path().join("storm.json");
    let played = Command::new(env!("CARGO_BIN_EXE_container-tracker"))
        .args(["load", "--json", "--profile", "reconnect-storm", "--interval", "5", "--duration", "10"])
        .args(["--source", "127.0.0.0/29", "--devices", &devices.to_string()])
        .arg("--emulator")
        .arg(emulator.directory.path())
        .arg("--summary")
        .arg(&summary)
        .output()
        .unwrap();
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stdout));
    let summary: Value = serde_json::from_slice(&fs::read(summary).unwrap()).unwrap();
    let buckets = summary["latencies"]["recovery"].as_array().unwrap();
    let back = buckets.iter().flat_map(|bucket| {
        let (us, count) = (bucket[0].as_f64().unwrap(), bucket[1].as_u64().unwrap());
        std::iter::repeat_n(us / 1e3, count as usize)
    });
    Storm { devices, back: back.collect() }
}

impl Storm {
    /// Beside so many resumed handshakes a second.
    pub(crate) fn beside(&self, handshakes: f64) {
        assert_eq!(self.back.len(), self.devices, "all are back");
        let [half, most, all] = [0.5, 0.99, 1.0].map(|part| quantile(&self.back, part));
        let rate = self.devices as f64 * 1e3 / all;
        println!(
            "  all are back after {:.1} s: {rate:.0} a second of {handshakes:.0} resumed handshakes, {:.2}; p50 {half:.0} ms, p99 \
             {most:.0} ms: {:.2} times",
            all / 1e3,
            rate / handshakes,
            most / half
        );
    }
}

/// How many files a program may open.
fn files() -> usize {
    let text = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    let hard = line.split_whitespace().nth(1).and_then(|number| number.parse().ok());
    hard.unwrap_or(MOST)
}
