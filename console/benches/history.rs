//! What the history costs: `cargo bench -p tracker-console --bench history`.
//!
//! A year of 1,000 containers with a reading an hour is told to the console, as a backend tells it, and opened again; then 1,000
//! readings a second for some minutes; then a million readings are exported as CSV, beside SQLite's own shell (`apt install sqlite3`),
//! which has the same rows in a table. `-- year`, `-- rate` and `-- export` do one of them. Times of the processor are those of this process.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::sync::mpsc;
use tracker_console::backend::{Answer, Backend, BackendError, EnrollmentKind};
use tracker_console::history::{Archive, Exported, History, HistoryOptions};
use tracker_console::ingest::Ingest;
use tracker_console::model::{
    Abilities, DeviceMessage, Fault, FaultWish, Identity, Incoming, Message, MethodAnswer, MethodCall, Mode,
    ProvisioningStatus, Session, TelemetryState, TimeState, TimeWish, TwinPatch, Verification,
};

const DEVICES: u64 = 1000;
const HOURS: u64 = 8760;
const BEGIN: i64 = 1_767_225_600;
const MIB: f64 = 1024.0 * 1024.0;

/// A backend that tells what it is told to tell.
#[derive(Default)]
struct Told {
    sender: Mutex<Option<mpsc::Sender<Incoming>>>,
    now: Mutex<DateTime<Utc>>,
}

fn no<'a, T: Send + 'a>() -> Answer<'a, T> {
    Box::pin(std::future::ready(Err(BackendError::NotPossible("not here".into()))))
}

#[rustfmt::skip]
impl Backend for Told {
    fn session(&self) -> Session {
        Session {
            mode: Mode::Emulator,
            title: String::new(),
            version: String::new(),
            read_only: false,
            hubs: Vec::new(),
            id_scope: None,
            telemetry: TelemetryState { is_available: true, reason: None },
            away: None,
            history_trouble: None,
            can: Abilities::default(),
            history: None,
            time: TimeState { now: *self.now.lock().unwrap(), speed: None, is_paused: false },
        }
    }

    fn subscribe(self: Arc<Self>) -> mpsc::Receiver<Incoming> {
        let (sender, receiver) = mpsc::channel(4);
        *self.sender.lock().unwrap() = Some(sender);
        receiver
    }

    fn devices(&self) -> Answer<'_, Vec<Identity>> { no() }
    fn twin<'a>(&'a self, _: &'a str) -> Answer<'a, Value> { no() }
    fn update_twin<'a>(&'a self, _: &'a str, _: TwinPatch) -> Answer<'a, Value> { no() }
    fn call_method<'a>(&'a self, _: &'a str, _: MethodCall) -> Answer<'a, MethodAnswer> { no() }
    fn send<'a>(&'a self, _: &'a str, _: DeviceMessage) -> Answer<'a, ()> { no() }
    fn set_status<'a>(&'a self, _: &'a str, _: ProvisioningStatus) -> Answer<'a, ()> { no() }
    fn delete_device<'a>(&'a self, _: &'a str) -> Answer<'a, ()> { no() }
    fn deprovision<'a>(&'a self, _: &'a str) -> Answer<'a, ()> { no() }
    fn move_to<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, ()> { no() }
    fn enrollments(&self, _: EnrollmentKind) -> Answer<'_, Vec<Value>> { no() }
    fn set_enrollment<'a>(&'a self, _: EnrollmentKind, _: &'a str, _: ProvisioningStatus) -> Answer<'a, Value> { no() }
    fn delete_enrollment<'a>(&'a self, _: EnrollmentKind, _: &'a str) -> Answer<'a, ()> { no() }
    fn certificates(&self) -> Answer<'_, Vec<Value>> { no() }
    fn registrations<'a>(&'a self, _: Option<&'a str>) -> Answer<'a, Vec<Value>> { no() }
    fn registration<'a>(&'a self, _: &'a str) -> Answer<'a, Option<Value>> { no() }
    fn delete_registration<'a>(&'a self, _: &'a str) -> Answer<'a, ()> { no() }
    fn faults(&self) -> Answer<'_, Vec<Fault>> { no() }
    fn inject(&self, _: FaultWish) -> Answer<'_, u64> { no() }
    fn clear_fault(&self, _: u64) -> Answer<'_, ()> { no() }
    fn set_time(&self, _: TimeWish) -> Answer<'_, ()> { no() }
    fn verify<'a>(&'a self, _: &'a str) -> Answer<'a, Verification> { no() }
}

/// A reading as a tracker sends it: of a voyage that goes round the world.
fn message(device: u64, number: u64, time: DateTime<Utc>) -> Message {
    let n = (number + device * 31) as f64;
    let wave = |period: f64, size: f64| (n / period).sin() * size;
    let body = format!(
        "{{\"temperature\":{:.2},\"humidity\":{:.2},\"pressure\":{:.2},\"location\":{{\"lat\":{:.7},\"lon\":{:.7},\"alt\":{:.1}}},\
         \"speed\":{:.2},\"course\":{:.1},\"fix\":\"gps\",\"satellites\":{},\"hdop\":{:.2},\"time\":\"{}\",\"seq\":{}}}",
        4.0 + wave(3.7, 0.8),
        81.0 + wave(5.3, 6.0),
        1013.0 + wave(21.0, 12.0),
        40.0 * (n / 400.0).sin(),
        (n * 0.31) % 360.0 - 180.0,
        30.0 + wave(7.0, 2.0),
        38.0 + wave(11.0, 3.0),
        271.0 + wave(17.0, 5.0),
        9 + number % 4,
        0.9 + (number % 7) as f64 / 100.0,
        time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        28_000_000_000 + number,
    );
    Message {
        hub: "lab-hub.azure-devices.net".into(),
        device: format!("container-{device:04}"),
        enqueued: time,
        properties: BTreeMap::new(),
        body: body.into(),
    }
}

/// A figure of this process, from a file of `name: value` lines.
fn figure(file: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

/// Seconds that the processor has worked for this process, to a hundredth.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn memory() -> String {
    let mib = |name| figure("/proc/self/status", name) / 1024.0;
    format!("{:.0} MiB resident, {:.0} MiB at the most", mib("VmRSS"), mib("VmHWM"))
}

/// Makes the kernel forget what it has of a file.
fn cool(file: &Path) {
    let file = File::open(file).unwrap();
    file.sync_all().unwrap();
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

async fn tell(told: &Told, sender: &mpsc::Sender<Incoming>, number: u64, time: DateTime<Utc>) {
    *told.now.lock().unwrap() = time;
    let messages = (0..DEVICES).map(|device| message(device, number, time)).collect();
    sender.send(Incoming::Messages(messages)).await.unwrap();
}

async fn year() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = directory.path().join("history.db");
    let told = Arc::new(Told::default());
    let before = processor();
    for hour in 0..HOURS {
        (0..DEVICES).for_each(|device| drop(message(device, hour, DateTime::UNIX_EPOCH)));
    }
    let making = processor() - before;
    let ingest = Ingest::start(told.clone(), History::open(HistoryOptions::kept(&file)));
    let sender = told.sender.lock().unwrap().clone().unwrap();
    let (begin, before) = (Instant::now(), processor());
    for hour in 0..HOURS {
        tell(&told, &sender, hour, DateTime::from_timestamp(BEGIN + hour as i64 * 3600, 0).unwrap()).await;
    }
    drop(sender);
    ingest.stop().await;
    let rows = (DEVICES * HOURS) as f64;
    let (took, worked) = (begin.elapsed().as_secs_f64(), processor() - before - making);
    println!(
        "a year: {:.1} M readings in {took:.0} s, {:.1} µs of processor each; {}",
        rows / 1e6,
        worked * 1e6 / rows,
        memory()
    );
    let size = std::fs::metadata(&file).unwrap().len() as f64;
    println!("  file {:.0} MiB, {:.1} bytes a reading", size / MIB, size / rows);
    drop(ingest);

    cool(&file);
    let begin = Instant::now();
    let history = History::open(HistoryOptions::kept(&file));
    let ingest = Ingest::start(
        Arc::new(Told { now: Mutex::new(*told.now.lock().unwrap()), ..Told::default() }),
        history.clone(),
    );
    let (_, fleet) = ingest.fleet();
    let shown = begin.elapsed();
    println!("  cold file: fleet of {} after {:.1} ms", fleet.devices.len(), shown.as_secs_f64() * 1e3);
    let (from, to) =
        (DateTime::from_timestamp(BEGIN, 0).unwrap(), *told.now.lock().unwrap() + TimeDelta::seconds(1));
    let timed = |what: &str, ask: &dyn Fn() -> usize| {
        let begin = Instant::now();
        let points = ask();
        println!("  {what}: {points} in {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    };
    let fields: Vec<String> = ["temperature", "humidity", "pressure", "speed"].map(str::to_owned).into();
    let count = |device: &str, from, to, points| {
        let series = history.series(device, &fields, from, to, points).unwrap();
        series.fields.values().map(|column| column.t.len()).sum()
    };
    timed("a container's year, 4 fields of 800 points, cold", &|| count("container-0500", from, to, 800));
    timed("the same of another one, every reading", &|| count("container-0501", from, to, 10_000));
    timed("its last three weeks", &|| count("container-0501", to - TimeDelta::days(21), to, 800));
    timed("its way through the year, 2000 points", &|| {
        history.track("container-0501", from, to, 2000).unwrap().points.len()
    });
    timed("tails of all", &|| history.tails(60).unwrap().tails.len());
    timed("the fleet half a year ago", &|| history.fleet_at(from + TimeDelta::days(182)).unwrap().len());
    timed("an export of 1000 readings", &|| {
        history.readings("container-0777", from, to, None, 1000).unwrap().0.len()
    });
    ingest.stop().await;
}

async fn rate(seconds: u64) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let told = Arc::new(Told::default());
    let ingest = Ingest::start(
        told.clone(),
        History::open(HistoryOptions::temporary(directory.path().join("history.db"))),
    );
    let sender = told.sender.lock().unwrap().clone().unwrap();
    let before = processor();
    for number in 0..200 {
        (0..DEVICES).for_each(|device| drop(message(device, number, DateTime::UNIX_EPOCH)));
    }
    let making = (processor() - before) / 200.0;
    // A page looks on.
    let mut version = ingest.version();
    let begin = Instant::now();
    let (before, mut longest) = (processor(), Duration::ZERO);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for number in 0..seconds {
        ticks.tick().await;
        tell(&told, &sender, number, DateTime::from_timestamp(BEGIN + number as i64, 0).unwrap()).await;
        let since = *version.borrow_and_update();
        let asked = Instant::now();
        drop(ingest.delta(since));
        longest = longest.max(asked.elapsed());
    }
    let worked = processor() - before - making * seconds as f64;
    let share = 100.0 * worked / begin.elapsed().as_secs_f64();
    println!(
        "1000 readings a second: {share:.1} % of a processor, a delta within {:.1} ms; {}",
        longest.as_secs_f64() * 1e3,
        memory()
    );
    drop(sender);
    ingest.stop().await;
}

/// Exports a million readings, as other programs do it, and has SQLite's shell export the same rows.
async fn export() {
    const TIMES: usize = 5;
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = |name: &str| directory.path().join(name);
    let told = Arc::new(Told::default());
    let ingest = Ingest::start(told.clone(), History::open(HistoryOptions::kept(at("history.db"))));
    let sender = told.sender.lock().unwrap().clone().unwrap();
    let begin = DateTime::from_timestamp(BEGIN, 0).unwrap();
    for number in 0..1000 {
        tell(&told, &sender, number, begin + TimeDelta::minutes(number as i64)).await;
    }
    drop(sender);
    ingest.stop().await;
    drop(ingest);

    let ours = || {
        let begun = Instant::now();
        let archive = Archive::open(&at("history.db")).unwrap();
        let mut out = File::create(at("ours.csv")).unwrap();
        let (mut text, mut rows) = (Exported::HEADER.to_owned(), 0);
        for kept in archive.devices().unwrap() {
            for piece in archive.readings(&kept, begin, begin + TimeDelta::days(1)) {
                for reading in piece.unwrap() {
                    reading.csv(&mut text);
                    rows += 1;
                }
                if text.len() > 128 * 1024 {
                    std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
                    text.clear();
                }
            }
        }
        std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
        (begun.elapsed().as_secs_f64(), rows)
    };
    let shell = |arguments: &[&str], out: &Path| {
        let begun = Instant::now();
        let output = File::create(out).unwrap();
        let status = Command::new("sqlite3").arg(at("table.db")).args(arguments).stdout(output).status();
        assert!(status.expect("apt install sqlite3").success());
        begun.elapsed().as_secs_f64()
    };
    let (_, rows) = ours();
    // Numbers as numbers, and nothing where there is nothing.
    let names: Vec<&str> = Exported::HEADER.trim_end().split(',').collect();
    let is_text = |name: &str| ["time", "timeUnknown", "place", "door", "fix"].contains(&name);
    let column = |name: &&str| format!("\"{name}\" {}", if is_text(name) { "TEXT" } else { "NUMERIC" });
    let columns: Vec<String> = names.iter().map(column).collect();
    let import = format!(".import --skip 1 {} reading", at("ours.csv").display());
    let empty = names.iter().map(|name| format!("\"{name}\" = nullif(\"{name}\", '')")).collect::<Vec<_>>();
    let create = format!("CREATE TABLE reading ({})", columns.join(", "));
    shell(&["-csv", &create, &import, &format!("UPDATE reading SET {}", empty.join(", "))], &at("log"));
    let select = ["-header", "-csv", "SELECT * FROM reading"];
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TIMES {
        times[0].push(ours().0);
        times[1].push(shell(&select, &at("shell.csv")));
    }
    let is_same = std::fs::read(at("ours.csv")).unwrap() == std::fs::read(at("shell.csv")).unwrap();
    assert!(is_same, "the same rows, byte for byte");
    let [ours, shell] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[TIMES / 2]
    });
    println!(
        "an export of {:.1} M readings as CSV: {ours:.2} s, SQLite's shell {shell:.2} s: {:.2} times its rate",
        f64::from(rows) / 1e6,
        shell / ours
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    if is_wanted("rate") {
        rate(60).await;
    }
    if is_wanted("year") {
        year().await;
    }
    if is_wanted("export") {
        export().await;
    }
}
