//! Several devices in one request, each done or refused by itself (`ExportImportDevice`).

use serde_json::{Value, json};

use super::{HubRefusal, devices::settings, modules::settings as module_settings, twins::patch};
use crate::{
    etag::IfMatch,
    hub::{Hub, check_device_id, module_address},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

/// Devices in one request.
const MAX_ENTRIES: usize = 100;

pub(super) fn respond(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let entries =
        body.as_array().filter(|entries| (1..=MAX_ENTRIES).contains(&entries.len())).ok_or_else(|| {
            HubRefusal::bad_request(format!("the body has to be a list of 1 to {MAX_ENTRIES} devices"))
        })?;
    let mut errors = Vec::new();
    for entry in entries {
        let id = entry["id"].as_str().unwrap_or_default();
        let mode = entry["importMode"].as_str().unwrap_or("create");
        if let Err(refusal) = apply(hub, entry, id, mode) {
            errors.push(json!({
                "deviceId": id,
                "errorCode": refusal.name,
                "errorStatus": refusal.message,
                "moduleId": entry["moduleId"],
                "operation": mode,
            }));
        }
    }
    // Azure calls the whole request bad when an entry is; clients read the list all the same.
    let status = if errors.is_empty() { 200 } else { 400 };
    let result = json!({ "isSuccessful": errors.is_empty(), "errors": errors, "warnings": [] });
    Ok(answer::json(status, &result))
}

fn apply(hub: &Hub, entry: &Value, id: &str, mode: &str) -> Result<(), HubRefusal> {
    check_device_id(id).map_err(HubRefusal::bad_request)?;
    if let Some(module_id) = entry["moduleId"].as_str().filter(|id| !id.is_empty()) {
        return apply_to_module(hub, entry, (id, module_id), mode);
    }
    let condition = |member: &str| condition(entry, member);
    match mode.to_ascii_lowercase().as_str() {
        "create" => create(hub, entry, id),
        "createorupdate" | "createorupdateifmatchetag" if hub.device(id).is_err() => create(hub, entry, id),
        "update" | "createorupdate" => {
            hub.update_device(id, settings(entry)?, &IfMatch::Any).map(drop).map_err(HubRefusal::from)
        }
        "updateifmatchetag" | "createorupdateifmatchetag" => {
            hub.update_device(id, settings(entry)?, &condition("eTag")).map(drop).map_err(HubRefusal::from)
        }
        "delete" => hub.delete(id).map_err(HubRefusal::from),
        "deleteifmatchetag" => hub.delete_if(id, &condition("eTag")).map_err(HubRefusal::from),
        "updatetwin" => hub.update_twin(id, patch(entry)?, &IfMatch::Any).map(drop).map_err(HubRefusal::from),
        "updatetwinifmatchetag" => {
            hub.update_twin(id, patch(entry)?, &condition("twinETag")).map(drop).map_err(HubRefusal::from)
        }
        _ => Err(unknown(mode)),
    }
}

/// The same for a module of a device.
fn apply_to_module(
    hub: &Hub,
    entry: &Value,
    (id, module_id): (&str, &str),
    mode: &str,
) -> Result<(), HubRefusal> {
    let mode = mode.to_ascii_lowercase();
    let address = module_address(id, module_id);
    let (twin_condition, condition) = (condition(entry, "twinETag"), condition(entry, "eTag"));
    let update = |condition: &IfMatch| {
        hub.update_module(id, module_id, module_settings(entry)?, condition).map_err(HubRefusal::from)
    };
    match mode.as_str() {
        "create" => create_module(hub, entry, id, module_id),
        "createorupdate" | "createorupdateifmatchetag" if hub.module(id, module_id).is_err() => {
            create_module(hub, entry, id, module_id)
        }
        "update" | "createorupdate" => update(&IfMatch::Any).map(drop),
        "updateifmatchetag" | "createorupdateifmatchetag" => update(&condition).map(drop),
        "delete" => hub.delete_module(id, module_id, &IfMatch::Any).map_err(HubRefusal::from),
        "deleteifmatchetag" => hub.delete_module(id, module_id, &condition).map_err(HubRefusal::from),
        "updatetwin" => Ok(hub.update_twin(&address, patch(entry)?, &IfMatch::Any).map(drop)?),
        "updatetwinifmatchetag" => Ok(hub.update_twin(&address, patch(entry)?, &twin_condition).map(drop)?),
        _ => Err(unknown(&mode)),
    }
}

fn unknown(mode: &str) -> HubRefusal {
    HubRefusal::bad_request(format!("the importMode \"{mode}\" is unknown"))
}

/// The entity tag in a member of an entry, or none.
fn condition(entry: &Value, member: &str) -> IfMatch {
    match entry[member].as_str().map(|etag| etag.trim_matches('"')) {
        None | Some("" | "*") => IfMatch::Any,
        Some(etag) => IfMatch::ETag(etag.to_owned()),
    }
}

fn create_module(hub: &Hub, entry: &Value, id: &str, module_id: &str) -> Result<(), HubRefusal> {
    let twin = patch(entry)?;
    hub.create_module(id, module_id, module_settings(entry)?)?;
    if twin.tags.is_some() || twin.desired.is_some() {
        let made = hub.update_twin(&module_address(id, module_id), twin, &IfMatch::Any);
        if let Err(error) = made {
            hub.delete_module(id, module_id, &IfMatch::Any)?;
            return Err(error.into());
        }
    }
    Ok(())
}

fn create(hub: &Hub, entry: &Value, id: &str) -> Result<(), HubRefusal> {
    let twin = patch(entry)?;
    hub.create_device_with(id, settings(entry)?)?;
    if twin.tags.is_some() || twin.desired.is_some() {
        let made = hub.update_twin(id, twin, &IfMatch::Any);
        if let Err(error) = made {
            // All of an entry or nothing of it.
            hub.delete(id)?;
            return Err(error.into());
        }
    }
    Ok(())
}
