//! What an outlet and its worker have together.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;

use super::{parcel::KeptParcel, queue::Queue, redelivery::Redelivery, target::Target};
use crate::clock::Clock;

/// What an outlet is made of.
#[derive(Clone)]
pub(in crate::hub) struct OutletParts {
    /// For the log: a target's address may have a secret in it.
    pub name: String,
    pub target: Target,
    /// Takes what can't be delivered.
    pub dead_letters: Option<PathBuf>,
    pub redelivery: Redelivery,
    pub clock: Arc<dyn Clock>,
}

pub(super) struct Shared {
    pub parts: OutletParts,
    pub queue: Mutex<Queue>,
    /// There is something new for a worker that waits: a dead letter.
    pub dead: Notify,
}

impl Shared {
    pub(super) fn new(parts: OutletParts, kept: Vec<KeptParcel>) -> Self {
        Self { parts, queue: Mutex::new(Queue::restore(kept)), dead: Notify::new() }
    }
}
