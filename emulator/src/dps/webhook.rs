//! The allocation policy *custom*: a webhook chooses the hub (DPS documentation, "custom allocation policies").
//!
//! The request is a POST with `{individualEnrollment | enrollmentGroup, deviceRuntimeContext, linkedHubs}`; the answer is
//! 200 with `{iotHubHostName, initialTwin?, payload?}`. An answer of 429 or more is asked for again, ten times; any
//! other, and none, ends the registration with a failure of its own number.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    attest::AcceptedBy,
    linked_hubs::Hubs,
    model::Enrollment as _,
    pending::{Failure, Pending},
    placement::Decision,
};
use crate::{
    hub::{InitialTwin, check_initial},
    id::guid,
    net::outgoing,
};

/// Repetitions after an answer of 429 or more.
const RETRIES: u64 = 10;

/// The wait before the first repetition; each further one is [`RETRY_STEP`] longer.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const RETRY_STEP: Duration = Duration::from_secs(9);

/// Azure does not say how long it waits for an answer; Azure Functions, the usual webhook, start within this.
const PATIENCE: Duration = Duration::from_secs(30);

const FAILED: u32 = 400_207;
const HUB_NOT_SPECIFIED: u32 = 400_208;
const UNAUTHORIZED: u32 = 400_209;

/// What is asked of the webhook.
pub(super) struct Request {
    url: String,
    body: Value,
}

/// What it answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    iot_hub_host_name: Option<String>,
    initial_twin: Option<InitialTwin>,
    payload: Option<Value>,
}

impl Request {
    pub(super) fn new(pending: &Pending, x509: Option<Value>, payload: Option<&Value>, hubs: &Hubs) -> Self {
        let mut context = json!({ "registrationId": pending.registration_id });
        let previous = pending.previous.as_ref();
        let optional = [
            ("currentIotHubHostName", previous.and_then(|state| state.assigned_hub.clone()).map(Value::from)),
            ("currentDeviceId", previous.and_then(|state| state.device_id.clone()).map(Value::from)),
            ("payload", payload.cloned()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                context[name] = value;
            }
        }
        match x509 {
            // In the webhook's request the leaf is under another name than in the registration state.
            Some(x509) => {
                context["x509"] =
                    json!({ "clientCertificates": { "primary": { "info": x509["certificateInfo"] } } });
            }
            None => context["symmetricKey"] = json!({}),
        }
        let linked: Vec<_> = hubs.linked().iter().map(|hub| hub.name.as_str()).collect();
        let mut body = json!({ "deviceRuntimeContext": context, "linkedHubs": linked });
        match &pending.accepted_by {
            AcceptedBy::Individual(enrollment) => {
                body["individualEnrollment"] = json!(enrollment.as_ref().clone().without_keys());
            }
            AcceptedBy::Group(group) => {
                body["enrollmentGroup"] = json!(group.as_ref().clone().without_keys());
            }
        }
        let definition = pending.accepted_by.terms().custom_allocation_definition.as_ref();
        Self { url: definition.map(|definition| definition.webhook_url.clone()).unwrap_or_default(), body }
    }

    /// Asks until there is an answer that counts.
    pub(super) async fn ask(self) -> Result<Answer, Failure> {
        let failed = |message: String| Failure { error_code: FAILED, message };
        let mut wait = FIRST_RETRY;
        for attempt in 0..=RETRIES {
            let headers = [("x-ms-request-id", guid())];
            let asked = outgoing::post_json(&self.url, &headers, self.body.to_string());
            let (status, body) = match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => return Err(failed(format!("Custom allocation failed: {error}"))),
                Err(_elapsed) => return Err(failed("Custom allocation failed: no answer in time".into())),
            };
            match status {
                200 => {
                    return serde_json::from_slice(&body).map_err(|error| {
                        failed(format!("Custom allocation failed: the answer is not readable: {error}"))
                    });
                }
                401 => {
                    return Err(Failure {
                        error_code: UNAUTHORIZED,
                        message: "Custom allocation failed with status code: 401".into(),
                    });
                }
                429.. if attempt < RETRIES => {
                    tokio::time::sleep(wait).await;
                    wait += RETRY_STEP;
                }
                status => return Err(failed(format!("Custom allocation failed with status code: {status}"))),
            }
        }
        Err(failed("Custom allocation failed".into()))
    }
}

impl Answer {
    /// The hub it names has to be a linked one.
    pub(super) fn decide(self, hubs: &Hubs) -> Result<(Decision, Option<Value>), Failure> {
        let failure = |message: String| Failure { error_code: HUB_NOT_SPECIFIED, message };
        let named = self.iot_hub_host_name.filter(|name| !name.is_empty());
        let named = named.ok_or_else(|| failure("Custom allocation failed: IoT hub not specified".into()))?;
        let linked = hubs.linked().iter().find(|hub| hub.is_named(&named));
        let hub = linked
            .ok_or_else(|| failure(format!("Custom allocation failed: no hub \"{named}\" is linked")))?;
        if let Some(twin) = &self.initial_twin {
            check_initial(twin).map_err(|error| Failure {
                error_code: FAILED,
                message: format!("Custom allocation failed: initialTwin: {error}"),
            })?;
        }
        let decision = Decision { hub: hub.name.clone(), initial_twin: self.initial_twin };
        Ok((decision, self.payload.filter(|payload| !payload.is_null())))
    }
}
