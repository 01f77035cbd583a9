//! A register request, checked before anybody is judged by it.

use serde_json::{Map, Value};
use tracker_protocol::RegistrationId;

use super::refused::Refused;
use crate::security::sas::{SasError, SasToken};

/// The first API version in which a request may carry a certificate signing request; earlier ones ignore it.
const CSR_SINCE: &str = "2025-07-01";

/// Checks the body of a register request and the registration ID; gives the payload for a webhook.
pub(super) fn check_request(
    body: &[u8],
    registration_id: &str,
    api_version: &str,
) -> Result<Option<Map<String, Value>>, Refused> {
    if registration_id.parse::<RegistrationId>().is_err() {
        return Err(Refused::bad_request("Invalid RegistrationId"));
    }
    let Ok(Value::Object(mut request)) = serde_json::from_slice(body) else {
        return Err(Refused::bad_request("the body of the request is not a JSON object"));
    };
    match request.get("registrationId") {
        Some(Value::String(id)) if id == registration_id => {}
        _ => {
            return Err(Refused::bad_request("registrationId in the body is not that of the connection"));
        }
    }
    if !matches!(request.get("payload"), None | Some(Value::Null | Value::Object(_))) {
        return Err(Refused::bad_request("payload is not a JSON object"));
    }
    if request.get("csr").is_some_and(|csr| !csr.is_null()) && api_version >= CSR_SINCE {
        return Err(Refused::not_implemented("csr", "the issuing of certificates"));
    }
    if request.get("tpm").is_some_and(|tpm| !tpm.is_null()) {
        return Err(Refused::not_implemented("tpm", "TPM attestation"));
    }
    match request.remove("payload") {
        Some(Value::Object(payload)) => Ok(Some(payload)),
        _ => Ok(None),
    }
}

/// A device with symmetric keys sends a token for `{ID scope}/registrations/{registration ID}` as its password.
pub(super) fn check_token(text: &[u8], id_scope: &str, registration_id: &str) -> Result<SasToken, Refused> {
    let text = std::str::from_utf8(text).map_err(|_| SasError::Scheme);
    let resource = format!("{id_scope}/registrations/{registration_id}");
    let token = text.and_then(SasToken::parse).and_then(|token| {
        token.check_resource([resource.as_str()])?;
        Ok(token)
    });
    token.map_err(|error| Refused::bad_token(error.to_string()))
}
