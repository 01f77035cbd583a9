//! Any text as a shared access signature and as a query: nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracker_emulator::fuzzing::service_text;

fuzz_target!(|text: &str| {
    service_text(text);
});
