//! A register request, checked before anybody is judged by it.

use serde_json::{Map, Value};
use tracker_protocol::RegistrationId;

use super::{refused::Refused, tpm::TpmKeys};
use crate::security::sas::{SasError, SasToken};

/// The first API version in which a request may carry a certificate signing request; earlier ones ignore it.
const CSR_SINCE: &str = "2025-07-01";

/// Whether devices of an API version may ask for certificates.
pub(super) fn may_ask_for_certificates(api_version: &str) -> bool {
    api_version >= CSR_SINCE
}

/// What a register request brings.
pub(super) struct Asked {
    /// For a webhook.
    pub payload: Option<Value>,
    /// A certificate signing request, as it was sent.
    pub csr: Option<String>,
    /// The keys of its TPM.
    pub tpm: Option<TpmKeys>,
}

/// Checks the body of a register request and the registration ID.
pub(super) fn check_request(body: &[u8], registration_id: &str, api_version: &str) -> Result<Asked, Refused> {
    if registration_id.parse::<RegistrationId>().is_err() {
        return Err(Refused::bad_request("Invalid RegistrationId"));
    }
    let is_new = may_ask_for_certificates(api_version);
    // The user name says who asks: Microsoft's SDK for embedded C sends nothing at all.
    let body = if body.is_empty() { &b"{}"[..] } else { body };
    let Ok(Value::Object(mut request)) = serde_json::from_slice(body) else {
        return Err(Refused::bad_request("the body of the request is not a JSON object"));
    };
    match request.get("registrationId") {
        None => {}
        Some(Value::String(id)) if id == registration_id => {}
        _ => {
            return Err(Refused::bad_request("registrationId in the body is not that of the connection"));
        }
    }
    // Microsoft's documents know objects alone; a text is taken all the same.
    if !matches!(request.get("payload"), None | Some(Value::Null | Value::Object(_) | Value::String(_))) {
        return Err(Refused::bad_request("payload is neither a JSON object nor a text"));
    }
    let tpm = match request.remove("tpm") {
        None | Some(Value::Null) => None,
        Some(Value::Object(tpm)) => Some(TpmKeys::read(&tpm).map_err(Refused::bad_request)?),
        Some(_) => return Err(Refused::bad_request("tpm is not a JSON object")),
    };
    let csr = match request.remove("csr").filter(|_| is_new) {
        None | Some(Value::Null) => None,
        Some(Value::String(csr)) => Some(csr),
        Some(_) => return Err(Refused::bad_request("csr is not a text")),
    };
    let payload = request.remove("payload").filter(|payload| !payload.is_null());
    Ok(Asked { payload, csr, tpm })
}

/// Checks the body of a status request: a certificate is asked for in the registration and nowhere else.
pub(super) fn check_poll(body: &[u8], api_version: &str) -> Result<(), Refused> {
    let body: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    if may_ask_for_certificates(api_version) && body.is_some_and(|body| body.contains_key("csr")) {
        return Err(Refused::bad_request("csr belongs into the registration, not into a status request"));
    }
    Ok(())
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
