//! What an edge hub asks on behalf of the devices below it: refused by name.

use crate::{
    hub::Hub,
    rest::{answer::Answer, call::Call, hub::HubRefusal},
};

/// Says so, and what it was.
pub(super) fn refuse(_hub: &Hub, _device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let asked = call.segments.last().map(String::as_str).unwrap_or_default();
    Err(HubRefusal::not_implemented(&format!(
        "what edge hubs ask on behalf of devices below them ({asked}); such devices come to the emulator themselves"
    )))
}
