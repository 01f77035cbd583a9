//! Device identities.

use serde_json::{Value, json};

use super::HubRefusal;
use crate::{
    etag::IfMatch,
    hub::{
        Authentication, AuthenticationType, Device, DeviceSettings, Hub, HubError, check_device_id,
        module_address,
    },
    rest::{
        answer::{self, Answer},
        call::Call,
        paging::MAX_PAGE,
    },
    security::keys::SymmetricKey,
};

pub(super) fn get(hub: &Hub, device_id: &str) -> Result<Answer, HubRefusal> {
    Ok(tagged(&hub.device(device_id)?))
}

pub(super) fn delete(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    hub.delete_if(device_id, &call.if_match().unwrap_or(IfMatch::Any))?;
    Ok(answer::no_content())
}

fn tagged(device: &Device) -> Answer {
    answer::with_etag(answer::json(200, device), &device.etag)
}

/// The devices in the order of their IDs; `top` at most, a thousand unless said otherwise.
pub(super) fn list(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let top = call.top(MAX_PAGE).map_err(HubRefusal::bad_request)?;
    let mut devices = hub.devices();
    devices.truncate(top);
    Ok(answer::json(200, &devices))
}

/// Creates without `If-Match`, updates with it.
pub(super) fn put(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let named = &body["deviceId"];
    if !named.is_null() && named.as_str() != Some(device_id) {
        return Err(HubRefusal::bad_request(format!(
            "deviceId in the body is not the one in the path, \"{device_id}\""
        )));
    }
    let settings = settings(&body)?;
    let device = match call.if_match() {
        None => hub.create_device_with(device_id, settings)?,
        Some(condition) => hub.update_device(device_id, settings, &condition)?,
    };
    Ok(tagged(&device))
}

/// Reads what clients say of a device: nulls count as absent, and what the hub sets is passed over.
pub(super) fn settings(body: &Value) -> Result<DeviceSettings, HubRefusal> {
    if !body.is_object() {
        return Err(HubRefusal::bad_request("the body is not a JSON object"));
    }
    let defaults = DeviceSettings::default();
    let reason = &body["statusReason"];
    Ok(DeviceSettings {
        status: member(body, "status")?.unwrap_or(defaults.status),
        status_reason: reason.as_str().filter(|reason| !reason.is_empty()).map(str::to_owned),
        authentication: match &body["authentication"] {
            Value::Null => defaults.authentication,
            given => authentication(given)?,
        },
        capabilities: member(body, "capabilities")?.unwrap_or_default(),
        device_scope: member(body, "deviceScope")?,
        parent_scopes: member(body, "parentScopes")?,
    })
}

pub(super) fn authentication(given: &Value) -> Result<Authentication, HubRefusal> {
    let thumbprint = |name: &str| {
        let text = given["x509Thumbprint"][name].as_str();
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let x509_thumbprint = crate::hub::X509Thumbprint {
        primary_thumbprint: thumbprint("primaryThumbprint"),
        secondary_thumbprint: thumbprint("secondaryThumbprint"),
    };
    let has_thumbprint =
        x509_thumbprint.primary_thumbprint.is_some() || x509_thumbprint.secondary_thumbprint.is_some();
    let kind = member(given, "type")?.unwrap_or(if has_thumbprint {
        AuthenticationType::SelfSigned
    } else {
        AuthenticationType::Sas
    });
    Ok(Authentication {
        kind,
        symmetric_key: member::<SymmetricKey>(given, "symmetricKey")?.unwrap_or_default(),
        x509_thumbprint,
    })
}

pub(super) fn member<T: serde::de::DeserializeOwned>(
    object: &Value,
    name: &'static str,
) -> Result<Option<T>, HubRefusal> {
    match &object[name] {
        Value::Null => Ok(None),
        given => serde_json::from_value(given.clone())
            .map(Some)
            .map_err(|error| HubRefusal::bad_request(format!("{name}: {error}"))),
    }
}

/// `{"policyKey":"primaryKey" | "secondaryKey" | "both","devices":[{"id","moduleId"?}]}`. A key that was not made anew is null in
/// the answer.
pub(super) fn regenerate_keys(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let (primary, secondary) = match body["policyKey"].as_str().unwrap_or_default() {
        "primaryKey" => (true, false),
        "secondaryKey" => (false, true),
        "both" => (true, true),
        _ => return Err(HubRefusal::bad_request("policyKey has to be primaryKey, secondaryKey or both")),
    };
    let devices =
        body["devices"].as_array().ok_or_else(|| HubRefusal::bad_request("devices is not a list"))?;
    let (mut rotated, mut errors) = (Vec::new(), Vec::new());
    for device in devices {
        let id = device["id"].as_str().unwrap_or_default();
        let module_id = device["moduleId"].as_str();
        let address = module_id.map_or_else(|| id.to_owned(), |module_id| module_address(id, module_id));
        let renewed = match check_device_id(id) {
            Ok(()) => hub.renew_keys(&address, primary, secondary),
            Err(why) => Err(HubError::ArgumentInvalid(why)),
        };
        let (list, mut entry) = match renewed {
            Ok(keys) => {
                let (one, other) =
                    (keys.primary_key.filter(|_| primary), keys.secondary_key.filter(|_| secondary));
                (&mut rotated, json!({"id": id, "primaryKey": one, "secondaryKey": other}))
            }
            Err(error) => {
                let (code, status) = (error.error_code(), error.to_string());
                (&mut errors, json!({"id": id, "errorCode": code, "errorStatus": status}))
            }
        };
        if let Some(module_id) = module_id {
            entry["moduleId"] = module_id.into();
        }
        list.push(entry);
    }
    Ok(answer::json(200, &json!({"policyKey": body["policyKey"], "errors": errors, "rotatedKeys": rotated})))
}
