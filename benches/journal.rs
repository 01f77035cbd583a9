//! What the journal costs: `cargo bench --bench journal`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use container_tracker::config::DeliveryMode;
use container_tracker::event::Events;
use container_tracker::journal::{Entry, Journal, JournalOptions, Lease, waiting_room};
use container_tracker::reading::{Reading, Stamp};
use container_tracker::uplink::delivery::{messages, readings};
use serde_json::json;
use tracker_evidence::Hash;

const YEAR_S: f64 = 365.25 * 86_400.0;
const MIB: f64 = 1024.0 * 1024.0;

fn stamp(n: u64) -> Stamp {
    let utc = DateTime::from_timestamp(1_780_000_000, 0).unwrap() + TimeDelta::seconds(n as i64);
    Stamp { utc: Some(utc), monotonic: Duration::from_secs(n) }
}

fn reading(n: u64) -> Reading {
    let wave = |period: f64, size: f64| ((n as f64 / period).sin() * size * 100.0).round() / 100.0;
    let place = |start: f64, step: f64| ((start + step * (n % 100_000) as f64) * 1e7).round() / 1e7;
    let fields = json!({
        "temperature": 4.0 + wave(37.0, 0.8), "humidity": 81.0 + wave(53.0, 6.0),
        "pressure": 1013.0 + wave(211.0, 12.0),
        "location": {"lat": place(51.95, 0.000_081_3), "lon": place(4.05, 0.000_113_7), "alt": 30.0 + wave(7.0, 2.0)},
        "speed": 38.0 + wave(11.0, 3.0), "course": 271.0 + wave(17.0, 5.0), "fix": "gps", "satellites": 9 + n % 4,
        "hdop": 0.9,
    });
    Reading { stamp: stamp(n), fields: fields.to_string(), alerts: Vec::new() }
}

fn open(directory: &Path, mib: u64) -> Journal {
    let events = Events::to("bench", Arc::new(|event| println!("  {event}")));
    let options = JournalOptions {
        directory: directory.into(),
        size_bound: mib * 1024 * 1024,
        waiting_room: waiting_room(directory),
        boot: "bench".into(),
    };
    Journal::open(options, events).unwrap()
}

/// Waits until its thread has gone too: a file that is removed under it would be saved, and counted for what is measured next.
async fn end(journal: Journal) {
    let mut health = journal.health();
    drop(journal);
    while health.changed().await.is_ok() {}
}

/// A figure of this process, from a file of `name: value` lines.
fn figure(file: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(f64::NAN)
}

fn written() -> (f64, f64) {
    (figure("/proc/self/io", "write_bytes"), figure("/proc/self/io", "wchar"))
}

fn resident_mib() -> f64 {
    figure("/proc/self/status", "VmRSS") / 1024.0
}

/// Bytes to the disk and bytes handed to the kernel, per reading, where `group` readings share a commit and, in
/// `online` life, each is acknowledged before the next comes, and so before a commit that it would share.
async fn bytes_per_reading(group: u64, online: bool) -> (f64, f64) {
    let count = 6000;
    let directory = tempfile::tempdir_in(".").unwrap();
    let journal = open(directory.path(), 64);
    journal.flush().await;
    let (disk, kernel) = written();
    for n in 0..count {
        journal.append(reading(n));
        if group == 1 || (!online && n % group == group - 1) {
            // A second or a minute passes here.
            journal.commit().await;
        }
        if online {
            let lease = journal.await_lease(8, stamp(n)).unwrap().await.unwrap();
            let seqs = lease.newest.iter().chain(&lease.backlog).map(|entry| entry.seq).collect();
            journal.acknowledge(seqs).unwrap();
        }
    }
    journal.close().await;
    let (disk_after, kernel_after) = written();
    end(journal).await;
    ((disk_after - disk) / count as f64, (kernel_after - kernel) / count as f64)
}

async fn wear() {
    println!("\n(what goes to the kernel goes to the waiting room in memory, too)");
    println!("written per reading          to the disk   to the kernel   a year to the disk");
    for (name, interval, group) in [("every 60 s", 60.0, 1), ("every 1 s", 1.0, 2)] {
        for (life, online) in [("online", true), ("offline", false)] {
            let (disk, kernel) = bytes_per_reading(group, online).await;
            let year = disk * YEAR_S / interval / MIB;
            println!("{name:<23} {life:<8} {disk:>8.0} B {kernel:>12.0} B {year:>12.0} MiB");
        }
    }
}

async fn append_and_drain() {
    let count = 100_000_u64;
    let directory = tempfile::tempdir_in(".").unwrap();
    let journal = open(directory.path(), 64);
    journal.flush().await;
    let before = resident_mib();
    let started = Instant::now();
    for n in 0..count {
        journal.append(reading(n));
        if n % 100 == 99 {
            journal.flush().await;
        }
    }
    println!("append, 100 a commit      {:>10.0} readings/s", count as f64 / started.elapsed().as_secs_f64());
    let size = std::fs::metadata(directory.path().join("journal.db")).unwrap().len() as f64;
    println!(
        "a backlog of {count}: {:.1} MiB resident (at the start {before:.1}), {:.1} MiB of disk, {} thinned",
        resident_mib(),
        size / MIB,
        journal.stats().thinned
    );
    let started = Instant::now();
    let (mut delivered, mut sent) = (0, 0);
    let (disk, _) = written();
    loop {
        let lease = journal.lease(readings(DeliveryMode::default(), 32), stamp(count)).await;
        let batch = messages(lease, "sensor-thl-001", DeliveryMode::default());
        if batch.is_empty() {
            break;
        }
        for message in batch {
            delivered += message.seqs.len();
            sent += 1;
            while journal.acknowledge(message.seqs.clone()).is_err() {
                tokio::task::yield_now().await;
            }
        }
    }
    journal.flush().await;
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "drain, batches of a block {:>10.0} readings/s, {sent} messages, {:.0} B written per reading, {:.1} MiB resident",
        delivered as f64 / seconds,
        (written().0 - disk) / delivered as f64,
        resident_mib()
    );
    end(journal).await;
}

async fn one_by_one() {
    let directory = tempfile::tempdir_in(".").unwrap();
    let journal = open(directory.path(), 64);
    journal.flush().await;
    let started = Instant::now();
    for n in 0..2000 {
        journal.append(reading(n));
        journal.commit().await;
    }
    println!("append, one a commit      {:>10.0} readings/s", 2000.0 / started.elapsed().as_secs_f64());
    end(journal).await;
}

async fn overfill() {
    let directory = tempfile::tempdir_in(".").unwrap();
    let journal = open(directory.path(), 4);
    let count = 150_000_u64;
    let started = Instant::now();
    for n in 0..count {
        journal.append(reading(n));
        if n % 100 == 99 {
            journal.flush().await;
        }
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    let stats = journal.stats();
    let size = std::fs::metadata(directory.path().join("journal.db")).unwrap().len() as f64;
    println!(
        "overfill of 4 MiB, {:.0} times  {rate:>5.0} readings/s, {} kept, {:.2} MiB of disk",
        count as f64 / stats.backlog as f64,
        stats.backlog,
        size / MIB
    );
    end(journal).await;
}

fn wire() {
    println!("\non the wire, by delivery mode      bytes per reading   readings per message");
    let entries = |count: u64| -> Vec<Entry> {
        (0..count)
            .map(|n| {
                let Reading { stamp, fields, alerts } = reading(60 * n);
                let seq = 13_000_000_000 + n;
                Entry {
                    seq,
                    start: 0x89ab_cdef,
                    time: stamp.utc,
                    uptime_s: 0.0,
                    fields,
                    alerts,
                    chain: None,
                    event: None,
                }
            })
            .collect()
    };
    for (name, batch_backlog, gzip, compact) in [
        ("single", false, false, false),
        ("batch", true, false, false),
        ("batch + gzip", true, true, false),
        ("compact batch", true, false, true),
        ("compact batch + gzip", true, true, true),
    ] {
        let backlog = entries(5000);
        let count = backlog.len() as f64;
        let all = messages(
            Lease { newest: None, backlog },
            "sensor-thl-001",
            DeliveryMode { batch_backlog, gzip, compact, ..DeliveryMode::default() },
        );
        // PUBLISH: type and length (2 to 3), length of topic (2), packet ID (2); PUBACK: 4; TLS record: 5 + 8 + 16 each.
        let bytes: usize =
            all.iter().map(|m| m.publish.topic.len() + m.publish.payload.len() + 7 + 4 + 2 * 29).sum();
        println!("{name:<32} {:>12.0} {:>20.1}", bytes as f64 / count, count / all.len() as f64);
    }
    println!("\nevidence, 20 readings in a message   bytes without   with");
    for (name, gzip, compact) in
        [("batch", false, false), ("batch + gzip", true, false), ("compact + gzip", true, true)]
    {
        let bytes = |chain: Option<Hash>| -> usize {
            let backlog = entries(20).into_iter().map(|entry| Entry { chain, ..entry }).collect();
            let mode = DeliveryMode { batch_backlog: true, gzip, compact, ..DeliveryMode::default() };
            let all = messages(Lease { newest: None, backlog }, "sensor-thl-001", mode);
            all.iter().map(|m| m.publish.topic.len() + m.publish.payload.len() + 7).sum()
        };
        let (without, with) = (bytes(None), bytes(Some(Hash::NONE)));
        let more = 100.0 * (with as f64 / without as f64 - 1.0);
        println!("{name:<32} {without:>14} {with:>8}   {more:.1} % more");
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        append_and_drain().await;
        one_by_one().await;
        overfill().await;
        wear().await;
    });
    wire();
}
