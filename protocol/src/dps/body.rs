//! JSON bodies of DPS over MQTT, requests and answers.
//!
//! Words and fields that this version does not know are kept or passed over, so that a newer service is no error.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of a registration request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisterRequest {
    /// The registration ID, the same as the MQTT client ID.
    pub registration_id: String,
    /// Custom data for a custom allocation webhook; must be an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Map<String, Value>>,
    /// A request for an operational certificate: DER of PKCS#10 in base64, on one line (from API version 2025-07-01-preview).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
}

/// Answer to registration and status requests with a topic status below 300.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationOperation {
    /// Opaque; empty when the answer is already final.
    #[serde(default, deserialize_with = "null_is_default")]
    pub operation_id: String,
    /// Where the registration stands. This, not the topic's status code, decides.
    pub status: RegistrationStatus,
    /// The details, present at the latest when the registration has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_state: Option<RegistrationState>,
}

/// Where a registration stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RegistrationStatus {
    /// Nothing has been decided; poll on.
    Unassigned,
    /// The service is at it; poll on.
    Assigning,
    /// There is a hub and a device ID.
    Assigned,
    /// It did not work out; error code and message say why.
    Failed,
    /// The enrollment exists and is switched off.
    Disabled,
    /// A word this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// How an assignment came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Substatus {
    /// First time.
    InitialAssignment,
    /// Moved to another hub, twin taken along.
    DeviceDataMigrated,
    /// Moved or reset, twin made anew from the enrollment's initial twin.
    DeviceDataReset,
    /// Back at the hub of the first assignment.
    ReprovisionedToInitialAssignment,
    /// A word this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// What DPS knows of one registration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationState {
    /// Certificate details and enrollment group in newer versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x509: Option<Value>,
    /// The registration ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_id: Option<String>,
    /// RFC 3339, seven fractional digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_date_time_utc: Option<String>,
    /// Host name of the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_hub: Option<String>,
    /// Device ID at that hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// As on the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RegistrationStatus>,
    /// How the assignment came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substatus: Option<Substatus>,
    /// RFC 3339, seven fractional digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated_date_time_utc: Option<String>,
    /// Entity tag of the registration record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// What a custom allocation webhook returned for the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
    /// The key that the device signs tokens for its hub with, wrapped for its TPM: `{"authenticationKey": base64}`. In the
    /// answer that assigns, and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm: Option<Value>,
    /// What was issued for the request's `csr`: DER of each certificate in base64, the leaf first, then each one's issuer. In
    /// the answer that assigns, and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_certificate_chain: Option<Vec<String>>,
    /// How to speak to the hub: absent or `classic` for MQTT 3.1.1, `mqttV5` (from API version 2026-11-02-preview).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_profile: Option<String>,
    /// Azure's number for the failure; 0 or absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    /// Azure's words for the failure; may be a JSON document as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// Body of answers with a topic status of 300 and above.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceError {
    /// Six digits, the first three as in HTTP: 401002, 404201, 429001 …
    #[serde(default, deserialize_with = "null_is_default")]
    pub error_code: u32,
    /// For Microsoft's support.
    #[serde(default, deserialize_with = "null_is_default")]
    pub tracking_id: String,
    /// For people.
    #[serde(default, deserialize_with = "null_is_default")]
    pub message: String,
    /// More, where there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Value>,
    /// RFC 3339, seven fractional digits.
    #[serde(default, deserialize_with = "null_is_default")]
    pub timestamp_utc: String,
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disabled_answer_has_an_empty_operation_id() {
        let body = r#"{"operationId":"","status":"disabled",
            "registrationState":{"registrationId":"dev-1","status":"disabled"}}"#;
        let operation: RegistrationOperation = serde_json::from_str(body).unwrap();
        assert_eq!(operation.status, RegistrationStatus::Disabled);
        assert_eq!(operation.registration_state.unwrap().status, Some(RegistrationStatus::Disabled));
    }

    #[test]
    fn unknown_words_and_fields_are_kept_or_passed_over() {
        let body = r#"{"operationId":null,"status":"enqueued","registrationState":null,"novelty":[1]}"#;
        let operation: RegistrationOperation = serde_json::from_str(body).unwrap();
        assert_eq!(operation.status, RegistrationStatus::Other("enqueued".into()));
        assert_eq!(serde_json::to_value(&operation.status).unwrap(), "enqueued");
    }
}
