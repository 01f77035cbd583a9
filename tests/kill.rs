//! `kill -9` at random moments, again and again, against the real program with a backlog: nothing that was durable is
//! lost, no number comes twice, and the journal opens every time.
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
use container_tracker::lab::{Cloud, readings};
use serde_json::Value;
use support::agent::PATIENCE;
use tokio::time::{sleep, timeout};

const DEVICE: &str = "sensor-thl-001";

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
        .stdout(File::options().create(true).append(true).open(directory.join("story")).unwrap())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
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

/// Waits until the hub has `seqs`, and everything else has had the time it takes.
async fn arrived(received: &Mutex<BTreeMap<u64, Value>>, seqs: &BTreeSet<u64>) {
    let all_there = async {
        while !seqs.iter().all(|seq| received.lock().unwrap().contains_key(seq)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(PATIENCE, all_there).await.is_err() {
        let there = received.lock().unwrap();
        let lost: Vec<&u64> = seqs.iter().filter(|seq| !there.contains_key(seq)).collect();
        panic!("{} of {} durable readings are lost: {lost:?}", lost.len(), seqs.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_and_repeats_no_number() {
    let kills: u32 = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10);
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    // Bound and never listening: no network.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead_port = silent.local_addr().unwrap().port();
    drop(silent);

    let received = Arc::new(Mutex::new(BTreeMap::<u64, Value>::new()));
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

    // Assigned once, later lives connect at once.
    let mut process = spawn(&config, cloud.emulator.port(), directory.path());
    timeout(PATIENCE, async {
        while received.lock().unwrap().is_empty() {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("it delivers");
    process.kill().unwrap();
    process.wait().unwrap();

    let copy = directory.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let state = config.state.directory.clone();
    let mut taken: BTreeMap<u64, Value> = BTreeMap::new();
    let mut most = 0;
    for kill in 0..kills {
        // Without a network three times of four, so that there is a backlog to be killed in.
        // With one it lives long enough to deliver, and to delete what is acknowledged.
        let (port, longest) = if kill % 4 == 3 { (cloud.emulator.port(), 5000) } else { (dead_port, 1500) };
        let mut process = spawn(&config, port, directory.path());
        sleep(Duration::from_millis(rand::random_range(20..longest))).await;
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself: {}", story(directory.path()));
        process.kill().unwrap();
        process.wait().unwrap();
        let now = durable(&state, &copy);
        most = most.max(now.len());
        for (seq, fields) in now {
            let before = taken.insert(seq, fields.clone());
            assert!(before.is_none_or(|before| before == fields), "two readings have the number {seq}");
        }
    }
    assert!(!taken.is_empty() && most >= 2, "there was a backlog to lose: {} {most}", taken.len());
    let before = received.lock().unwrap().len();
    assert!(before > 1, "some were delivered between kills");
    let mut process = spawn(&config, cloud.emulator.port(), directory.path());
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
    let bad: Vec<_> = fs::read_dir(&state)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains(".bad"))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(!story(directory.path()).contains("journal"), "{}", story(directory.path()));
    println!(
        "{kills} kills: {} readings durable, {most} in the largest backlog, {before} delivered between kills, none lost",
        taken.len()
    );
}

fn story(directory: &Path) -> String {
    fs::read_to_string(directory.join("story")).unwrap_or_default()
}
