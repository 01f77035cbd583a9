//! The way out of a hub to one webhook or file: what is offered is delivered in order, each at least once, or told to be lost.
//!
//! ```text
//!  offer ─▶ waiting, bounded ─▶ worker ─▶ webhook │ file
//!              │ full              │ refused for good, too often, too late
//!              └──────▶ dead ◀─────┘──▶ dead letter file, if there is one; else dropped and counted
//! ```
//!
//! The first in the queue is tried until it is delivered or given up, so that what devices sent arrives in the order in which
//! they sent it. A worker lives as long as there is something to do. What waits outlives an orderly end of the emulator.

mod file;
mod parcel;
mod queue;
mod redelivery;
mod shared;
mod target;
mod worker;

use std::sync::Arc;

use tokio::{runtime::Handle, sync::watch};

pub(in crate::hub) use parcel::{KeptParcel, Parcel};
pub(crate) use queue::Health;
pub(in crate::hub) use redelivery::Redelivery;
pub(in crate::hub) use shared::OutletParts;
pub(in crate::hub) use target::Target;

use shared::Shared;
use worker::Worker;

use crate::lock::lock;

/// The way out to one target. When it is dropped, its worker ends, and what waits is gone.
pub(in crate::hub) struct Outlet {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
}

impl Outlet {
    pub(in crate::hub) fn new(parts: OutletParts, kept: Vec<KeptParcel>) -> Self {
        Self { shared: Arc::new(Shared::new(parts, kept)), stop: watch::Sender::new(false) }
    }

    /// Takes what is to be delivered.
    pub(in crate::hub) fn offer(&self, parcel: Parcel) {
        let has_room = lock(&self.shared.queue).put(parcel);
        if !has_room {
            self.shared.dead.notify_one();
        }
        self.work();
    }

    /// Sees to it that somebody works on what waits, where there is a runtime to do it on.
    pub(in crate::hub) fn work(&self) {
        let Ok(runtime) = Handle::try_current() else { return };
        if *self.stop.borrow() || !lock(&self.shared.queue).employ() {
            return;
        }
        let worker = Worker::new(Arc::clone(&self.shared), self.stop.subscribe());
        runtime.spawn(worker.run());
    }

    /// Lets the worker end, what waits stays.
    pub(in crate::hub) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// What has to outlive a restart.
    pub(in crate::hub) fn keep(&self) -> Vec<KeptParcel> {
        lock(&self.shared.queue).keep()
    }

    /// How it goes.
    pub(in crate::hub) fn health(&self) -> Health {
        lock(&self.shared.queue).health()
    }
}
