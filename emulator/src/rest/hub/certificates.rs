//! The CA certificates of a hub by REST, an addition of ours: at Azure they are managed through Azure Resource Manager, below
//! `…/Microsoft.Devices/IotHubs/{name}`, whose members these are. There is no proof of possession: each counts as verified.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /certificates` | | 200 `{"value":[certificate]}` |
//! | `PUT /certificates/{name}` | `{"properties":{"certificate":"…"}}` | 200 certificate |
//! | `GET`, `DELETE /certificates/{name}` | | 200 certificate, 204 |

use serde_json::{Value, json};

use super::HubRefusal;
use crate::{
    clock::wire_time,
    hub::Hub,
    rest::{
        answer::{self, Answer},
        call::Call,
    },
    security::x509::X509CertificateInfo,
};

pub(super) fn list(hub: &Hub) -> Answer {
    let value: Vec<_> = hub.authorities().iter().map(|(name, info)| show(name, info)).collect();
    answer::json(200, &json!({ "value": value }))
}

pub(super) fn get(hub: &Hub, name: &str) -> Result<Answer, HubRefusal> {
    let authorities = hub.authorities();
    let known = authorities.get(name).ok_or_else(|| not_found(name))?;
    Ok(answer::json(200, &show(name, known)))
}

pub(super) fn put(hub: &Hub, name: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let text = body["properties"]["certificate"].as_str().ok_or_else(|| {
        HubRefusal::bad_request("properties.certificate has to be PEM, or base64 of DER or of PEM")
    })?;
    Ok(answer::json(200, &show(name, &hub.trust_authority(name, text)?)))
}

pub(super) fn delete(hub: &Hub, name: &str) -> Result<Answer, HubRefusal> {
    if hub.distrust_authority(name) { Ok(answer::no_content()) } else { Err(not_found(name)) }
}

fn not_found(name: &str) -> HubRefusal {
    HubRefusal::new(404_000, "NotFound", format!("the hub has no CA certificate \"{name}\""))
}

fn show(name: &str, info: &X509CertificateInfo) -> Value {
    json!({
        "id": format!("/certificates/{name}"),
        "name": name,
        "type": "Microsoft.Devices/IotHubs/Certificates",
        "properties": {
            "subject": info.subject_name,
            "expiry": wire_time::print(info.not_after_utc),
            "thumbprint": info.sha1_thumbprint,
            "isVerified": true,
        },
    })
}
