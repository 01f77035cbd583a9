//! Direct methods of devices that are online, called as a service calls them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;

use super::places::Witness;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Clients;
use crate::lab::load::{Latency, Shared};

/// Calls under way at a time.
const AT_ONCE: u32 = 16;
/// Tries to find a device that is online.
const TRIES: usize = 100;

/// Begins to call so many a second, until the program ends.
pub(super) fn begin(shared: &Arc<Shared>, witnesses: &[Witness], a_second: u32) -> anyhow::Result<()> {
    if a_second == 0 {
        return Ok(());
    }
    let mut hubs = Vec::new();
    for witness in witnesses {
        let Witness::Directory(directory) = witness else {
            anyhow::bail!("--methods is for emulators whose directory is given with --emulator");
        };
        hubs.push(Clients::of_emulator(directory)?.hubs);
    }
    let hubs = Arc::new(hubs);
    let callers = a_second.min(AT_ONCE);
    for caller in 0..callers {
        let (shared, hubs) = (Arc::clone(shared), Arc::clone(&hubs));
        let apart = Duration::from_secs(1) * callers / a_second;
        let first = apart * caller / callers;
        let work = move || call_on(&shared, &hubs, first, apart);
        std::thread::Builder::new().name("methods".into()).spawn(work).context("no thread")?;
    }
    Ok(())
}

fn call_on(shared: &Shared, hubs: &[Vec<(String, Client)>], first: Duration, apart: Duration) {
    let mut due = Instant::now() + first;
    loop {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // What can't be kept up with is not made up for.
        due = (due + apart).max(Instant::now());
        let Some((number, hub)) = device(shared, hubs) else { continue };
        let name = shared.name(number);
        let body = json!({"methodName": "load", "payload": null, "responseTimeoutInSeconds": 30});
        let begun = Instant::now();
        match hub.call(Call::post(&["twins", &name, "methods"]).json(&body)) {
            Ok(_) => shared.tally.took(Latency::Method, begun.elapsed()),
            // One that has just left is no fault.
            Err(_) if shared.hub_of(number).is_none() => {}
            Err(error) => shared.tally.method_failed(format!("{name}: {error:#}")),
        }
    }
}

/// Some device that is online, and its hub.
fn device<'a>(shared: &Shared, hubs: &'a [Vec<(String, Client)>]) -> Option<(u32, &'a Client)> {
    let found = (0..TRIES).find_map(|_| {
        let number = shared.span.first + rand::random_range(0..shared.span.count.max(1));
        Some((number, shared.hub_of(number)?))
    });
    let (number, hub) = found?;
    Some((number, &hubs.get(shared.place_of(number))?.get(hub)?.1))
}
