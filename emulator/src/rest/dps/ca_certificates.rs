//! CA certificates and the proof of possession, an addition of ours: at Azure they are managed through Azure Resource
//! Manager. Paths, verbs, and bodies are those of ARM below
//! `…/Microsoft.Devices/provisioningServices/{name}`.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /certificates` | | 200 `{"value":[certificate]}` |
//! | `PUT /certificates/{name}` | `{"properties":{"certificate":"…","isVerified":false}}` | 200 certificate |
//! | `GET`, `DELETE /certificates/{name}` | | 200 certificate, 204 |
//! | `POST /certificates/{name}/generateVerificationCode` | | 200 certificate with `verificationCode` |
//! | `POST /certificates/{name}/verify` | `{"certificate":"…"}` | 200 certificate |
//!
//! ARM demands `If-Match` for all but the first upload; here it is heeded when it is there.

use serde_json::{Value, json};

use super::DpsRefusal;
use crate::{
    clock::wire_time,
    dps::{CaCertificate, Dps},
    etag::IfMatch,
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn list(dps: &Dps, _: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    let value: Vec<_> = dps.certificates().list().iter().map(|known| show(known, None)).collect();
    Ok(answer::json(200, &json!({ "value": value })))
}

pub(super) fn get(dps: &Dps, name: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    Ok(tagged(&dps.certificates().get(name)?, None))
}

/// Uploads without `If-Match`, replaces with it.
pub(super) fn put(dps: &Dps, name: &str, call: &Call) -> Result<Answer, DpsRefusal> {
    let body = call.json().map_err(DpsRefusal::bad_request)?;
    // ARM's older versions have the members at the top.
    let properties = if body["properties"].is_object() { &body["properties"] } else { &body };
    let text = certificate(properties)?;
    let is_verified = properties["isVerified"].as_bool().unwrap_or(false);
    let certificates = dps.certificates();
    let uploaded = match call.quoted_if_match() {
        Some(condition) => certificates.replace_if(name, text, is_verified, &condition)?,
        None if is_verified => certificates.upload_verified(name, text)?,
        None => certificates.upload(name, text)?,
    };
    Ok(tagged(&uploaded, None))
}

pub(super) fn delete(dps: &Dps, name: &str, call: &Call) -> Result<Answer, DpsRefusal> {
    dps.certificates().delete_if(name, &condition(call))?;
    Ok(answer::no_content())
}

pub(super) fn generate_code(dps: &Dps, name: &str, call: &Call) -> Result<Answer, DpsRefusal> {
    let (known, code) = dps.certificates().generate_verification_code_if(name, &condition(call))?;
    Ok(tagged(&known, Some(&code)))
}

pub(super) fn verify(dps: &Dps, name: &str, call: &Call) -> Result<Answer, DpsRefusal> {
    let body = call.json().map_err(DpsRefusal::bad_request)?;
    Ok(tagged(&dps.certificates().verify_if(name, certificate(&body)?, &condition(call))?, None))
}

fn condition(call: &Call) -> IfMatch {
    call.quoted_if_match().unwrap_or(IfMatch::Any)
}

fn certificate(body: &Value) -> Result<&str, DpsRefusal> {
    body["certificate"]
        .as_str()
        .ok_or_else(|| DpsRefusal::bad_request("certificate has to be PEM, or base64 of DER or of PEM"))
}

fn tagged(known: &CaCertificate, code: Option<&str>) -> Answer {
    answer::with_etag(answer::json(200, &show(known, code)), &known.etag)
}

fn show(known: &CaCertificate, code: Option<&str>) -> Value {
    let info = &known.info;
    let mut shown = json!({
        "id": format!("/certificates/{}", known.name),
        "name": known.name,
        "type": "Microsoft.Devices/provisioningServices/Certificates",
        "etag": known.etag,
        "properties": {
            "subject": info.subject_name,
            "expiry": wire_time::print(info.not_after_utc),
            "thumbprint": info.sha1_thumbprint,
            "isVerified": known.is_verified,
            "certificate": known.certificate,
            "created": wire_time::print(known.created),
            "updated": wire_time::print(known.updated),
        },
    });
    if let Some(code) = code {
        shown["properties"]["verificationCode"] = code.into();
    }
    shown
}
