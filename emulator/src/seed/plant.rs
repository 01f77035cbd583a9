//! One entry of a seed on its way into the cloud. `Err` says what is wrong with it.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    dps::Dps,
    etag::IfMatch,
    hub::Hub,
    rest::{enter_device, read_enrollment},
};

/// The newest version of DPS that is known here.
const API_VERSION: &str = "2026-11-01";

/// The largest certificate.
const MAX_CERTIFICATE: u64 = 64 * 1024;

/// What a device may say. Other names are slips of the pen.
const DEVICE: [&str; 10] = [
    "id",
    "hub",
    "status",
    "statusReason",
    "authentication",
    "capabilities",
    "tags",
    "properties",
    "deviceScope",
    "parentScopes",
];

/// What a module may say.
const MODULE: [&str; 7] = ["id", "moduleId", "hub", "managedBy", "authentication", "tags", "properties"];

/// By what an entry is known to people.
pub(super) fn name_of(entry: &Value) -> Option<&str> {
    ["id", "registrationId", "enrollmentGroupId", "name", "fault"]
        .iter()
        .find_map(|member| entry[*member].as_str())
}

pub(super) fn one(dps: &Dps, list: &str, entry: &Value, directory: &Path) -> Result<(), String> {
    if !entry.is_object() {
        return Err("is not an object".into());
    }
    match list {
        "certificates" => certificate(dps, entry, directory),
        "enrollmentGroups" => {
            let group = read_enrollment(entry.clone(), text(entry, "enrollmentGroupId")?, API_VERSION)?;
            let groups = dps.groups();
            let known = groups.get(text(entry, "enrollmentGroupId")?).is_ok();
            let done = if known { groups.update(group, &IfMatch::Any) } else { groups.create(group) };
            done.map(drop).map_err(|error| error.to_string())
        }
        "enrollments" => {
            let enrollment = read_enrollment(entry.clone(), text(entry, "registrationId")?, API_VERSION)?;
            let individuals = dps.individuals();
            let known = individuals.get(text(entry, "registrationId")?).is_ok();
            let done = if known {
                individuals.update(enrollment, &IfMatch::Any)
            } else {
                individuals.create(enrollment)
            };
            done.map(drop).map_err(|error| error.to_string())
        }
        "devices" => identity(dps, entry, &DEVICE, |hub| Ok(hub.device(text(entry, "id")?).is_ok())),
        "modules" => identity(dps, entry, &MODULE, |hub| {
            let module_id = text(entry, "moduleId")?;
            Ok(hub.module(text(entry, "id")?, module_id).is_ok())
        }),
        _ => dps.faults().inject_json(entry.clone()).map(drop),
    }
}

fn text<'e>(entry: &'e Value, member: &str) -> Result<&'e str, String> {
    entry[member].as_str().ok_or_else(|| format!("needs {member}, a text"))
}

fn certificate(dps: &Dps, entry: &Value, directory: &Path) -> Result<(), String> {
    let name = text(entry, "name")?;
    let pem = match (entry["certificate"].as_str(), entry["certificatePath"].as_str()) {
        (Some(pem), None) => pem.to_owned(),
        (None, Some(path)) => {
            // One that is named in full stays as it is.
            let path = directory.join(path);
            let shown = path.display();
            let about = fs::metadata(&path).map_err(|error| format!("names {shown}: {error}"))?;
            if about.len() > MAX_CERTIFICATE {
                return Err(format!("names {shown}, which is larger than a certificate"));
            }
            fs::read_to_string(&path).map_err(|error| format!("names {shown}: {error}"))?
        }
        _ => return Err("needs either certificate or certificatePath".into()),
    };
    let certificates = dps.certificates();
    let done = if certificates.get(name).is_ok() {
        certificates.replace_if(name, &pem, true, &IfMatch::Any)
    } else {
        certificates.upload_verified(name, &pem)
    };
    done.map(drop).map_err(|error| error.to_string())
}

/// Identity and twin of a device, or of a module of it; what is there already is changed.
fn identity(
    dps: &Dps,
    entry: &Value,
    known: &[&str],
    is_there: impl Fn(&Hub) -> Result<bool, String>,
) -> Result<(), String> {
    let members = entry.as_object().into_iter().flat_map(|members| members.keys());
    if let Some(unknown) = members.into_iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("has no {unknown}, but {}", known.join(", ")));
    }
    let id = text(entry, "id")?;
    let hub = hub_of(dps, &entry["hub"])?;
    let is_new = !is_there(&hub)?;
    enter_device(&hub, entry, id, if is_new { "create" } else { "update" })?;
    if !is_new && (!entry["tags"].is_null() || !entry["properties"].is_null()) {
        enter_device(&hub, entry, id, "updateTwin")?;
    }
    Ok(())
}

fn hub_of(dps: &Dps, named: &Value) -> Result<Hub, String> {
    match named {
        Value::Null => dps.hubs().into_iter().next().ok_or_else(|| "needs a hub, and there is none".into()),
        Value::String(name) => dps.hub(name).ok_or_else(|| {
            let known: Vec<_> = dps.hubs().iter().map(|hub| hub.name().to_owned()).collect();
            format!("names the hub \"{name}\"; there is {}", known.join(", "))
        }),
        _ => Err(format!("needs a text as hub, not {}", json!(named))),
    }
}
