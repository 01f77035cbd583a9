//! Calls of the provisioning service.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::input::{Given, Json, Parameters};
use super::refusal::Refusal;
use super::site::Site;
use crate::backend::EnrollmentKind;
use crate::model::{ProvisioningStatus, ProvisioningWish};

/// Enrollment groups.
#[cfg_attr(test, utoipa::path(get, path = "/api/enrollment-groups", responses((status = 200, body = Object))))]
pub(super) async fn groups(State(site): State<Arc<Site>>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({"groups": site.backend.enrollments(EnrollmentKind::Group).await?})))
}

/// Individual enrollments.
#[cfg_attr(test, utoipa::path(get, path = "/api/enrollments", responses((status = 200, body = Object))))]
pub(super) async fn individuals(State(site): State<Arc<Site>>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({"enrollments": site.backend.enrollments(EnrollmentKind::Individual).await?})))
}

/// CA certificates.
#[cfg_attr(test, utoipa::path(get, path = "/api/certificates", responses((status = 200, body = Object))))]
pub(super) async fn certificates(State(site): State<Arc<Site>>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!({"certificates": site.backend.certificates().await?})))
}

/// Registration records, of one enrollment group or all.
#[cfg_attr(test, utoipa::path(get, path = "/api/registrations", params(("group" = Option<String>, Query)), responses((status = 200, body = Object))))]
pub(super) async fn registrations(
    State(site): State<Arc<Site>>,
    parameters: Parameters,
) -> Result<Json<Value>, Refusal> {
    let group = parameters.only(&["group"])?.text("group");
    Ok(Json(json!({"registrations": site.backend.registrations(group).await?})))
}

/// Enables or disables an enrollment group.
#[cfg_attr(test, utoipa::path(patch, path = "/api/enrollment-groups/{id}", params(("id" = String, Path)), request_body = ProvisioningWish, responses((status = 200, body = Object))))]
pub(super) async fn set_group(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Given(wish): Given<ProvisioningWish>,
) -> Result<Json<Value>, Refusal> {
    set(&site, EnrollmentKind::Group, &id, wish).await
}

/// Enables or disables an individual enrollment.
#[cfg_attr(test, utoipa::path(patch, path = "/api/enrollments/{id}", params(("id" = String, Path)), request_body = ProvisioningWish, responses((status = 200, body = Object))))]
pub(super) async fn set_individual(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Given(wish): Given<ProvisioningWish>,
) -> Result<Json<Value>, Refusal> {
    set(&site, EnrollmentKind::Individual, &id, wish).await
}

async fn set(
    site: &Site,
    kind: EnrollmentKind,
    id: &str,
    ProvisioningWish { provisioning_status: status }: ProvisioningWish,
) -> Result<Json<Value>, Refusal> {
    let enrollment = site.backend.set_enrollment(kind, id, status).await?;
    let word = if status == ProvisioningStatus::Enabled { "enabled" } else { "disabled" };
    tell(site, kind, id, word);
    Ok(Json(enrollment))
}

/// Deletes an enrollment group.
#[cfg_attr(test, utoipa::path(delete, path = "/api/enrollment-groups/{id}", params(("id" = String, Path)), responses((status = 200, body = Object))))]
pub(super) async fn delete_group(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    delete(&site, EnrollmentKind::Group, &id).await
}

/// Deletes an individual enrollment.
#[cfg_attr(test, utoipa::path(delete, path = "/api/enrollments/{id}", params(("id" = String, Path)), responses((status = 200, body = Object))))]
pub(super) async fn delete_individual(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    delete(&site, EnrollmentKind::Individual, &id).await
}

async fn delete(site: &Site, kind: EnrollmentKind, id: &str) -> Result<Json<Value>, Refusal> {
    site.backend.delete_enrollment(kind, id).await?;
    tell(site, kind, id, "deleted");
    Ok(Json(json!({})))
}

/// An individual enrollment has the name of its device; a group concerns nobody by name.
fn tell(site: &Site, kind: EnrollmentKind, id: &str, what: &str) {
    match kind {
        EnrollmentKind::Group => site.done("", format!("The enrollment group {id} was {what} here")),
        EnrollmentKind::Individual => site.done(id, format!("Its individual enrollment was {what} here")),
    }
}

/// Deletes a registration record.
#[cfg_attr(test, utoipa::path(delete, path = "/api/registrations/{id}", params(("id" = String, Path)), responses((status = 200, body = Object))))]
pub(super) async fn delete_registration(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    site.backend.delete_registration(&id).await?;
    site.done(&id, "Its registration record was deleted here");
    Ok(Json(json!({})))
}
