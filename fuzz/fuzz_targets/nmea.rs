//! Any bytes, in pieces of any size, from a GNSS receiver: nothing panics, every fix is sound, and the
//! pieces make no difference.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tracker_sensors::gps::{Decoder, Event};

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    let whole = decode([bytes]);
    let pieces = decode(bytes.chunks(usize::from(size).max(1)));
    assert_eq!(whole, pieces);
    for event in whole {
        let Event::Fix(fix) = event else { continue };
        assert!(fix.position.latitude.abs() <= 90.0);
        assert!(fix.position.longitude.abs() <= 180.0);
        let numbers = [fix.altitude_m, fix.speed_kn, fix.course_deg, fix.hdop];
        assert!(numbers.iter().flatten().all(|number| number.is_finite()));
        assert!(fix.end <= bytes.len() as u64);
    }
});

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = Decoder::new();
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(decoder.push(piece, Duration::ZERO));
    }
    events.extend(decoder.finish());
    events
}
