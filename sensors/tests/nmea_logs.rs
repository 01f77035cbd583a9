//! Recordings of real receivers give exactly the fixes that were worked out for them by other means.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{Log, decode, fixes, rows};
use proptest::prelude::*;
use tracker_sensors::gps::Decoder;

#[test]
fn every_recording_gives_its_fixes() {
    let mut total = 0;
    for log in Log::all() {
        let decoded = rows(&decode([&log.bytes[..]]));
        let expected = log.expected_rows();
        for (index, (decoded, expected)) in decoded.iter().zip(&expected).enumerate() {
            assert_eq!(decoded, expected, "{}, fix {index}", log.name);
        }
        assert_eq!(decoded.len(), expected.len(), "{}", log.name);
        total += decoded.len();
    }
    assert_eq!(total, 2709);
}

#[test]
fn every_recording_gives_its_counts() {
    for log in Log::all() {
        let mut decoder = Decoder::new();
        decoder.push(&log.bytes, Duration::ZERO);
        decoder.finish();
        let counts = decoder.counts();
        let expected = &log.expected;
        assert_eq!(expected["bytes"], counts.lines.bytes, "{}", log.name);
        assert_eq!(expected["fix_count"], counts.fixes, "{}", log.name);
        assert_eq!(expected["epochs_without_fix"], counts.epochs_without_fix, "{}", log.name);
        // The framer also counts what only looks like a sentence, in noise.
        let [sound, bad] = ["ok", "bad_checksum"].map(|count| expected["sentences"][count].as_u64().unwrap());
        assert!(counts.lines.sentences >= sound, "{}", log.name);
        assert!(counts.lines.bad_checksum >= bad, "{}", log.name);
        assert!(bad > 0 || counts.lines.bad_checksum == 0, "{}", log.name);
    }
}

#[test]
fn the_size_of_the_pieces_makes_no_difference() {
    for log in Log::all() {
        for size in [1, 2, 3, 7, 16, 61, 256, 4096] {
            let decoded = rows(&decode(log.bytes.chunks(size)));
            assert_eq!(decoded, log.expected_rows(), "{} in pieces of {size}", log.name);
        }
    }
}

#[test]
fn a_fix_does_not_wait_for_the_next_second() {
    let log = Log::named("neo-m8n");
    let ends: Vec<usize> = log.expected_rows().iter().map(|row| row[12].as_u64().unwrap() as usize).collect();
    let mut decoder = Decoder::new();
    let mut decoded = Vec::new();
    let mut from = 0;
    for (second, end) in ends.iter().enumerate() {
        let now = Duration::from_secs(second as u64);
        assert!(decoder.push(&log.bytes[from..*end], now).is_empty(), "the epoch may still go on");
        let deadline = decoder.deadline().expect("an epoch has begun");
        assert!(deadline < now + Duration::from_secs(1));
        assert!(decoder.tick(now + Duration::from_millis(1)).is_empty());
        let events = decoder.tick(deadline);
        assert_eq!(events.len(), 1, "second {second}");
        decoded.extend(fixes(events));
        assert_eq!(decoder.deadline(), None);
        from = *end;
    }
    assert_eq!(rows(&decoded), log.expected_rows());
}

#[test]
fn sentences_that_come_after_the_pause_make_no_second_fix() {
    let log = Log::named("neo-m8n");
    let end = log.expected_rows()[0][12].as_u64().unwrap() as usize;
    let (early, late) = log.bytes[..end].split_at(end / 2);
    let mut decoder = Decoder::new();
    let mut decoded = fixes(decoder.push(early, Duration::ZERO));
    decoded.extend(fixes(decoder.push(late, Duration::from_millis(400))));
    decoded.extend(fixes(decoder.finish()));
    assert_eq!(decoded.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pieces_of_any_size_give_the_same_fixes(
        index in 0usize..46,
        sizes in prop::collection::vec(1usize..2000, 1..50),
    ) {
        let log = &Log::all()[index];
        let mut pieces = Vec::new();
        let mut rest = &log.bytes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(rows(&decode(pieces)), log.expected_rows());
    }
}
