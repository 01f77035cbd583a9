//! The service API of a hub, for those who stand below the commands and may not call one.

use std::sync::Arc;

use serde_json::Value;
use tracker_emulator::Emulator;

/// What is to be done with what a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Put,
    Post,
    Delete,
}

/// A hub, called over HTTPS with all rights.
pub(crate) trait HubService: Send + Sync {
    /// Calls, and gives the answer's JSON; the error says what the hub has said. A body that is null is none.
    fn call(&self, verb: Verb, path: &[&str], body: &Value) -> anyhow::Result<Value>;
}

/// The hub of this name of an emulator that runs.
pub(crate) type OpenHub = fn(emulator: &Emulator, hub: &str) -> anyhow::Result<Arc<dyn HubService>>;
