//! A story that is watched and steered here.

use std::sync::Arc;

use axum::extract::State;

use super::input::{Given, Json};
use super::refusal::Refusal;
use super::site::Site;
use crate::model::{ScenarioState, ScenarioWish};

/// The story that is played, if one is.
#[cfg_attr(test, utoipa::path(get, path = "/api/scenario", responses((status = 200, body = ScenarioState))))]
pub(super) async fn scenario(State(site): State<Arc<Site>>) -> Result<Json<ScenarioState>, Refusal> {
    Ok(Json(ScenarioState { scenario: site.backend.scenario().await? }))
}

/// Lets it do its next step, or wait before each, or not wait any more.
#[cfg_attr(test, utoipa::path(post, path = "/api/scenario", request_body = ScenarioWish, responses((status = 200, body = ScenarioState))))]
pub(super) async fn steer(
    State(site): State<Arc<Site>>,
    Given(wish): Given<ScenarioWish>,
) -> Result<Json<ScenarioState>, Refusal> {
    site.backend.steer(wish).await?;
    scenario(State(site)).await
}
