//! A hub for the stories, by the client of `cloud`.

use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;
use tracker_emulator::Emulator;

use crate::cli::cloud::EmulatorFile;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::hub_in;
use crate::lab::hub_service::{HubService, Verb};

struct ByRest(Client);

impl HubService for ByRest {
    fn call(&self, verb: Verb, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        let call = match verb {
            Verb::Get => Call::get(path),
            Verb::Put => Call::put(path, body),
            Verb::Post if body.is_null() => Call::post(path),
            Verb::Post => Call::post(path).json(body),
            Verb::Delete => Call::delete(path),
        };
        self.0.call(call)
    }
}

/// The hub of this name.
pub(super) fn open(emulator: &Emulator, hub: &str) -> anyhow::Result<Arc<dyn HubService>> {
    let file = EmulatorFile::of(emulator, None).context("the emulator has no port for services")?;
    Ok(Arc::new(ByRest(hub_in(&file, hub)?)))
}
