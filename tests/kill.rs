//! `kill -9` at random moments, again and again, against the real program with a backlog: nothing that was taken is
//! lost, no number comes twice, and the journal opens every time.
//!
//! What was taken is what the journal's file and the waiting room have when the program is dead; that this is all that was
//! appended is seen at a journal in a process that tells of each reading when it has appended it.
//!
//! The network goes with the program: what is on its way to the hub is lost, too.
//!
//! A few kills in the everyday run; `KILLS=200 cargo test --test kill` for a good look.

#![cfg(all(feature = "lab", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::event::{Event, Events};
use container_tracker::journal::{Entry, Journal, JournalOptions, readings_waiting, waiting_rooms};
use container_tracker::lab::{Cloud, readings};
use container_tracker::platform::clock::{Clock, SystemClock};
use container_tracker::reading::{Reading, Stamp};
use serde_json::{Value, json};
use support::agent::PATIENCE;
use support::journal::prefill;
use support::proxy::{Proxy, Weather};
use tokio::time::{sleep, timeout};

const DEVICE: &str = "sensor-thl-001";
/// Readings that wait when the program is killed at delivering them.
const BACKLOG: u64 = 4000;
/// What is on its way to the hub when the program is killed is lost as well.
const USUAL: Weather =
    Weather::Slow { latency: Duration::from_millis(20), stall_every: 0, stall: Duration::ZERO };

/// Where the program has its waiting room.
fn runtime(directory: &Path) -> PathBuf {
    directory.join("run")
}

/// The program at work, as a process of its own.
fn spawn(config: &Config, gateway_port: u16, directory: &Path) -> Child {
    let show = |path: &Path| path.display().to_string();
    let text = format!(
        "[dps]\nid_scope = \"{}\"\n[identity]\ncertificate = \"{}\"\nkey = \"{}\"\n\
         [connection]\nroots = \"{}\"\ngateway = \"localhost:{gateway_port}\"\n\
         [telemetry]\ninterval = 1\n[state]\ndirectory = \"{}\"\n",
        config.dps.id_scope,
        show(&config.identity.certificate),
        config.identity.key,
        show(config.connection.roots.as_deref().unwrap()),
        show(&config.state.directory),
    );
    let path = directory.join("tracker.toml");
    File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_container-tracker"))
        .args(["simulate", "--devices", "1", "--speed", "0.001", "--json", "--config"])
        .arg(&path)
        .env("RUNTIME_DIRECTORY", runtime(directory))
        .stdout(File::options().create(true).append(true).open(directory.join("story")).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the hub has, by number.
type Received = Mutex<BTreeMap<u64, Value>>;

/// What a life of the program is about to be cut off in.
#[derive(Clone, Copy, PartialEq)]
enum Life {
    /// There is no network, so that readings gather.
    Offline,
    /// Without a network, too, until a reading waits for a commit that it shares.
    Waiting,
    /// It lives long enough to deliver, and to delete what is acknowledged.
    Online,
    /// A large backlog is on its way to the hub.
    Draining,
}

impl Life {
    fn of(kill: u32) -> Self {
        match kill % 8 {
            3 => Self::Online,
            5 => Self::Waiting,
            7 => Self::Draining,
            _ => Self::Offline,
        }
    }

    fn is_offline(self) -> bool {
        matches!(self, Self::Offline | Self::Waiting)
    }

    /// Lets the program live for a while.
    async fn pass(self, received: &Received, before: usize, waits: impl Fn() -> bool) {
        let longest = match self {
            Self::Offline => 1500,
            Self::Waiting => {
                a_while(&waits).await;
                400
            }
            Self::Online => 5000,
            Self::Draining => {
                more_than(received, before).await;
                400
            }
        };
        sleep(Duration::from_millis(rand::random_range(0..longest))).await;
    }
}

/// Waits until something is so for longer than a commit takes that is shared with nobody.
async fn a_while(is_so: impl Fn() -> bool) {
    timeout(PATIENCE, async {
        loop {
            sleep(Duration::from_millis(5)).await;
            if is_so() {
                sleep(Duration::from_millis(200)).await;
                if is_so() {
                    break;
                }
            }
        }
    })
    .await
    .expect("readings share commits");
}

/// Waits until the hub has more than so many readings.
async fn more_than(received: &Received, before: usize) {
    timeout(PATIENCE, async {
        while received.lock().unwrap().len() <= before {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it delivers");
}

/// The numbers in the journal's file, with what was taken under them; the file itself is not touched.
fn durable(state: &Path, copy: &Path) -> BTreeMap<u64, Value> {
    let name = |suffix: &str| -> PathBuf { format!("journal.db{suffix}").into() };
    for suffix in ["", "-wal"] {
        let _ = fs::remove_file(copy.join(name(suffix)));
        let _ = fs::copy(state.join(name(suffix)), copy.join(name(suffix)));
    }
    let connection = rusqlite::Connection::open(copy.join("journal.db")).unwrap();
    let Ok(mut query) = connection.prepare("SELECT seq, payload FROM reading") else {
        // Killed before there was a journal.
        return BTreeMap::new();
    };
    let rows = query.query_map([], |row| {
        let payload: Vec<u8> = row.get(1)?;
        Ok((row.get::<_, u64>(0)?, serde_json::from_slice::<Value>(&payload).unwrap()["f"].take()))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// The readings in the waiting room that have a number, with what was taken under them.
fn waiting(state: &Path, runtime: &Path) -> BTreeMap<u64, Value> {
    let elsewhere =
        waiting_rooms(state).into_iter().find(|path| path.extension().is_some_and(|is| is == "room"));
    let room = runtime.join(elsewhere.unwrap().file_name().unwrap());
    let numbered =
        readings_waiting(&room, state).unwrap().into_iter().filter(|(seq, _)| (1..1 << 62).contains(seq));
    numbered
        .map(|(seq, payload)| (seq, serde_json::from_slice::<Value>(&payload).unwrap()["f"].take()))
        .collect()
}

/// Adds these to what was taken, and says how many they are.
fn note(taken: &mut BTreeMap<u64, Value>, there: BTreeMap<u64, Value>) -> usize {
    let count = there.len();
    for (seq, fields) in there {
        let before = taken.insert(seq, fields.clone());
        assert!(before.is_none_or(|before| before == fields), "two readings have the number {seq}");
    }
    count
}

/// Names of journals that could not be used.
fn set_aside(state: &Path) -> Vec<String> {
    let names = fs::read_dir(state).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".bad")).collect()
}

/// Waits until the hub has `seqs`.
async fn arrived(received: &Received, seqs: &BTreeSet<u64>) {
    let all_there = async {
        while !seqs.iter().all(|seq| received.lock().unwrap().contains_key(seq)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(PATIENCE, all_there).await.is_err() {
        let there = received.lock().unwrap();
        let lost: Vec<&u64> = seqs.iter().filter(|seq| !there.contains_key(seq)).collect();
        panic!("{} of {} readings are lost: {lost:?}", lost.len(), seqs.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_and_repeats_no_number() {
    let kills = kills();
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    let proxy = Proxy::start(cloud.emulator.address()).await;

    let received = Arc::new(Received::default());
    let mut telemetry = cloud.hub.telemetry();
    let heard = received.clone();
    let listener = tokio::spawn(async move {
        while let Ok(message) = telemetry.next().await {
            for reading in readings(&message) {
                let seq = reading["seq"].as_u64().unwrap();
                if let Some(before) = heard.lock().unwrap().insert(seq, reading.clone()) {
                    assert_eq!(before, reading, "two readings have the number {seq}");
                }
            }
        }
    });

    let run = runtime(directory.path());
    fs::create_dir(&run).unwrap();
    // Assigned once, later lives connect at once.
    let mut process = spawn(&config, proxy.port(), directory.path());
    more_than(&received, 0).await;
    process.kill().unwrap();
    process.wait().unwrap();

    let copy = directory.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let state = config.state.directory.clone();
    let mut taken: BTreeMap<u64, Value> = BTreeMap::new();
    let (mut most, mut filled, mut cut, mut waited) = (0, 0, 0, 0);
    for kill in 0..kills {
        let life = Life::of(kill);
        if life == Life::Draining {
            prefill(&state, filled..filled + BACKLOG).await;
            filled += BACKLOG;
            most = most.max(note(&mut taken, durable(&state, &copy)));
        }
        let before = received.lock().unwrap().len();
        proxy.set(if life.is_offline() { Weather::Refuse } else { USUAL });
        let mut process = spawn(&config, proxy.port(), directory.path());
        life.pass(&received, before, || !waiting(&state, &run).is_empty()).await;
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself: {}", story(directory.path()));
        proxy.set(Weather::BlackHole);
        process.kill().unwrap();
        process.wait().unwrap();
        // Every connection has noticed.
        sleep(Duration::from_millis(5)).await;
        proxy.set(Weather::Fair);
        let left = note(&mut taken, durable(&state, &copy));
        most = most.max(left);
        waited += note(&mut taken, waiting(&state, &run));
        if life == Life::Draining && (1..BACKLOG).contains(&(left as u64)) {
            cut += 1;
        }
    }
    assert!(waited > 0, "some waited for their commit");
    assert!(most >= 2, "there was a backlog to lose: {most}");
    assert!(taken.len() as u64 > filled, "it took readings of its own: {} {filled}", taken.len());
    let before = received.lock().unwrap().len();
    assert!(before > 1, "some were delivered between kills");
    let mut process = spawn(&config, proxy.port(), directory.path());
    arrived(&received, &taken.keys().copied().collect()).await;
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(!listener.is_finished(), "two readings had the same number");
    for (seq, fields) in &taken {
        let received = received.lock().unwrap();
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(received[seq][name], *value, "reading {seq}");
        }
    }
    assert_eq!(set_aside(&state), [""; 0]);
    assert!(!story(directory.path()).contains("journal"), "{}", story(directory.path()));
    println!(
        "{kills} kills: {} readings taken, {waited} times one waited for its commit, {most} in the largest backlog, {cut} backlogs cut off half way, \
         {before} readings delivered between kills, none lost",
        taken.len()
    );
}

/// Where a process appends to a journal of its own until it is killed, and the number of its first reading.
const APPENDS: &str = "CONTAINER_TRACKER_TEST_APPENDS";

fn journal_in(directory: &Path, clock: &SystemClock) -> (Journal, Arc<Mutex<Vec<String>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let options = JournalOptions {
        directory: directory.join("state"),
        size_bound: 1 << 26,
        waiting_room: Some(directory.join("room")),
        boot: clock.boot().into(),
    };
    let listener = Arc::new(move |event: &Event| heard.lock().unwrap().push(event.to_string()));
    (Journal::open(options, Events::to("killed", listener)).unwrap(), said)
}

/// Tells of each reading when it is appended, and of each when it is handed out, until it is killed.
async fn append_for_ever(directory: &Path, first: u64) {
    let clock = SystemClock::new(true);
    let (journal, _) = journal_in(directory, &clock);
    let tell = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
    for n in first.. {
        let fields = json!({ "n": n });
        journal.append(Reading { stamp: Stamp::now(&clock), fields: fields.to_string(), alerts: Vec::new() });
        tell(format!("\ntook {n} -\n"));
        if n % 3 == 0 {
            let lease = journal.lease(3, Stamp::now(&clock)).await;
            for entry in lease.newest.iter().chain(&lease.backlog) {
                tell(format!("\nsent {} {} -\n", number(entry), entry.message_id()));
            }
        }
        // Those that share a commit, and those that have one for themselves.
        sleep(Duration::from_millis(if n % 50 == 49 { 2100 } else { n % 7 })).await;
    }
}

fn number(entry: &Entry) -> u64 {
    serde_json::from_str::<Value>(&entry.fields).unwrap()["n"].as_u64().unwrap()
}

#[tokio::test]
async fn what_was_appended_survives_every_kill_under_the_number_that_it_had() {
    const NAME: &str = "what_was_appended_survives_every_kill_under_the_number_that_it_had";
    if let Some((directory, first)) = std::env::var(APPENDS).ok().as_deref().and_then(|at| at.split_once('#'))
    {
        return append_for_ever(Path::new(directory), first.parse().unwrap()).await;
    }
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("state")).unwrap();
    let (mut taken, mut sent) = (BTreeSet::new(), BTreeMap::new());
    for _ in 0..2 * kills() {
        // The last may have been appended and not told.
        let first = taken.last().map_or(0, |last| last + 2);
        let told = directory.path().join("told");
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(APPENDS, format!("{}#{first}", directory.path().display()))
            .stdout(File::create(&told).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = || fs::read_to_string(&told).unwrap().contains("took");
        timeout(PATIENCE, async {
            while !begun() {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        sleep(Duration::from_micros(rand::random_range(0..200_000))).await;
        process.kill().unwrap();
        process.wait().unwrap();
        for line in fs::read_to_string(&told).unwrap().lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["took", n, "-"] => drop(taken.insert(n.parse::<u64>().unwrap())),
                ["sent", n, id, "-"] => {
                    let before = sent.insert(n.parse::<u64>().unwrap(), id.to_owned());
                    assert!(before.is_none_or(|before| before == id), "{n} was sent as {id} too");
                }
                _ => {}
            }
        }
    }
    let clock = SystemClock::new(true);
    let (journal, said) = journal_in(directory.path(), &clock);
    let mut there = BTreeSet::new();
    loop {
        let lease = journal.lease(50, Stamp::now(&clock)).await;
        if lease.is_empty() {
            break;
        }
        for entry in lease.newest.iter().chain(&lease.backlog) {
            let n = number(entry);
            assert!(there.insert(n), "{n} comes twice, now as {}", entry.message_id());
            assert!(
                sent.get(&n).is_none_or(|id| *id == entry.message_id()),
                "{n} comes under another number"
            );
        }
    }
    let lost: Vec<&u64> = taken.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), taken.len());
    assert_eq!(*said.lock().unwrap(), [""; 0]);
    assert!(taken.len() > 20 && sent.len() > 5, "{} {}", taken.len(), sent.len());
    println!(
        "{} kills: {} readings appended, {} handed out, none lost",
        2 * kills(),
        taken.len(),
        sent.len()
    );
}

/// How often the program is killed.
fn kills() -> u32 {
    std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10)
}

fn story(directory: &Path) -> String {
    fs::read_to_string(directory.join("story")).unwrap_or_default()
}
