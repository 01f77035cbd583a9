//! What a tracker costs that measures once a second and is connected: processor time and memory.
//!
//! `cargo bench --profile firmware --bench steady`: built as it is flashed. With `-- instructions` it counts instructions
//! instead of time, which are the same on a busy machine (needs valgrind), also of a tracker that has alarms, fences and a chain
//! of evidence; with `-- drain` a backlog is sent instead, message by message. The tracker is a process of its own with the
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
        Err(_) if std::env::args().any(|argument| argument == "instructions") => linux::count_instructions(),
        Err(_) if std::env::args().any(|argument| argument == "drain") => linux::drain(),
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

    use container_tracker::config::Config;
    use container_tracker::event::Events;
    use container_tracker::instruments::bme280::Bme280;
    use container_tracker::instruments::gps::Gps;
    use container_tracker::instruments::instrument::Instrument;
    use container_tracker::lab::Cloud;
    use container_tracker::link::timing::Timing;
    use container_tracker::platform::clock::SystemClock;
    use container_tracker::tracker::Tracker;
    use embedded_hal::delay::DelayNs;
    use serde_json::{Value, json};
    use tokio::time::Instant;
    use tracker_sensors::bme280::{EnvironmentSensor, RawReading, Settings};
    use tracker_sensors::gps::{PlausibilitySettings, Receiver, ReceiverSettings, SerialSource};
    use tracker_sensors::simulated::{Air, Bme280Chip, published_calibration};

    use super::support::journal::fill;
    use super::support::pseudo_terminal;

    /// Tells the program to be the tracker, with the receiver at this port.
    pub(super) const TRACKER: &str = "STEADY_TRACKER";
    const CONFIG: &str = "STEADY_CONFIG";
    /// Tells the tracker to have no chip.
    const ALONE: &str = "STEADY_RECEIVER_ALONE";
    /// Where callgrind's dumps are kept, for `callgrind_annotate`.
    const DUMPS: &str = "STEADY_DUMPS";
    /// Tells it to send a backlog, and to measure nothing.
    const DRAIN: &str = "STEADY_DRAIN";
    const DEVICE: &str = "sensor-thl-001";
    const BACKLOG: u64 = 100_000;
    const READINGS: u64 = 60;
    const LOG: &[u8] = include_bytes!("../sensors/tests/data/nmea/logs/quectel-l76k-nmea.nmea");
    const EPOCHS: &str = include_str!("../sensors/tests/data/nmea/expected/quectel-l76k-nmea.json");
    /// What a UART hands on at a time, and how long that takes to arrive at 9600 baud.
    const CHUNK: usize = 16;
    const CHUNK_TIME: Duration = Duration::from_micros(16_667);

    pub(super) fn bench() {
        let running = Running::start(Command::new(std::env::current_exe().unwrap()));
        let (before, slept_before) = (running.processor_time(), running.slept());
        let readings = running.let_read();
        let (after, slept_after) = (running.processor_time(), running.slept());
        println!("one reading a second, sensors included, connected:");
        println!(
            "  processor time of a thousand readings: {:.2} s",
            (after.0 - before.0) * 1000.0 / readings
        );
        let wakes = (after.1 - before.1) / readings;
        println!("  wakes a reading, with being preempted: {wakes:.1}");
        for ((thread, slept), (_, before)) in slept_after.iter().zip(&slept_before) {
            println!("    of which {thread:<8} slept and was woken: {:.2}", (slept - before) / readings);
        }
        let nothing = wake_that_does_nothing();
        println!(
            "  a wake that does nothing takes this machine {:.0} µs: {:.2} s of the above",
            nothing * 1e6,
            nothing * wakes * 1000.0
        );
        let memory = |names: &[&str]| running.memory(names);
        println!("  resident memory: {} KB", memory(&["Rss:"]));
        let (dirty, unique) = (memory(&["Private_Dirty:"]), memory(&["Private_Dirty:", "Private_Clean:"]));
        println!(
            "  nobody else's: {unique} KB, written to: {dirty} KB (its code is also that of this benchmark)"
        );
    }

    /// What it costs to send what has gathered, message by message, and be told of each that it has arrived.
    pub(super) fn drain() {
        let running = Running::start(Command::new(std::env::current_exe().unwrap()).env(DRAIN, "1"));
        let (before, slept_before, sent) =
            (running.processor_time(), running.slept(), running.acknowledged());
        running.wait(BACKLOG * 9 / 10);
        let sent = (running.acknowledged() - sent) as f64;
        let (after, slept_after) = (running.processor_time(), running.slept());
        println!("a backlog, a message a reading:");
        println!("  processor time of a thousand messages: {:.3} s", (after.0 - before.0) * 1000.0 / sent);
        for ((thread, slept), (_, before)) in slept_after.iter().zip(&slept_before) {
            println!("  {thread:<8} slept and was woken a message: {:.3}", (slept - before) / sent);
        }
    }

    /// Counts what the tracker's own code does; the kernel's part is not seen.
    pub(super) fn count_instructions() {
        println!("one reading a second, connected, instructions a reading in user space:");
        println!("  receiver and emulated chip: {:.0}", instructions(false, None));
        println!("  receiver alone: {:.0}", instructions(true, None));
        println!("  with 4 alarms, 10 fences, evidence: {:.0}", instructions(false, Some(watched())));
    }

    /// Desired properties of a tracker that has all to do: alarms, fences around the log's position and beside it, a chain.
    fn watched() -> Value {
        let fence = |number: u32| {
            let (west, south) = (f64::from(number) / 10.0 - 122.9, f64::from(number % 3) / 10.0 + 47.4);
            let (east, north) = (west + 0.3, south + 0.2);
            json!({
                "type": "Feature",
                "properties": {"name": format!("Terminal {number}")},
                "geometry": {"type": "Polygon", "coordinates": [
                    [[west, south], [east, south], [east + 0.1, south + 0.1], [east, north], [west, north], [west, south]]
                ]},
            })
        };
        json!({
            "alarms": {
                "profile": "gouda",
                "bounds": {"damp": {"field": "humidity", "warning": {"high": 95, "delay": 3600}, "hysteresis": 2}},
                "sensorFailed": true,
                "gpsGone": true,
            },
            "geofences": (0..10).map(fence).collect::<Vec<_>>(),
            "evidence": true,
        })
    }

    fn instructions(alone: bool, desired: Option<Value>) -> f64 {
        let directory = tempfile::tempdir().unwrap();
        let counts = directory.path().join("counts");
        let mut command = Command::new("valgrind");
        command
            .args(["--quiet", "--tool=callgrind"])
            .arg(format!("--callgrind-out-file={}", counts.display()))
            .arg(std::env::current_exe().unwrap());
        if alone {
            command.env(ALONE, "1");
        }
        let running = Running::start(command);
        if let Some(desired) = &desired {
            running.cloud.hub.update_twin_desired(DEVICE, desired.clone()).unwrap();
            // Until the chain is signed for the first time; from then on it is once a day.
            running.wait(running.acknowledged() + 80);
        }
        let control = |what: &str| {
            let mut command = Command::new("callgrind_control");
            let done = command.args([what, &running.child.id().to_string()]).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        control("--zero");
        let readings = running.let_read();
        control("--dump");
        // The first dump has this name.
        let dump = counts.with_extension("1");
        if let Some(kept) = std::env::var_os(DUMPS) {
            let name = match (alone, desired) {
                (true, _) => "receiver-alone.callgrind",
                (false, None) => "receiver-and-chip.callgrind",
                (false, Some(_)) => "watched.callgrind",
            };
            fs::copy(&dump, Path::new(&kept).join(name)).unwrap();
        }
        let dump = fs::read_to_string(dump).unwrap();
        let total = dump.lines().find_map(|line| line.strip_prefix("totals: ")).unwrap();
        let total: f64 = total.trim().parse().unwrap();
        total / readings
    }

    /// A tracker at work, and its cloud.
    struct Running {
        cloud: Cloud,
        child: Child,
        _runtime: tokio::runtime::Runtime,
        _directory: tempfile::TempDir,
    }

    impl Running {
        /// Starts the tracker by this command, and waits until it has settled.
        fn start(command: impl std::borrow::BorrowMut<Command>) -> Self {
            let mut command = command;
            let command = command.borrow_mut();
            let directory = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            let cloud = runtime.block_on(Cloud::start(directory.path(), 1)).unwrap();
            let config = cloud.device(DEVICE).unwrap();
            let file = directory.path().join("tracker.toml");
            fs::write(&file, toml(&config)).unwrap();
            let (receiver, port) = pseudo_terminal();
            thread::spawn(move || send(receiver));
            let child = command.env(TRACKER, port).env(CONFIG, &file).spawn();
            let child = child.unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
            let running = Self { cloud, child, _runtime: runtime, _directory: directory };
            running.wait(10);
            running
        }

        fn acknowledged(&self) -> u64 {
            self.cloud.hub.counters(DEVICE).map_or(0, |counters| counters.received)
        }

        fn wait(&self, count: u64) {
            while self.acknowledged() < count {
                assert!(child_lives(&self.child), "the tracker has ended");
                sleep(Duration::from_millis(50));
            }
        }

        /// Lets it take some readings, and says how many.
        fn let_read(&self) -> f64 {
            let from = self.acknowledged();
            self.wait(from + READINGS);
            (self.acknowledged() - from) as f64
        }

        /// Seconds that all threads have run, and how often.
        fn processor_time(&self) -> (f64, f64) {
            let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
            tasks.fold((0.0, 0.0), |(seconds, wakes), task| {
                let stat = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
                let mut fields = stat.split_whitespace().map(|field| field.parse::<f64>().unwrap());
                let ran = fields.next().unwrap_or_default() / 1e9;
                (seconds + ran, wakes + fields.nth(1).unwrap_or_default())
            })
        }

        /// How often each thread has slept, by its name.
        fn slept(&self) -> Vec<(String, f64)> {
            let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
            let of = |status: &str, name: &str| {
                status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
            };
            let mut all: Vec<_> = tasks
                .filter_map(|task| {
                    let status = fs::read_to_string(task.unwrap().path().join("status")).ok()?;
                    let slept = of(&status, "voluntary_ctxt_switches:")?.parse().ok()?;
                    Some((of(&status, "Name:")?, slept))
                })
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        }

        /// The sum of these of its sizes, in KiB.
        fn memory(&self, names: &[&str]) -> u64 {
            let sizes = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
            let wanted = sizes.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
            wanted.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum()
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = (self.child.kill(), self.child.wait());
        }
    }

    /// The tracker.
    pub(super) fn tracker(port: &Path) {
        let config = Config::load(std::env::var(CONFIG).unwrap().as_ref()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // As `run` does.
            tracker_timers::use_the_kernel().unwrap();
            let draining = std::env::var_os(DRAIN).is_some();
            if draining {
                fill(&config, BACKLOG).await;
            }
            let plausibility = PlausibilitySettings { build_date: None, time_scale: 1.0 };
            let settings = ReceiverSettings::new(plausibility, Instant::now());
            let receiver = Receiver::new(SerialSource::new(port, 9600), settings);
            let mut instruments: Vec<Box<dyn Instrument>> = vec![Box::new(Gps::new(receiver))];
            if draining {
                instruments.clear();
            } else if std::env::var_os(ALONE).is_none() {
                let chip = Bme280Chip::new(0x76, published_calibration());
                let sensor = EnvironmentSensor::new(chip.clone(), Sleep::new(chip), Settings::default());
                instruments.insert(0, Box::new(Bme280::new(sensor)));
            }
            let tracker = Tracker {
                config,
                instruments,
                clock: Arc::new(SystemClock::new(true)),
                events: Events::log("steady"),
                first_wait: Duration::ZERO,
                timing: Timing::default(),
            };
            tracker.run(std::future::pending()).await.unwrap();
        });
    }

    /// Time passes for the chip and for the driver. The air stands still but for noise in the last bits; the counts for it are
    /// looked up once, as that would cost more than driver and bus together.
    struct Sleep {
        chip: Bme280Chip,
        counts: RawReading,
        noise: u32,
    }

    impl Sleep {
        fn new(chip: Bme280Chip) -> Self {
            let air = Air { temperature_c: 4.0, pressure_hpa: 1013.0, humidity_rh: 80.0 };
            Self { chip, counts: air.to_raw(&published_calibration()), noise: 0 }
        }
    }

    impl DelayNs for Sleep {
        fn delay_ns(&mut self, ns: u32) {
            sleep(Duration::from_nanos(ns.into()));
            self.noise = (self.noise + 1) % 8;
            self.chip
                .set_raw(RawReading { temperature: self.counts.temperature + self.noise, ..self.counts });
            self.chip.delay().delay_ns(ns);
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
             gateway = \"{}\"\n[clock]\ntrust_system = true\n[delivery]\nbatch_backlog = false\n[state]\ndirectory = {:?}\n",
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
}
