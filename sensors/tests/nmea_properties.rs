//! No input panics, none grows memory, and what is sound among noise is still found.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{decode, fixes};
use proptest::prelude::*;
use tracker_sensors::gps::{Decoder, Fix};

/// Bytes as they might come from a line: sentences, halves of sentences, noise.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let field = "[-0-9.NSEWAVDRMK,]{0,12}";
    let name =
        prop::sample::select(vec!["GPRMC", "GNGGA", "GNGNS", "GPGLL", "GPVTG", "GPZDA", "PQGNS", "GPTXT"]);
    let made_up = (name, prop::collection::vec(field, 0..18))
        .prop_map(|(name, fields)| with_checksum(&format!("{name},{}", fields.join(","))));
    let piece = prop_oneof![
        3 => made_up,
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(b"$GPGGA,123519,4807.038,N,0113".to_vec()),
        1 => Just(vec![b'$'; 3]),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn with_checksum(body: &str) -> Vec<u8> {
    let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{checksum:02X}\r\n").into_bytes()
}

fn assert_sound(fix: &Fix) {
    let position = fix.position;
    assert!(position.latitude.abs() <= 90.0 && position.longitude.abs() <= 180.0, "{fix:?}");
    assert!(position.latitude != 0.0 || position.longitude != 0.0, "{fix:?}");
    let numbers = [fix.altitude_m, fix.speed_kn, fix.course_deg, fix.hdop];
    assert!(numbers.iter().flatten().all(|number| number.is_finite()), "{fix:?}");
    assert!(!fix.sources.is_empty(), "{fix:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        decode([&bytes[..]]).iter().for_each(assert_sound);
    }

    #[test]
    fn any_traffic_is_survived(bytes in traffic(), millis in prop::collection::vec(0u64..2000, 1..20)) {
        let mut decoder = Decoder::new();
        let mut now = Duration::ZERO;
        for (piece, pause) in bytes.chunks(97).zip(millis.iter().cycle()) {
            now += Duration::from_millis(*pause);
            fixes(decoder.push(piece, now)).iter().for_each(assert_sound);
            fixes(decoder.tick(now)).iter().for_each(assert_sound);
        }
        fixes(decoder.finish()).iter().for_each(assert_sound);
    }

    #[test]
    fn a_sound_sentence_is_found_after_any_bytes(noise in prop::collection::vec(any::<u8>(), 0..3000)) {
        let mut bytes = noise;
        bytes.extend(with_checksum("GPRMC,101112.00,A,3600.5000,S,17959.9000,W,12.5,84.4,200926,,,A"));
        let found = decode([&bytes[..]]);
        let last = found.last().expect("the last sentence is sound");
        prop_assert_eq!(last.time.to_string(), "10:11:12");
        prop_assert_eq!(last.position.latitude, -(36.0 + 0.5 / 60.0));
        prop_assert_eq!(last.speed_kn, Some(12.5));
    }
}

#[test]
fn a_line_without_end_is_dropped() {
    let mut decoder = Decoder::new();
    decoder.push(b"$GPRMC,", Duration::ZERO);
    for _ in 0..1000 {
        decoder.push(&[b'7'; 10_000], Duration::ZERO);
    }
    assert_eq!(decoder.counts().lines.overlong, 1);
    assert_eq!(decoder.counts().lines.bytes, 10_000_007);
    decoder.push(
        &with_checksum("GPRMC,101112.00,A,3600.5000,S,17959.9000,W,12.5,84.4,200926,,,A"),
        Duration::ZERO,
    );
    assert_eq!(fixes(decoder.finish()).len(), 1);
}
