//! What is reported of the device beside its answers to desired properties.

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::identity::Identity;
use crate::platform::timestamp::Timestamp;
use crate::uplink::session::device::Device;
use crate::uplink::session::last_news::{LAST, LastNews};

/// All that is reported: the `answers`, and how the device is.
pub(super) fn properties(device: &mut Device, answers: Map<String, Value>) -> Map<String, Value> {
    let Device { status, identity, renewal, .. } = &mut *device;
    let mut properties = answers;
    properties.extend(status.reported());
    if let Some(identity) = identity.borrow().as_ref().filter(|identity| !identity.has_no_certificate()) {
        let mut certificate = validity(identity);
        if let Some(renewal) = renewal {
            renewal.report(&mut certificate);
        }
        properties.insert("certificate".into(), certificate);
    }
    if let Some(last) = last(device) {
        properties.insert(LAST.into(), last);
    }
    let Device { twin, waiting, .. } = device;
    waiting.settle(&mut properties, twin, Instant::now());
    properties
}

/// Where the container was last, where that is to be reported now.
pub(super) fn last(device: &Device) -> Option<Value> {
    let every = device.settings.last_interval();
    let sighting = device.status.sighting.borrow();
    let patience = every.duration().unwrap_or_default();
    let awaits_position = device.status.position.is_some() && device.started.elapsed() < patience;
    let news = LastNews { every, sighting: sighting.as_ref(), awaits_position };
    news.is_due(device.twin.last_reported(LAST)).then(|| news.value())
}

/// Whether it is.
pub(super) fn is_last_due(device: &Device) -> bool {
    last(device).is_some()
}

/// From when until when the certificate in use is valid.
fn validity(identity: &Identity) -> Value {
    let Identity { not_before, not_after, .. } = identity;
    json!({"validFrom": Timestamp(*not_before), "validUntil": Timestamp(*not_after)})
}
