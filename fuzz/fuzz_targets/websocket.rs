//! Any bytes, in pieces of any size, from the client of a WebSocket: nothing panics, no more comes out than went in, and the
//! pieces make no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracker_emulator::fuzzing::websocket;

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    let is_echoed = size & 1 == 1;
    let whole = websocket([bytes], is_echoed);
    let pieces = websocket(bytes.chunks(usize::from(size / 2).max(1)), is_echoed);
    assert_eq!(whole, pieces);
    assert!(whole.0.len() <= bytes.len());
});
