//! Any bytes, in pieces of any size, from a client of the service port, right tokens in the place of `{HUB}`, `{DPS}` and
//! `{DEVICE}`: nothing panics, from the head of the request to what an upgrade leads to.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use tracker_emulator::fuzzing::Web;

/// After so many clients the services are made anew: what they keep would grow.
const CLIENTS: u32 = 2000;

thread_local! {
    static WEB: RefCell<(Option<Web>, u32)> = const { RefCell::new((None, 0)) };
}

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    WEB.with_borrow_mut(|(web, count)| {
        if *count == 0 {
            *web = Web::new();
        }
        *count = (*count + 1) % CLIENTS;
        let web = web.as_ref().expect("services");
        let bytes = web.with_tokens(bytes);
        web.talk(bytes.chunks(usize::from(size).max(1) * 16));
    });
});
