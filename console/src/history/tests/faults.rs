//! Files that are damaged, foreign, new, full or taken.

use std::fs;
use std::path::Path;

use super::*;

fn opened(file: &Path) -> (History, Vec<String>) {
    let history = History::open(HistoryOptions::kept(file));
    let notices = history.notices();
    (history, notices)
}

fn fill(history: &History) {
    for device in 0..20 {
        let readings = (0..1500)
            .map(|n| placed(n * 60_000, n as u64, (n % 170) as f64 + 0.137 * f64::from(device), 51.0))
            .collect();
        history.take(&format!("d{device}"), readings);
    }
    history.flush(&[("d0".into(), "{\"hub\":\"east\"}".into())], at(0));
}

#[test]
fn what_was_kept_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new/history.db");
    let (history, notices) = opened(&file);
    assert_eq!(notices, [""; 0]);
    fill(&history);
    drop(history);
    let (history, notices) = opened(&file);
    assert_eq!(
        (notices.len(), history.states()),
        (0, vec![("d0".to_owned(), "{\"hub\":\"east\"}".to_owned())])
    );
    assert_eq!(exported(&history, "d7").len(), 1500);
}

#[test]
fn what_cannot_be_used_is_set_aside_and_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");
    let foreign = || {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.execute_batch("CREATE TABLE x (y)").unwrap();
    };
    let newer = || {
        drop(opened(&file));
        rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    };
    let without_a_table = || {
        drop(opened(&file));
        rusqlite::Connection::open(&file).unwrap().execute_batch("DROP TABLE coarse").unwrap();
    };
    let text = || {
        let mut bytes = Vec::new();
        std::io::Write::write_all(&mut bytes, b"<html>not a database, and long enough to be looked at: ")
            .unwrap();
        fs::File::create(&file)
            .and_then(|mut file| std::io::Write::write_all(&mut file, &bytes.repeat(100)))
            .unwrap();
    };
    let cases: [(&dyn Fn(), &str); 4] = [
        (&foreign, "another program's database"),
        (&newer, "it is of version 99, and this program knows 1"),
        (&without_a_table, "no such table: coarse"),
        (&text, "file is not a database"),
    ];
    for (number, (make, why)) in cases.into_iter().enumerate() {
        make();
        let (history, notices) = opened(&file);
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert!(
            notices[0].contains(why) && notices[0].contains(&format!("history.db.bad-{}", number + 1)),
            "{}",
            notices[0]
        );
        fill(&history);
        assert_eq!(exported(&history, "d0").len(), 1500);
        drop(history);
        fs::remove_file(&file).unwrap();
        assert!(
            directory.path().join(format!("history.db.bad-{}", number + 1)).exists(),
            "it stays as it was"
        );
    }
}

#[test]
fn damage_that_is_met_later_sets_the_file_aside_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");
    let (history, _) = opened(&file);
    fill(&history);
    drop(history);
    let half = fs::metadata(&file).unwrap().len() / 2;
    let mut damaged = fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::io::Seek::seek(&mut damaged, std::io::SeekFrom::Start(half)).unwrap();
    std::io::Write::write_all(&mut damaged, &vec![0x5a; half as usize]).unwrap();
    let (history, notices) = opened(&file);
    assert_eq!(notices, [""; 0], "nobody looks through all of it");
    fill(&history);
    for device in 0..20 {
        let _ = history.series(&format!("d{device}"), &temperature(), at(0), at(100 * HOUR), 100);
    }
    fill(&history);
    let notices = history.notices();
    assert!(notices.iter().any(|notice| notice.contains("set aside as")), "{notices:?}");
    assert_eq!(exported(&history, "d19").len(), 1500, "it goes on");
}

#[test]
fn a_second_console_is_told_who_has_it_and_goes_on_without() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");
    let (first, _) = opened(&file);
    let (second, notices) = opened(&file);
    let me = std::process::id();
    let said = format!(
        "the history {} is in use by process {me}; what this console sees is kept in memory and goes with it",
        file.display()
    );
    assert_eq!(notices, [said]);
    fill(&second);
    assert_eq!((exported(&second, "d0").len(), exported(&first, "d0").len()), (1500, 0));
    drop(first);
    assert_eq!(opened(&file).1, [""; 0]);
}

#[test]
fn a_disk_that_is_full_loses_what_finds_no_room_and_says_so_once() {
    let directory = tempfile::tempdir().unwrap();
    let (history, _) = opened(&directory.path().join("history.db"));
    fill(&history);
    let pages = |most: i64| {
        let shelf = lock(&history.shelf);
        let count: i64 = shelf.connection().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let limit = if most == 0 { count } else { most };
        shelf.connection().query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(())).unwrap();
    };
    pages(0);
    let more = |history: &History, from: i64, count: i64| {
        history.take(
            "full",
            (from..from + count)
                .map(|n| placed(n * 7919, n as u64, (n * 37 % 180) as f64, (n * 53 % 90) as f64))
                .collect(),
        );
        history.flush(&[], at(0));
    };
    more(&history, 0, 20_000);
    let notices = history.notices();
    assert!(
        notices.len() == 1
            && notices[0].contains("the disk does not take the history (database or disk is full)"),
        "{notices:?}"
    );
    assert!(history.trouble().is_some());
    lock(&history.shelf).retry_at_once();
    more(&history, 20_000, 20_000);
    assert_eq!(history.notices(), [""; 0], "it is said once");
    more(&history, 40_000, 20_000);
    assert_eq!(exported(&history, "d0").len(), 1500, "what is there can be asked for");
    pages(1_000_000);
    lock(&history.shelf).retry_at_once();
    history.flush(&[], at(0));
    assert_eq!(
        history.notices(),
        ["the history is written again; 20000 readings could not wait and are not in it"]
    );
    assert_eq!((history.trouble(), exported(&history, "full").len()), (None, 40_000));
}

#[test]
fn a_directory_that_takes_no_file_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    drop(fs::File::create(&file).unwrap());
    let (history, notices) = opened(&file.join("history.db"));
    assert!(notices.len() == 1 && notices[0].starts_with("the history can't be kept in "), "{notices:?}");
    fill(&history);
    assert_eq!(exported(&history, "d0").len(), 1500);
}

#[test]
fn a_thousand_devices_at_once_stay_within_the_bound_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let most_bytes = 2 * 1024 * 1024;
    let history = History::open(HistoryOptions {
        most_bytes,
        ..HistoryOptions::temporary(directory.path().join("h.db"))
    });
    for round in 0..8_i64 {
        for device in 0..1000 {
            let readings = (0..40).map(|n| {
                placed((round * 40 + n) * 1000, (round * 40 + n) as u64, f64::from(device % 180), 51.0)
            });
            history.take(&format!("d{device:04}"), readings.collect());
        }
        history.flush(&[], at(0));
    }
    let shelf = lock(&history.shelf);
    assert!(schema::used_bytes(shelf.connection()).unwrap() <= most_bytes);
    drop(shelf);
    let names = (0..1000).map(|device| format!("d{device:04}"));
    let shortened = names.into_iter().find(|name| exported(&history, name).len() < 320).unwrap();
    let series = history.series(&shortened, &temperature(), at(-HOUR), at(HOUR), 12).unwrap();
    assert!(
        series.fields["temperature"].t[0] < (DAY + 300_000) as f64 / 1000.0,
        "what went is left in ten minutes"
    );
    assert_eq!(history.tails(60).unwrap().tails.len(), 1000);
}

#[test]
fn what_is_too_old_goes() {
    let history = History::open(HistoryOptions {
        most_age: Some(chrono::TimeDelta::days(10)),
        ..HistoryOptions::in_memory()
    });
    history.take("gone", vec![reading(0, 1, 4.0)]);
    history.take("a", (0..24 * 100).map(|hour| reading(hour * HOUR, hour as u64, 4.0)).collect());
    history.tell(StoryEntry::new("a", at(0), crate::model::StoryKind::Twin, "old"));
    history.flush(&[], at(100 * 24 * HOUR));
    assert_eq!(history.extent("gone").unwrap(), Extent::default());
    assert_eq!(history.bounds(), Some((at(90 * 24 * HOUR), at((24 * 100 - 1) * HOUR))));
    let left = exported(&history, "a");
    assert!(left.len() < 24 * 24 && left.len() >= 24 * 10, "{}", left.len());
    let series = history.series("a", &temperature(), at(0), at(100 * 24 * HOUR), 1000).unwrap();
    assert!(
        series.fields["temperature"].t[0] >= (DAY + 50 * 24 * HOUR) as f64 / 1000.0,
        "buckets go too, by 32 days"
    );
    assert_eq!(history.story(Some("a"), None, 10).unwrap().entries, []);
}

#[test]
fn others_read_beside_the_console_and_see_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");
    let (history, _) = opened(&file);
    fill(&history);
    let archive = Archive::open(&file).unwrap();
    let read = |archive: &Archive, device: &str| -> Vec<Exported> {
        let kept = archive.devices().unwrap().into_iter().find(|kept| kept.device == device).unwrap();
        assert!(kept.has(Field::Latitude as usize) && !kept.has(Field::Door as usize));
        let pieces = archive.readings(&kept, at(60_000), at(1400 * 60_000));
        pieces.flat_map(Result::unwrap).collect()
    };
    let wanted = history.readings("d7", at(60_000), at(1400 * 60_000), None, 10_000).unwrap().0;
    assert_eq!(read(&archive, "d7"), wanted);
    assert_eq!(wanted.len(), 1399);
    // The console goes on, and is read on.
    history.take("d7", vec![reading(90_000, 9_000, 5.0)]);
    history.flush(&[], at(0));
    assert_eq!(read(&archive, "d7").len(), 1400);
    drop(history);
    assert_eq!(read(&Archive::open(&file).unwrap(), "d7").len(), 1400);
}

#[test]
fn what_is_no_history_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("history.db");
    let why = |file: &Path| Archive::open(file).unwrap_err().to_string();
    assert!(why(&file).contains("there is no history"));
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    assert!(why(&file).contains("another program's database"));
    let text = directory.path().join("text");
    std::io::Write::write_all(&mut fs::File::create(&text).unwrap(), &[b'x'; 5000]).unwrap();
    assert!(why(&text).contains("is no history of a console"));
}
