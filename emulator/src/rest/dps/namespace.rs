//! The namespace that issues certificates, an addition of ours: at Azure its CAs and policies are managed through Azure
//! Resource Manager, below `…/Microsoft.DeviceRegistry/namespaces/{name}`. Members are called as there where they fit.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /certificateAuthorities` | | 200 `{"value":[authority]}` |
//! | `PUT /certificateAuthorities/{name}` | | 200 authority |
//! | `GET`, `DELETE /certificateAuthorities/{name}` | | 200 authority, 204 |
//! | `GET /certificatePolicies` | | 200 `{"value":[policy]}` |
//! | `PUT /certificatePolicies/{name}` | policy | 200 policy |
//! | `GET`, `DELETE /certificatePolicies/{name}` | | 200 policy, 204 |
//!
//! A policy: `{"properties":{"certificateAuthorityName":"…","leafCertificateConfiguration":{"validityPeriodInDays":30}}}`, or
//! `validityPeriodInSeconds` in its place; without a CA, the first that has no policy, or a new one.

use std::time::Duration;

use serde_json::{Value, json};

use super::DpsRefusal;
use crate::{
    clock::wire_time,
    dps::Dps,
    issuance::{CertificatePolicy, IssuanceError, IssuingAuthority},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

const DAY: u64 = 86_400;

impl From<IssuanceError> for DpsRefusal {
    fn from(error: IssuanceError) -> Self {
        let code = match &error {
            IssuanceError::AuthorityNotFound(_) | IssuanceError::PolicyNotFound(_) => 404_000,
            IssuanceError::AuthorityConflict(_)
            | IssuanceError::PolicyConflict(_)
            | IssuanceError::AuthorityInUse { .. }
            | IssuanceError::AuthorityTaken { .. }
            | IssuanceError::TooManyAuthorities(_) => 409_000,
            _ => 400_004,
        };
        Self { code, message: error.to_string() }
    }
}

pub(super) fn authorities(dps: &Dps, _: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    let value: Vec<_> = dps.namespace().authorities().iter().map(show_authority).collect();
    Ok(answer::json(200, &json!({ "value": value })))
}

pub(super) fn authority(dps: &Dps, name: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    Ok(answer::json(200, &show_authority(&dps.namespace().authority(name)?)))
}

pub(super) fn create_authority(dps: &Dps, name: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    Ok(answer::json(200, &show_authority(&dps.namespace().create_authority(name)?)))
}

pub(super) fn delete_authority(dps: &Dps, name: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    dps.namespace().delete_authority(name)?;
    Ok(answer::no_content())
}

pub(super) fn policies(dps: &Dps, _: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    let value: Vec<_> = dps.namespace().policies().iter().map(show_policy).collect();
    Ok(answer::json(200, &json!({ "value": value })))
}

pub(super) fn policy(dps: &Dps, name: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    Ok(answer::json(200, &show_policy(&dps.namespace().policy(name)?)))
}

pub(super) fn create_policy(dps: &Dps, name: &str, call: &Call) -> Result<Answer, DpsRefusal> {
    let body = call.json().map_err(DpsRefusal::bad_request)?;
    let properties = &body["properties"];
    let authority = match &properties["certificateAuthorityName"] {
        Value::Null => None,
        Value::String(name) => Some(name.as_str()),
        _ => return Err(DpsRefusal::bad_request("properties.certificateAuthorityName is not a text")),
    };
    let validity = validity(&properties["leafCertificateConfiguration"])?;
    let made = dps.namespace().create_policy(name, authority, validity)?;
    Ok(answer::json(200, &show_policy(&made)))
}

pub(super) fn delete_policy(dps: &Dps, name: &str, _: &Call) -> Result<Answer, DpsRefusal> {
    dps.namespace().delete_policy(name)?;
    Ok(answer::no_content())
}

fn validity(configuration: &Value) -> Result<Duration, DpsRefusal> {
    let number = |name: &str| configuration[name].as_u64();
    let seconds = match (number("validityPeriodInDays"), number("validityPeriodInSeconds")) {
        (Some(days), None) => days.saturating_mul(DAY),
        (None, Some(seconds)) => seconds,
        _ => {
            return Err(DpsRefusal::bad_request(
                "properties.leafCertificateConfiguration has to hold validityPeriodInDays or validityPeriodInSeconds, a \
                 whole number",
            ));
        }
    };
    Ok(Duration::from_secs(seconds))
}

fn show_authority(known: &IssuingAuthority) -> Value {
    json!({
        "id": format!("/certificateAuthorities/{}", known.name),
        "name": known.name,
        "properties": {
            "subject": known.subject,
            "thumbprint": known.thumbprint,
            "expiry": wire_time::print(known.not_after),
            "certificatePolicyName": known.policy,
            "certificateChain": known.chain_pem,
        },
    })
}

fn show_policy(known: &CertificatePolicy) -> Value {
    let seconds = known.validity.as_secs();
    let mut leaf = json!({ "validityPeriodInSeconds": seconds });
    if seconds.is_multiple_of(DAY) {
        leaf["validityPeriodInDays"] = (seconds / DAY).into();
    }
    json!({
        "id": format!("/certificatePolicies/{}", known.name),
        "name": known.name,
        "properties": {
            "certificateAuthorityName": known.authority,
            "leafCertificateConfiguration": leaf,
        },
    })
}
