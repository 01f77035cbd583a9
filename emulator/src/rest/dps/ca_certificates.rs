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

use hyper::Method;
use serde_json::{Value, json};

use super::Refusal;
use crate::{
    clock::wire_time,
    dps::{CaCertificate, Dps},
    etag::IfMatch,
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn respond(dps: &Dps, call: &Call) -> Result<Answer, Refusal> {
    let words = call.words();
    let name = call.segments.get(1).map(String::as_str).unwrap_or_default();
    let certificates = dps.certificates();
    let condition = call.quoted_if_match();
    let or_any = || condition.clone().unwrap_or(IfMatch::Any);
    match (&call.method, words.as_slice()) {
        (&Method::GET, [_]) => {
            let value: Vec<_> = certificates.list().iter().map(|known| show(known, None)).collect();
            Ok(answer::json(200, &json!({ "value": value })))
        }
        (&Method::GET, [_, _]) => Ok(tagged(&certificates.get(name)?, None)),
        (&Method::PUT, [_, _]) => {
            let body = call.json().map_err(Refusal::bad_request)?;
            // ARM's older versions have the members at the top.
            let properties = if body["properties"].is_object() { &body["properties"] } else { &body };
            let text = certificate(properties)?;
            let is_verified = properties["isVerified"].as_bool().unwrap_or(false);
            let uploaded = match &condition {
                Some(condition) => certificates.replace_if(name, text, is_verified, condition)?,
                None if is_verified => certificates.upload_verified(name, text)?,
                None => certificates.upload(name, text)?,
            };
            Ok(tagged(&uploaded, None))
        }
        (&Method::DELETE, [_, _]) => {
            certificates.delete_if(name, &or_any())?;
            Ok(answer::no_content())
        }
        (&Method::POST, [_, _, "generateverificationcode"]) => {
            let (known, code) = certificates.generate_verification_code_if(name, &or_any())?;
            Ok(tagged(&known, Some(&code)))
        }
        (&Method::POST, [_, _, "verify"]) => {
            let body = call.json().map_err(Refusal::bad_request)?;
            Ok(tagged(&certificates.verify_if(name, certificate(&body)?, &or_any())?, None))
        }
        _ => Err(Refusal::no_route(call)),
    }
}

fn certificate(body: &Value) -> Result<&str, Refusal> {
    body["certificate"]
        .as_str()
        .ok_or_else(|| Refusal::bad_request("certificate has to be PEM, or base64 of DER or of PEM"))
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
