//! Several devices in one request, each done or refused by itself (`ExportImportDevice`).

use serde_json::{Value, json};

use super::{HubRefusal, devices::settings, twins::patch};
use crate::{
    etag::IfMatch,
    hub::Hub,
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
                "moduleId": null,
                "operation": mode,
            }));
        }
    }
    // Azure calls the whole request bad when an entry is; clients read the list all the same.
    let status = if errors.is_empty() { 200 } else { 400 };
    let result = json!({ "isSuccessful": errors.is_empty(), "errors": errors, "warnings": [] });
    Ok(answer::json(status, &result))
}

/// Does with one device what the mode says.
pub(super) fn apply(hub: &Hub, entry: &Value, id: &str, mode: &str) -> Result<(), HubRefusal> {
    if !entry["moduleId"].is_null() {
        return Err(HubRefusal::not_implemented("module identities"));
    }
    let condition = |member: &str| match entry[member].as_str().map(|etag| etag.trim_matches('"')) {
        None | Some("" | "*") => IfMatch::Any,
        Some(etag) => IfMatch::ETag(etag.to_owned()),
    };
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
        _ => Err(HubRefusal::bad_request(format!("the importMode \"{mode}\" is unknown"))),
    }
}

/// The same for whoever is no client. `Err` says why not, in words.
pub(crate) fn enter_device(hub: &Hub, entry: &Value, id: &str, mode: &str) -> Result<(), String> {
    apply(hub, entry, id, mode).map_err(|refusal| refusal.message)
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
