//! Odd but legal sentences, and damaged ones with a right checksum.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use chrono::Timelike;
use common::decode;
use tracker_sensors::gps::{Decoder, Event, Fix, Kind, NoFix};

fn stream(bodies: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for body in bodies {
        let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        bytes.extend(format!("${body}*{checksum:02x}\n").bytes());
    }
    bytes
}

fn fix_of(bodies: &[&str]) -> Fix {
    let fixes = decode([&stream(bodies)[..]]);
    assert_eq!(fixes.len(), 1, "{bodies:?}");
    fixes[0].clone()
}

fn refusal_of(bodies: &[&str]) -> NoFix {
    let mut decoder = Decoder::new();
    let mut events = decoder.push(&stream(bodies), std::time::Duration::ZERO);
    events.extend(decoder.finish());
    match events[..] {
        [Event::NoFix { reason, .. }] => reason,
        _ => panic!("{bodies:?} gave {events:?}"),
    }
}

#[test]
fn a_leap_second_is_a_time() {
    let fix = fix_of(&["GNRMC,235960.00,A,0100.0000,S,00200.0000,E,0.1,,311226,,,A"]);
    assert_eq!((fix.time.hour(), fix.time.minute(), fix.time.second()), (23, 59, 59));
    assert_eq!(fix.time.nanosecond(), 1_000_000_000);
    assert_eq!(fix.utc().expect("a date was given").to_rfc3339(), "2026-12-31T23:59:60+00:00");
}

#[test]
fn six_satellite_systems_and_no_quality_digit() {
    let fix = fix_of(&["GNGNS,074150.799,3124.1000,N,12130.2000,E,NNAADN,17,0.8,12.3,9.1,,,V"]);
    assert_eq!(fix.sources, [Kind::Gns]);
    assert_eq!(
        (fix.satellites, fix.hdop, fix.altitude_m, fix.quality),
        (Some(17), Some(0.8), Some(12.3), None)
    );
}

#[test]
fn the_old_form_of_gll_has_no_mode() {
    assert_eq!(fix_of(&["GPGLL,4527.458,S,16709.165,E,225309,A"]).sources, [Kind::Gll]);
    assert_eq!(refusal_of(&["GPGLL,4527.458,S,16709.165,E,225309,V"]), NoFix::Denied);
}

#[test]
fn speed_comes_with_and_without_a_course_in_the_old_form_and_the_new() {
    let motion = |vtg: &str| {
        let fix = fix_of(&["GPGGA,120000,4807.038,N,01131.324,E,1,08,0.9,545.4,M,46.9,M,,", vtg]);
        (fix.speed_kn, fix.course_deg)
    };
    assert_eq!(motion("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A"), (Some(5.5), Some(54.7)));
    assert_eq!(motion("GPVTG,,T,,M,0.013,N,0.025,K,D"), (Some(0.013), None));
    assert_eq!(motion("GPVTG,054.7,034.4,005.5,010.2"), (Some(5.5), Some(54.7)));
    assert_eq!(motion("GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,N"), (None, None));
}

#[test]
fn sentences_about_satellites_and_errors_disturb_no_fix() {
    let fix = fix_of(&[
        "GNRMC,120000,A,4807.038,N,01131.324,E,1.0,2.0,010126,,,A,V",
        "GNGBS,120000,1.4,1.3,3.1,03,,-21.4,3.8,1,0",
        "GPGSV,1,1,01,20,-5,058,40,1",
        "GPGSV,1,1,01,20,76,058,40,8",
        "GNGSA,A,3,20,,,,,,,,,,,,2.7,1.4,2.3,1",
        "PUBX,00,120000,4807.038,N,01131.324,E,1,G3,1,1,99.0,270.0,0,,1.4,2.3,1.4,8,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0",
    ]);
    assert_eq!((fix.speed_kn, fix.course_deg), (Some(1.0), Some(2.0)));
}

#[test]
fn a_damaged_date_costs_only_the_date() {
    let fix = fix_of(&["GPRMC,000231.099,A,4829.0005,N,00022.0015,E,0.15,212.28,2208-1,,,A"]);
    assert_eq!(fix.date, None);
    assert_eq!(fix.course_deg, Some(212.28));
}

#[test]
fn years_from_80_on_are_of_the_last_century() {
    let rmc = |date: &str| fix_of(&[&format!("GPRMC,120000,A,0100.0,N,00200.0,E,,,{date},,")]).date;
    assert_eq!(rmc("060180").unwrap().to_string(), "1980-01-06");
    assert_eq!(rmc("311299").unwrap().to_string(), "1999-12-31");
    assert_eq!(rmc("010100").unwrap().to_string(), "2000-01-01");
    assert_eq!(rmc("311279").unwrap().to_string(), "2079-12-31");
    assert_eq!(rmc("310226"), None);
}

#[test]
fn a_position_that_cannot_be_is_no_fix() {
    for place in [
        "36000.0000,N,72000.0000,E",
        "8961.000000,N,00000.000000,E",
        "8960.000001,N,00000.000000,E",
        "9060.0,N,00100.0,E",
        "9000.0001,N,00100.0,E",
        "0100.0,N,18000.0001,E",
        "4807.038,X,01131.324,E",
        "nan,N,inf,E",
        "48-7.03,N,01131.324,E",
        "0000.0000,N,00000.0000,E",
        ",,,",
    ] {
        let rmc = format!("GPRMC,120000,A,{place},1.0,2.0,010126,,,A");
        assert_eq!(refusal_of(&[&rmc]), NoFix::NoPosition, "{place}");
    }
    assert_eq!(fix_of(&["GPRMC,120000,A,9000.0,S,18000.0,W,,,010126,,,A"]).position.latitude, -90.0);
}

#[test]
fn minutes_that_were_rounded_up_to_sixty_are_the_next_degree() {
    let place = |text: &str| fix_of(&[&format!("GPRMC,120000,A,{text},,,010126,,,A")]).position;
    assert_eq!(place("5159.9999,N,00460.0000,E").longitude, 5.0);
    assert_eq!(place("5160.00,S,00500.0,W").latitude, -52.0);
    assert_eq!(place("8960.0,N,17960.0,W").longitude, -180.0);
}

#[test]
fn leading_zeros_may_be_missing() {
    let place = |text: &str| fix_of(&[&format!("GPRMC,120000,A,{text},,,010126,,,A")]).position;
    let near = |value: f64, expected: f64| assert!((value - expected).abs() < 1e-9, "{value}");
    near(place("407.038,N,1131.324,E").latitude, 4.0 + 7.038 / 60.0);
    near(place("407.038,N,131.324,E").longitude, 1.0 + 31.324 / 60.0);
    near(place("31.324,N,0.5100,W").latitude, 31.324 / 60.0);
    near(place("31.324,N,0.5100,W").longitude, -0.51 / 60.0);
    near(place("31.324,N,.5,E").longitude, 0.5 / 60.0);
    near(place("31,N,5,E").longitude, 5.0 / 60.0);
}

#[test]
fn a_date_counts_only_with_a_fix() {
    let place = "4807.038,N,01131.324,E";
    let dates = |bodies: &[&str]| -> Vec<Option<String>> {
        decode([&stream(bodies)[..]]).iter().map(|fix| fix.date.map(|date| date.to_string())).collect()
    };
    let gga = |second: &str| format!("GPGGA,{second},{place},1,08,0.9,545.4,M,46.9,M,,");
    let void = "GPRMC,235958,V,,,,,0.00,0.00,060180,,,N";
    assert_eq!(dates(&[void, &gga("235959"), &gga("000000")]), [None, None]);
    // By itself it claims no fix: one that came while there was none is gone with it.
    let no_fix = "GPGGA,120000,,,,,0,00,,,M,,M,,";
    let zda = |second: &str, year: &str| format!("GPZDA,{second},06,01,{year},00,00");
    let came = dates(&[
        no_fix,
        &zda("120000", "1980"),
        &gga("120001"),
        &zda("120001", "2027"),
        &gga("120002"),
        &zda("120002", "2027"),
    ]);
    assert_eq!(came, [None, Some("2027-01-06".to_owned())]);
    // A date that came with a fix outlasts a tunnel.
    let rmc = format!("GPRMC,120000,A,{place},,,010126,,,A");
    let known = Some("2026-01-01".to_owned());
    assert_eq!(dates(&[&rmc, void, &gga("120010")])[0], known);
}

#[test]
fn numbers_left_over_from_an_earlier_fix_are_no_fix() {
    assert_eq!(refusal_of(&["GPRMC,120000,V,4807.038,N,01131.324,E,22.4,84.4,010126,,,N"]), NoFix::Denied);
    assert_eq!(refusal_of(&["GPGGA,120000,4807.038,N,01131.324,E,0,00,99.99,,M,,M,,"]), NoFix::Denied);
    assert_eq!(
        refusal_of(&[
            "GPRMC,120000,A,4807.038,N,01131.324,E,22.4,84.4,010126,,,A",
            "GPGGA,120000,4807.038,N,01131.324,E,0,00,99.99,,M,,M,,",
        ]),
        NoFix::Contradictory
    );
    assert_eq!(refusal_of(&["GPRMC,120000,A,4807.038,N,01131.324,E,1,2,010126,,,E"]), NoFix::Estimated);
    assert_eq!(refusal_of(&["GPGGA,120000,4807.038,N,01131.324,E,8,09,1.0,1,M,,M,,"]), NoFix::Estimated);
    assert_eq!(refusal_of(&["GPRMC,,A,4807.038,N,01131.324,E,1,2,010126,,,A"]), NoFix::NoTime);
}

#[test]
fn a_quality_beyond_the_standard_is_a_correction() {
    let fix = fix_of(&["GPGGA,120000,4807.038,N,01131.324,E,9,08,0.9,545.4,M,46.9,M,,"]);
    assert_eq!((fix.quality, fix.satellites), (Some(9), Some(8)));
}

#[test]
fn of_two_talkers_the_one_with_a_fix_counts() {
    let fix = fix_of(&[
        "GLGGA,120000,,,,,0,00,,,M,,M,,",
        "GPGGA,120000,4807.038,N,01131.324,E,1,08,0.9,545.4,M,46.9,M,,",
    ]);
    assert_eq!((fix.satellites, fix.altitude_m), (Some(8), Some(545.4)));
}

#[test]
fn other_talkers_and_proprietary_sentences_give_no_position() {
    let place = "120000,A,4807.038,N,01131.324,E,22.4,84.4,010126,,,A";
    for address in ["ECRMC", "APRMC", "PQRMC", "GPRMCX", "RMC"] {
        assert!(decode([&stream(&[&format!("{address},{place}")])[..]]).is_empty(), "{address}");
    }
    for address in ["GPRMC", "GNRMC", "BDRMC", "GQRMC", "INRMC", "IIRMC"] {
        assert_eq!(decode([&stream(&[&format!("{address},{place}")])[..]]).len(), 1, "{address}");
    }
}

#[test]
fn numbers_keep_the_digits_that_were_sent() {
    let fix = fix_of(&[
        "GPGGA,120000,4807.038,N,01131.324,E,1,08,0.97,1864.182,M,-44.296,M,1.4,0000",
        "GPRMC,120000,A,4807.038,N,01131.324,E,5.2,359.99,010126,,,A",
    ]);
    assert_eq!(fix.altitude_m, Some(1864.182));
    assert_eq!(fix.hdop, Some(0.97));
    assert_eq!(fix.speed_kn, Some(5.2));
    assert_eq!(fix.course_deg, Some(359.99));
    assert!((fix.speed_kmh().unwrap() - 9.6304).abs() < 1e-9);
}

#[test]
fn a_sentence_without_checksum_or_with_a_wrong_one_does_not_count() {
    let body = "GPRMC,120000,A,4807.038,N,01131.324,E,5.2,359.99,010126,,,A";
    assert!(decode([format!("${body}\r\n").as_bytes()]).is_empty());
    assert!(decode([format!("${body}*00\r\n").as_bytes()]).is_empty());
    assert!(decode([format!("${body}*zz\r\n").as_bytes()]).is_empty());
}

#[test]
fn midnight_carries_the_date_on() {
    let fixes = decode([&stream(&[
        "GPZDA,235959.00,31,12,2025,00,00",
        "GPGGA,235959.00,4807.038,N,01131.324,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,000000.00,4807.038,N,01131.324,E,1,08,0.9,545.4,M,46.9,M,,",
        "GPGGA,000001.00,4807.038,N,01131.324,E,1,08,0.9,545.4,M,46.9,M,,",
    ])[..]]);
    let dates: Vec<String> = fixes.iter().map(|fix| fix.utc().unwrap().to_rfc3339()).collect();
    assert_eq!(
        dates,
        ["2025-12-31T23:59:59+00:00", "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:01+00:00"]
    );
}
