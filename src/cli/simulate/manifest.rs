//! What is in the containers, as tags of their twins: whoever loads them tells the hub, and not the device.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::task::JoinHandle;
use tracker_emulator::{Emulator, EventKind, Hub, IfMatch, SubscriptionError, TwinPatch};

/// Cargo and voyage of each container, which are written into a twin whenever there is a new one.
#[derive(Clone, Default)]
pub(super) struct Manifest(Arc<Mutex<BTreeMap<String, Load>>>);

struct Load {
    cargo: String,
    voyage: String,
}

impl Manifest {
    /// This is loaded.
    pub(super) fn load(&self, device: &str, cargo: &str, voyage: &str) {
        let load = Load { cargo: cargo.into(), voyage: voyage.into() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(device.into(), load);
    }

    /// Tells the hub of each device that is assigned to it. Ends with the emulator.
    pub(super) fn keep(&self, emulator: &Emulator, hub: &Hub) -> JoinHandle<()> {
        let (manifest, hub, mut events) = (self.clone(), hub.clone(), emulator.events());
        tokio::spawn(async move {
            loop {
                match events.next().await {
                    Ok(event) => {
                        if let EventKind::Assigned { device_id, .. } = &event.kind {
                            manifest.tell(&hub, device_id);
                        }
                    }
                    // Who was missed has no tags, and that is all.
                    Err(SubscriptionError::Lagged(_)) => {}
                    Err(SubscriptionError::Closed) => return,
                }
            }
        })
    }

    fn tell(&self, hub: &Hub, device: &str) {
        let loads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Load { cargo, voyage }) = loads.get(device) else { return };
        let tags = json!({"cargo": cargo, "voyage": voyage}).as_object().cloned();
        // A device that has just been deleted again has no twin.
        let _ = hub.update_twin(device, TwinPatch { tags, desired: None }, &IfMatch::Any);
    }
}
