//! What is reported of the device beside its answers to desired properties.

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::identity::Identity;
use crate::platform::timestamp::Timestamp;
use crate::uplink::session::device::Device;

/// All that is reported: the `answers`, and how the device is.
pub(super) fn properties(device: &mut Device, answers: Map<String, Value>) -> Map<String, Value> {
    let Device { status, identity, renewal, twin, waiting, .. } = device;
    let mut properties = answers;
    properties.extend(status.reported());
    if let Some(identity) = &*identity.borrow() {
        let mut certificate = validity(identity);
        if let Some(renewal) = renewal {
            renewal.report(&mut certificate);
        }
        properties.insert("certificate".into(), certificate);
    }
    waiting.settle(&mut properties, twin, Instant::now());
    properties
}

/// From when until when the certificate in use is valid.
fn validity(identity: &Identity) -> Value {
    let Identity { not_before, not_after, .. } = identity;
    json!({"validFrom": Timestamp(*not_before), "validUntil": Timestamp(*not_after)})
}
