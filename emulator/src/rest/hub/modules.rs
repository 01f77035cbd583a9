//! Module identities. The path names them, so what is handed on here is the address of a module, or the ID of a device.

use serde_json::Value;

use super::{
    HubRefusal,
    devices::{authentication, member},
};
use crate::{
    etag::IfMatch,
    hub::{Hub, Module, ModuleSettings, split_address},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn list(hub: &Hub, device_id: &str) -> Result<Answer, HubRefusal> {
    Ok(answer::json(200, &hub.modules(device_id)?))
}

pub(super) fn get(hub: &Hub, address: &str) -> Result<Answer, HubRefusal> {
    let (device_id, module_id) = ids(address);
    Ok(tagged(&hub.module(device_id, module_id)?))
}

/// Creates without `If-Match`, updates with it.
pub(super) fn put(hub: &Hub, address: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let (device_id, module_id) = ids(address);
    let body = call.json().map_err(HubRefusal::bad_request)?;
    for (member, id) in [("deviceId", device_id), ("moduleId", module_id)] {
        let named = &body[member];
        if !named.is_null() && named.as_str() != Some(id) {
            return Err(HubRefusal::bad_request(format!(
                "{member} in the body is not the one in the path, \"{id}\""
            )));
        }
    }
    let settings = settings(&body)?;
    let module = match call.if_match() {
        None => hub.create_module(device_id, module_id, settings)?,
        Some(condition) => hub.update_module(device_id, module_id, settings, &condition)?,
    };
    Ok(tagged(&module))
}

pub(super) fn delete(hub: &Hub, address: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let (device_id, module_id) = ids(address);
    hub.delete_module(device_id, module_id, &call.if_match().unwrap_or(IfMatch::Any))?;
    Ok(answer::no_content())
}

/// Reads what clients say of a module: nulls count as absent, and what the hub sets is passed over.
pub(super) fn settings(body: &Value) -> Result<ModuleSettings, HubRefusal> {
    if !body.is_object() {
        return Err(HubRefusal::bad_request("the body is not a JSON object"));
    }
    Ok(ModuleSettings {
        authentication: match &body["authentication"] {
            Value::Null => ModuleSettings::default().authentication,
            given => authentication(given)?,
        },
        managed_by: member(body, "managedBy")?,
    })
}

fn ids(address: &str) -> (&str, &str) {
    let (device_id, module_id) = split_address(address);
    (device_id, module_id.unwrap_or_default())
}

fn tagged(module: &Module) -> Answer {
    answer::with_etag(answer::json(200, module), &module.etag)
}
