//! Any bytes, in pieces of any size, from an MQTT client: nothing panics, and the pieces make no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracker_emulator::fuzzing::mqtt_packets;

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    let whole = mqtt_packets([bytes]);
    let pieces = mqtt_packets(bytes.chunks(usize::from(size).max(1)));
    assert_eq!(whole, pieces);
});
