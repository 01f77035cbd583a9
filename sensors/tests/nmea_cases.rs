//! What users of receivers met, a few sentences each (`data/nmea/cases`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use tracker_sensors::gps::{Decoder, Event, Fix, NoFix};
use tracker_sensors::simulated::{AtEnd, Replay};

fn events(case: &str) -> (Vec<Event>, Decoder) {
    let bytes = std::fs::read(common::data("nmea/cases").join(format!("{case}.nmea"))).unwrap();
    let mut decoder = Decoder::new();
    let mut events = decoder.push(&bytes, Duration::ZERO);
    events.extend(decoder.finish());
    (events, decoder)
}

fn fixes(case: &str) -> Vec<Fix> {
    common::fixes(events(case).0)
}

fn refusals(case: &str) -> Vec<NoFix> {
    let reason = |event| match event {
        Event::NoFix { reason, .. } => Some(reason),
        Event::Fix(_) => None,
    };
    events(case).0.into_iter().filter_map(reason).collect()
}

#[test]
fn degrees_need_no_leading_zeros() {
    let places: Vec<(f64, f64)> =
        fixes("unpadded-degrees").iter().map(|fix| (fix.position.latitude, fix.position.longitude)).collect();
    let expected = [
        (52.0 + 4.11 / 60.0, 4.0 + 30.55 / 60.0),
        (52.0 + 4.1101 / 60.0, 4.0 + 30.5501 / 60.0),
        (0.51 / 60.0, 10.0 + 26.6634 / 60.0),
    ];
    assert_eq!(places.len(), expected.len());
    for ((latitude, longitude), expected) in places.into_iter().zip(expected) {
        assert!((latitude - expected.0).abs() < 1e-9 && (longitude - expected.1).abs() < 1e-9);
    }
}

#[test]
fn speed_ahead_of_its_second_stays_with_it() {
    let motion: Vec<_> =
        fixes("vtg-leads").iter().map(|fix| (fix.speed_kn.unwrap(), fix.course_deg.unwrap())).collect();
    assert_eq!(motion, [(10.0, 90.0), (11.0, 91.0), (12.0, 92.0)]);
}

#[test]
fn on_a_line_the_gap_between_seconds_tells_what_leads() {
    // The reader came in between: the first thing that it got says nothing, the gaps do.
    let seconds = [
        "$GPGGA,101500.00,5204.1100,N,00430.5500,E,1,08,0.9,4.0,M,46.0,M,,*6A\r\n",
        "$GPVTG,091.0,T,,M,11.0,N,20.4,K,A*03\r\n$GPGGA,101501.00,5204.1100,N,00430.5550,E,1,08,0.9,4.0,M,46.0,M,,*6E\r\n",
        "$GPVTG,092.0,T,,M,12.0,N,22.2,K,A*07\r\n$GPGGA,101502.00,5204.1100,N,00430.5600,E,1,08,0.9,4.0,M,46.0,M,,*6B\r\n",
    ];
    let mut decoder = Decoder::with_pause(Duration::from_millis(1500));
    let mut events = Vec::new();
    for (at, second) in (0..).zip(seconds) {
        for (piece, bytes) in (0..).zip(second.as_bytes().chunks(16)) {
            events.extend(decoder.push(bytes, Duration::from_millis(1000 * at + 16 * piece)));
        }
    }
    events.extend(decoder.finish());
    let speeds: Vec<_> = common::fixes(events).iter().map(|fix| fix.speed_kn).collect();
    assert_eq!(speeds, [None, Some(11.0), Some(12.0)]);
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_cut_before_what_leads() {
    use tokio::io::AsyncReadExt;
    use tracker_sensors::gps::ByteSource;

    let path = common::data("nmea/cases/vtg-leads.nmea");
    let mut line = Replay::open(path, AtEnd::FallSilent).unwrap().open().await.unwrap();
    let mut buffer = [0; 1024];
    for _ in 0..3 {
        let length = line.read(&mut buffer).await.unwrap();
        assert!(buffer[..length].starts_with(b"$GPVTG"));
    }
}

#[test]
fn a_contradiction_is_told_as_such() {
    assert_eq!(refusals("gga-quality-0-rmc-a"), [NoFix::Contradictory, NoFix::Contradictory]);
}

#[test]
fn a_clock_that_runs_without_a_fix_brings_nothing() {
    assert_eq!(refusals("cold-start-void-1980"), [NoFix::Denied, NoFix::Denied]);
}

#[test]
fn what_is_not_measured_is_no_fix() {
    assert_eq!(refusals("dead-reckoning"), [NoFix::Estimated, NoFix::Estimated]);
    assert_eq!(fixes("dead-reckoning").len(), 1);
}

/// The navigational status of NMEA 4.10 says nothing of the fix: most receivers send V, "not told".
#[test]
fn fields_of_newer_versions_disturb_nothing() {
    let (events, decoder) = events("modern-fields");
    let fixes = common::fixes(events);
    let speeds: Vec<_> = fixes.iter().map(|fix| fix.speed_kn.unwrap()).collect();
    assert_eq!(speeds, [3.254, 0.2, 1.91]);
    assert!(fixes.iter().all(|fix| fix.date.unwrap().to_string() == "2026-11-27"));
    assert_eq!(decoder.counts().unreadable, 1, "a quality in words is none");
}

#[test]
fn lines_without_a_checksum_are_counted_and_do_not_count() {
    let (events, decoder) = events("no-checksum");
    assert!(events.is_empty());
    let lines = decoder.counts().lines;
    assert_eq!((lines.without_checksum, lines.sentences, lines.bad_checksum), (4, 0, 0));
}

#[test]
fn a_recording_says_what_it_has_in_place_of_a_fix() {
    let lack = |bytes: &[u8]| Replay::new("log", bytes, Duration::ZERO, AtEnd::Loop).lack();
    let case = |name: &str| std::fs::read(common::data("nmea/cases").join(format!("{name}.nmea"))).unwrap();
    assert_eq!(lack(&case("vtg-leads")), None);
    assert_eq!(lack(&case("cold-start-void-1980")), Some("holds no fix, only epochs without one"));
    assert_eq!(lack(&case("no-checksum")), Some("holds sentences without checksums, which don't count"));
    assert_eq!(lack(b"$GPGSV,1,1,00*79\r\n"), Some("holds no sentence with a position (RMC, GGA, GNS, GLL)"));
    assert_eq!(lack(b"<html>"), Some("holds no NMEA sentence"));
}
