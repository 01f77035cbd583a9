//! Calls that change something about a device.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::input::{Given, Json};
use super::refusal::Refusal;
use super::site::Site;
use crate::model::{
    Acknowledgement, Deprovision, Deprovisioned, DeviceMessage, DeviceStatusWish, MethodAnswer, MethodCall,
    Move, ProvisioningStatus, Targets, TwinPatch, Unmoved, Verification,
};

/// Seconds that a device has to answer a method: what Azure allows, and what stands without.
const METHOD_S: std::ops::RangeInclusive<u64> = 5..=300;
const USUAL_METHOD_S: u64 = 30;
/// The longest name of somebody who takes note of an alarm, in characters.
const LONGEST_NAME: usize = 64;

/// Changes desired properties.
#[cfg_attr(test, utoipa::path(patch, path = "/api/devices/{id}/twin", params(("id" = String, Path)), request_body = TwinPatch, responses((status = 200, body = Object))))]
pub(super) async fn update_twin(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Given(patch): Given<TwinPatch>,
) -> Result<Json<Value>, Refusal> {
    let names: Vec<_> = patch.properties.desired.keys().map(String::as_str).collect();
    let names = names.join(", ");
    let twin = site.backend.update_twin(&id, patch).await?;
    site.done(&id, format!("Desired properties were set here: {names}"));
    Ok(Json(twin))
}

/// Calls a direct method.
#[cfg_attr(test, utoipa::path(post, path = "/api/devices/{id}/methods", params(("id" = String, Path)), request_body = MethodCall, responses((status = 200, body = MethodAnswer))))]
pub(super) async fn call_method(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Given(call): Given<MethodCall>,
) -> Result<Json<MethodAnswer>, Refusal> {
    if call.name.is_empty() {
        return Err(Refusal::invalid("name", "name is empty: a method has one."));
    }
    let seconds = call.timeout_seconds.unwrap_or(USUAL_METHOD_S);
    if !METHOD_S.contains(&seconds) {
        return Err(Refusal::invalid("timeoutSeconds", "timeoutSeconds is not within 5 to 300."));
    }
    let name = call.name.clone();
    let call = MethodCall { timeout_seconds: Some(seconds), ..call };
    let answer = site.backend.call_method(&id, call).await?;
    site.done(&id, format!("The method {name} was called here and answered with {}", answer.status));
    Ok(Json(answer))
}

/// Queues a message from the cloud.
#[cfg_attr(test, utoipa::path(post, path = "/api/devices/{id}/messages", params(("id" = String, Path)), request_body = DeviceMessage, responses((status = 200, body = Object))))]
pub(super) async fn send(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Given(message): Given<DeviceMessage>,
) -> Result<Json<Value>, Refusal> {
    site.backend.send(&id, message).await?;
    site.done(&id, "A message was sent to it from here");
    Ok(Json(json!({})))
}

/// Takes note of an alarm, with a name.
#[cfg_attr(test, utoipa::path(post, path = "/api/devices/{id}/acknowledge", params(("id" = String, Path)), request_body = Acknowledgement, responses((status = 200, body = MethodAnswer))))]
pub(super) async fn acknowledge(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Given(Acknowledgement { alarm, by }): Given<Acknowledgement>,
) -> Result<Json<MethodAnswer>, Refusal> {
    let by = by.trim().to_owned();
    if by.is_empty() || by.chars().count() > LONGEST_NAME {
        return Err(Refusal::invalid(
            "by",
            "by is no name of 1 to 64 characters: who takes note of the alarm?",
        ));
    }
    let payload = json!({"alarm": alarm});
    let call = MethodCall { name: "acknowledgeAlarm".into(), payload, timeout_seconds: Some(USUAL_METHOD_S) };
    let answer = site.backend.call_method(&id, call).await?;
    if answer.status != 200 {
        let said = answer.payload["error"].as_str().map_or_else(|| answer.payload.to_string(), str::to_owned);
        let message = format!("The device did not take note of {alarm:?}: {said}");
        return Err(crate::backend::BackendError::Conflict(message).into());
    }
    site.ingest.acknowledged(&id, &alarm, &by);
    site.done(&id, format!("{by} took note of the alarm {alarm}"));
    Ok(Json(answer))
}

/// Enables or disables a device at its hub.
#[cfg_attr(test, utoipa::path(patch, path = "/api/devices/{id}", params(("id" = String, Path)), request_body = DeviceStatusWish, responses((status = 200, body = Object))))]
pub(super) async fn set_status(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Given(DeviceStatusWish { status }): Given<DeviceStatusWish>,
) -> Result<Json<Value>, Refusal> {
    site.backend.set_status(&id, status).await?;
    let word = if status == ProvisioningStatus::Enabled { "enabled" } else { "disabled" };
    site.done(&id, format!("The device was {word} here"));
    Ok(Json(json!({"status": word})))
}

/// Deletes a device at its hub.
#[cfg_attr(test, utoipa::path(delete, path = "/api/devices/{id}", params(("id" = String, Path)), responses((status = 200, body = Object))))]
pub(super) async fn delete(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    site.backend.delete_device(&id).await?;
    site.done(&id, "The device was deleted at its hub from here");
    Ok(Json(json!({})))
}

/// Deletes its identity and its registration: it has to provision itself anew.
#[cfg_attr(test, utoipa::path(post, path = "/api/devices/{id}/deprovision", params(("id" = String, Path)), responses((status = 200, body = Object))))]
pub(super) async fn deprovision(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    site.backend.deprovision(&id).await?;
    site.done(&id, "The device was deprovisioned here");
    Ok(Json(json!({})))
}

/// The same for several, or all. What fails for one is told, and the others are gone on with.
#[cfg_attr(test, utoipa::path(post, path = "/api/deprovision", request_body = Deprovision, responses((status = 200, body = Deprovisioned))))]
pub(super) async fn deprovision_some(
    State(site): State<Arc<Site>>,
    Given(Deprovision { devices }): Given<Deprovision>,
) -> Result<Json<Deprovisioned>, Refusal> {
    let ids = match devices {
        Targets::Devices(ids) => ids,
        Targets::All(_) => site.backend.devices().await?.into_iter().map(|identity| identity.id).collect(),
    };
    let mut outcome = Deprovisioned { count: 0, failures: Vec::new() };
    for id in ids {
        match site.backend.deprovision(&id).await {
            Ok(()) => {
                outcome.count += 1;
                site.done(&id, "The device was deprovisioned here");
            }
            Err(error) => outcome.failures.push(Unmoved { device: id, message: error.to_string() }),
        }
    }
    Ok(Json(outcome))
}

/// Sees to it that a device is assigned to another hub.
#[cfg_attr(test, utoipa::path(post, path = "/api/devices/{id}/move", params(("id" = String, Path)), request_body = Move, responses((status = 200, body = Object))))]
pub(super) async fn move_to(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Given(Move { hub }): Given<Move>,
) -> Result<Json<Value>, Refusal> {
    site.backend.move_to(&id, &hub).await?;
    site.done(&id, format!("The device was moved to {hub} from here"));
    Ok(Json(json!({})))
}

/// Looks whether what was received is what was measured.
#[cfg_attr(test, utoipa::path(post, path = "/api/devices/{id}/verify", params(("id" = String, Path)), responses((status = 200, body = Verification))))]
pub(super) async fn verify(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Verification>, Refusal> {
    Ok(Json(site.backend.verify(&id).await?))
}
