//! A small disk that is really full, one that is really read-only, and a waiting room that is full.
//!
//! They are mounted in a mount namespace of the test's own, which takes root; without it the tests say that they could
//! not look, and pass.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use container_tracker::journal::readings_waiting;
use support::journal::{Recorded, reading};

const MOUNT: &str = "CONTAINER_TRACKER_TEST_MOUNT";

fn mount(arguments: &[&str]) -> bool {
    Command::new("mount").args(arguments).status().is_ok_and(|status| status.success())
}

/// Runs the test of this name in a namespace, with a tmpfs of 2 MiB; in there, gives its directory.
fn on_a_small_disk(test: &str) -> Option<String> {
    if let Ok(directory) = std::env::var(MOUNT) {
        assert!(mount(&["-t", "tmpfs", "-o", "size=2m", "tmpfs", &directory]), "no tmpfs");
        return Some(directory);
    }
    let able =
        Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|output| output.status.success());
    if !able {
        println!("{test}: NOT LOOKED AT: a mount namespace takes root and util-linux");
        return None;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .arg("-m")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(MOUNT, directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    None
}

/// Fills what is left of the disk.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    while file.write_all(&[1]).is_ok() {}
}

#[tokio::test]
async fn on_a_full_disk_it_goes_on_in_memory_and_moves_back() {
    let Some(mounted) = on_a_small_disk("on_a_full_disk_it_goes_on_in_memory_and_moves_back") else { return };
    let directory = Path::new(&mounted);
    let journal = Recorded::open(directory);
    for n in 0..500 {
        journal.append(reading(n)).await;
    }
    journal.flush().await;
    assert!(directory.join("journal.spare").exists());
    let filler = directory.join("filler");
    fill(&filler);
    // The spare file's room goes first; then there is none.
    let mut n = 500;
    while journal.health().trouble.is_none() {
        for _ in 0..20 {
            journal.append(reading(n)).await;
            n += 1;
        }
        journal.flush().await;
        assert!(n < 20_000, "the disk never became full");
    }
    assert!(!directory.join("journal.spare").exists());
    for _ in 0..100 {
        journal.append(reading(n)).await;
        n += 1;
    }
    journal.flush().await;
    let trouble = journal.health().trouble.unwrap();
    assert!(
        trouble.contains("the disk does not take the journal") && trouble.contains("kept in memory"),
        "{trouble}"
    );
    assert!(journal.story().contains(&trouble), "{}", journal.story());
    let stats = journal.stats();
    assert_eq!((stats.taken, stats.backlog, stats.dropped), (n, n, 0));

    fs::remove_file(&filler).unwrap();
    journal.flush().await;
    assert_eq!(journal.health().trouble, None);
    assert!(journal.story().contains("the disk takes the journal again"), "{}", journal.story());
    journal.close().await;
    let journal = Recorded::open(directory);
    let mut there = journal.drain().await;
    there.sort_unstable();
    assert_eq!(there, (0..n).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_disk_at_the_start_still_gives_up_its_backlog() {
    let Some(mounted) = on_a_small_disk("a_full_disk_at_the_start_still_gives_up_its_backlog") else {
        return;
    };
    let directory = Path::new(&mounted);
    let journal = Recorded::open(directory);
    for n in 0..300 {
        journal.append(reading(n)).await;
    }
    journal.close().await;
    fill(&directory.join("filler"));
    let journal = Recorded::open(directory);
    let mut there = journal.drain().await;
    there.sort_unstable();
    assert_eq!(there, (0..300).collect::<Vec<_>>());
    journal.flush().await;
    assert_eq!(journal.stats().backlog, 0);
    journal.close().await;
    assert_eq!(Recorded::open(directory).drain().await, [0; 0], "they are forgotten on the disk, too");
}

#[tokio::test]
async fn on_a_read_only_disk_it_goes_on_in_memory_and_moves_back() {
    let Some(mounted) = on_a_small_disk("on_a_read_only_disk_it_goes_on_in_memory_and_moves_back") else {
        return;
    };
    let directory = Path::new(&mounted);
    let journal = Recorded::open(directory);
    for n in 0..10 {
        journal.append(reading(n)).await;
    }
    journal.close().await;
    drop(journal);
    // Its thread closes the file a moment later; before that the disk is busy.
    let mut tries = 0;
    while !mount(&["-o", "remount,ro", &mounted]) {
        tries += 1;
        assert!(tries < 1000, "the journal is never closed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let journal = Recorded::open(directory);
    for n in 10..20 {
        journal.append(reading(n)).await;
    }
    journal.flush().await;
    let trouble = journal.health().trouble.unwrap();
    assert!(
        trouble.contains("the journal can't be opened in") && trouble.contains("kept in memory"),
        "{trouble}"
    );
    // What is new goes out all the same.
    assert_eq!(journal.drain().await, [19, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    journal.append(reading(20)).await;
    journal.flush().await;

    assert!(mount(&["-o", "remount,rw", &mounted]));
    journal.flush().await;
    assert_eq!(journal.health().trouble, None);
    assert_eq!(journal.drain().await, [20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn where_the_waiting_room_is_full_readings_are_taken_all_the_same() {
    let Some(mounted) = on_a_small_disk("where_the_waiting_room_is_full_readings_are_taken_all_the_same")
    else {
        return;
    };
    let (mounted, state) = (Path::new(&mounted), tempfile::tempdir().unwrap());
    let (room, filler) = (mounted.join("room"), mounted.join("filler"));
    let journal = Recorded::open_with_room(state.path(), &room);
    fill(&filler);
    for n in 0..300 {
        journal.append(reading(n)).await;
    }
    journal.flush().await;
    let story = journal.story();
    assert!(story.starts_with("readings can't be kept in ") && story.contains("No space left"), "{story}");
    assert_eq!(story.lines().count(), 1, "{story}");
    let stats = journal.stats();
    assert_eq!((stats.taken, stats.backlog, stats.dropped), (300, 300, 0));
    // There is room again.
    fs::remove_file(&filler).unwrap();
    for n in 300..350 {
        journal.append(reading(n)).await;
    }
    assert!(readings_waiting(&room, state.path()).unwrap().len() > 20);
    journal.flush().await;
    assert_eq!((readings_waiting(&room, state.path()).unwrap(), journal.story()), (Vec::new(), story));
    let mut there = journal.drain().await;
    there.sort_unstable();
    assert_eq!(there, (0..350).collect::<Vec<_>>());
}
