//! The journal's files are removed or replaced under the agent: what they had is in the new file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::bench::{BOUND, Bench, ManualClock, copy_files, tags};
use crate::journal::inspect::inspect;
use crate::journal::shared::JournalHealth;

/// What somebody does to the files.
type Deed<'a> = &'a dyn Fn(&Path);

/// A journal with readings 0 to 19, after `what` was done to its files.
fn after(what: impl Fn(&Path)) -> (tempfile::TempDir, Bench) {
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let bench = Bench::half_in_the_log(directory.path());
    what(directory.path());
    (directory, bench)
}

fn remove(directory: &Path, names: &[&str]) {
    for name in names {
        fs::remove_file(directory.join(name)).unwrap();
    }
}

fn delivered(mut bench: Bench) -> Vec<u64> {
    let mut there = tags(&bench.drain());
    there.sort_unstable();
    bench.close();
    there
}

#[test]
fn a_file_that_is_removed_or_replaced_is_noticed_and_loses_nothing() {
    let backup = tempfile::tempdir().unwrap();
    let other = Bench::open(backup.path(), ManualClock::new(), BOUND, 7);
    other.close();
    let replaced = |directory: &Path| {
        fs::copy(backup.path().join("journal.db"), directory.join("new")).unwrap();
        fs::rename(directory.join("new"), directory.join("journal.db")).unwrap();
    };
    let deeds: [(&str, Deed<'_>); 6] = [
        ("all", &|directory| remove(directory, &["journal.db", "journal.db-wal", "journal.db-shm"])),
        ("the file", &|directory| remove(directory, &["journal.db"])),
        ("the file and its log", &|directory| remove(directory, &["journal.db", "journal.db-wal"])),
        ("moved away", &|directory| fs::rename(directory.join("journal.db"), directory.join("x")).unwrap()),
        ("replaced", &replaced),
        ("the directory", &|directory| fs::remove_dir_all(directory).unwrap()),
    ];
    for (what, deed) in deeds {
        let (directory, mut bench) = after(deed);
        bench.advance(Duration::from_mins(1));
        bench.append(20);
        bench.flush();
        assert_eq!(inspect(directory.path()).unwrap().unwrap().backlog, 21, "{what}: {}", bench.story());
        let story = bench.story();
        assert!(
            story.contains("journal.db was removed or replaced while the agent worked with it"),
            "{what}: {story}"
        );
        assert!(story.ends_with("20 readings that wait were saved into a new one"), "{what}: {story}");
        assert_eq!((story.lines().count(), bench.health()), (1, JournalHealth::default()), "{what}: {story}");
        bench.advance(Duration::from_mins(10));
        bench.append(21);
        assert_eq!((bench.stats().backlog, bench.story()), (22, story), "{what}");
        let clock = bench.close();
        let again = Bench::open(directory.path(), clock, BOUND, 2);
        assert_eq!(delivered(again), (0..22).collect::<Vec<u64>>(), "{what}");
    }
}

#[test]
fn a_log_that_is_removed_is_noticed_and_loses_nothing() {
    let (directory, mut bench) = after(|directory| remove(directory, &["journal.db-wal"]));
    bench.append(20);
    bench.flush();
    let story = bench.story();
    assert!(story.starts_with("the log of the journal in ") && story.ends_with("nothing is lost"), "{story}");
    assert_eq!(story.lines().count(), 1, "{story}");
    // As a power cut leaves it.
    let copy = tempfile::tempdir().unwrap();
    copy_files(directory.path(), copy.path());
    assert_eq!(
        delivered(Bench::open(copy.path(), bench.clock.clone(), BOUND, 2)),
        (0..21).collect::<Vec<u64>>()
    );
}

#[test]
fn where_no_new_file_can_be_made_it_is_tried_again() {
    let (directory, mut bench) = after(|directory| {
        fs::rename(directory, directory.with_extension("away")).unwrap();
        drop(fs::File::create(directory).unwrap());
    });
    bench.append(20);
    bench.advance(Duration::from_mins(2));
    assert!(
        bench.health().trouble.unwrap().starts_with("the journal can't be opened in "),
        "{}",
        bench.story()
    );
    assert_eq!(bench.stats().backlog, 21);
    fs::remove_file(directory.path()).unwrap();
    bench.advance(Duration::from_mins(1));
    assert_eq!(bench.health(), JournalHealth::default(), "{}", bench.story());
    assert_eq!(inspect(directory.path()).unwrap().unwrap().backlog, 21);
    fs::remove_dir_all(directory.path().with_extension("away")).unwrap();
    assert_eq!(delivered(bench), (0..21).collect::<Vec<u64>>());
}
