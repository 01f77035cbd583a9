//! What a tracker costs that measures once a second and is connected: processor time and memory.
//!
//! `cargo bench --profile firmware --bench steady`: built as it is flashed. The tracker is a process of its own with the
//! runtime that `run` has: the receiver's bytes come at 9600 baud through a pseudo-terminal, the chip is emulated at its
//! registers and the driver sleeps as on the bus, readings go to the journal's file and over TLS to the emulator in this
//! process.

#![cfg_attr(not(target_os = "linux"), allow(unused))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::unnecessary_debug_formatting
)]

#[cfg(target_os = "linux")]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
fn main() {
    match std::env::var(linux::TRACKER) {
        Ok(port) => linux::tracker(port.as_ref()),
        Err(_) => linux::bench(),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this benchmark reads /proc and needs Linux");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::Path;
    use std::process::{Child, Command};
    use std::sync::Arc;
    use std::thread::{self, sleep};
    use std::time::Duration;

    use container_tracker::clock::SystemClock;
    use container_tracker::config::Config;
    use container_tracker::event::Events;
    use container_tracker::lab::Cloud;
    use container_tracker::timing::Timing;
    use container_tracker::tracker::Tracker;
    use embedded_hal::delay::DelayNs;
    use serde_json::Value;
    use tokio::time::Instant;
    use tracker_sensors::bme280::{EnvironmentSensor, Settings};
    use tracker_sensors::gps::{PlausibilitySettings, Receiver, ReceiverSettings, SerialSource};
    use tracker_sensors::simulated::Bme280Chip;

    use super::support::agent::mild_chip;
    use super::support::pseudo_terminal;

    /// Tells the program to be the tracker, with the receiver at this port.
    pub(super) const TRACKER: &str = "STEADY_TRACKER";
    const CONFIG: &str = "STEADY_CONFIG";
    const READINGS: u64 = 60;
    const LOG: &[u8] = include_bytes!("../sensors/tests/data/nmea/logs/quectel-l76k-nmea.nmea");
    const EPOCHS: &str = include_str!("../sensors/tests/data/nmea/expected/quectel-l76k-nmea.json");
    /// What a UART hands on at a time, and how long that takes to arrive at 9600 baud.
    const CHUNK: usize = 16;
    const CHUNK_TIME: Duration = Duration::from_micros(16_667);

    pub(super) fn bench() {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let cloud = runtime.block_on(Cloud::start(directory.path(), 1)).unwrap();
        let config = cloud.device("sensor-thl-001").unwrap();
        let file = directory.path().join("tracker.toml");
        fs::write(&file, toml(&config)).unwrap();
        let (receiver, port) = pseudo_terminal();
        thread::spawn(move || send(receiver));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(TRACKER, port)
            .env(CONFIG, &file)
            .spawn()
            .unwrap();
        let acknowledged = || cloud.hub.counters("sensor-thl-001").map_or(0, |counters| counters.received);
        let wait = |count| {
            while acknowledged() < count {
                assert!(child_lives(&child), "the tracker has ended");
                sleep(Duration::from_millis(50));
            }
        };
        wait(10);
        let (from, before) = (acknowledged(), processor_time(&child));
        wait(from + READINGS);
        let readings = (acknowledged() - from) as f64;
        let after = processor_time(&child);
        println!("one reading a second, sensors included, connected:");
        println!(
            "  processor time of a thousand readings: {:.2} s",
            (after.0 - before.0) * 1000.0 / readings
        );
        let wakes = (after.1 - before.1) / readings;
        println!("  wakes a reading: {wakes:.1}");
        let nothing = wake_that_does_nothing();
        println!(
            "  a wake that does nothing takes this machine {:.0} µs: {:.2} s of the above",
            nothing * 1e6,
            nothing * wakes * 1000.0
        );
        println!("  resident memory: {} KB", resident(&child));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The tracker.
    pub(super) fn tracker(port: &Path) {
        let config = Config::load(std::env::var(CONFIG).unwrap().as_ref()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let chip = mild_chip();
            let delay = Sleep(chip.clone());
            let plausibility = PlausibilitySettings { build_date: None, time_scale: 1.0 };
            let settings = ReceiverSettings::new(plausibility, Instant::now());
            let tracker = Tracker {
                config,
                environment: Some(EnvironmentSensor::new(chip, delay, Settings::default())),
                gps: Some(Receiver::new(SerialSource::new(port, 9600), settings)),
                clock: Arc::new(SystemClock::new(true)),
                events: Events::log("steady"),
                first_wait: Duration::ZERO,
                timing: Timing::default(),
            };
            tracker.run(std::future::pending()).await.unwrap();
        });
    }

    /// Time passes for the chip and for the driver.
    struct Sleep(Bme280Chip);

    impl DelayNs for Sleep {
        fn delay_ns(&mut self, ns: u32) {
            sleep(Duration::from_nanos(ns.into()));
            self.0.delay().delay_ns(ns);
        }
    }

    /// A burst a second, for ever.
    fn send(mut receiver: File) {
        let expected: Value = serde_json::from_str(EPOCHS).unwrap();
        let ends = expected["fixes"].as_array().unwrap().iter().map(|fix| fix[12].as_u64().unwrap() as usize);
        let mut due = Instant::now();
        let mut sent = 0;
        for end in ends.cycle() {
            if end < sent {
                sent = 0;
            }
            for chunk in LOG[sent..end].chunks(CHUNK) {
                if receiver.write_all(chunk).is_err() {
                    return;
                }
                sleep(CHUNK_TIME);
            }
            sent = end;
            due += Duration::from_secs(1);
            sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn toml(config: &Config) -> String {
        format!(
            "[dps]\nid_scope = {:?}\n[identity]\ncertificate = {:?}\nkey = {:?}\n[connection]\nroots = {:?}\n\
             gateway = {:?}\n[clock]\ntrust_system = true\n[state]\ndirectory = {:?}\n",
            config.dps.id_scope,
            config.identity.certificate,
            config.identity.key,
            config.connection.roots.as_ref().unwrap(),
            config.connection.gateway.as_ref().unwrap(),
            config.state.directory
        )
    }

    fn child_lives(child: &Child) -> bool {
        Path::new(&format!("/proc/{}/fd", child.id())).read_dir().is_ok_and(|mut open| open.next().is_some())
    }

    /// Processor time of a thread's waking up, in seconds: what idleness costs differs more between machines than work.
    fn wake_that_does_nothing() -> f64 {
        const TIMES: u32 = 100;
        let ran = || {
            let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            stat.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
        };
        let before = ran();
        (0..TIMES).for_each(|_| sleep(Duration::from_millis(50)));
        (ran() - before) / f64::from(TIMES)
    }

    /// Seconds that all threads have run, and how often.
    fn processor_time(child: &Child) -> (f64, f64) {
        let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
        tasks.fold((0.0, 0.0), |(seconds, wakes), task| {
            let stat = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
            let mut fields = stat.split_whitespace().map(|field| field.parse::<f64>().unwrap());
            let ran = fields.next().unwrap_or_default() / 1e9;
            (seconds + ran, wakes + fields.nth(1).unwrap_or_default())
        })
    }

    fn resident(child: &Child) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}
