//! Calls that look, and change nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::guard::Rights;
use super::input::{Json, Parameters};
use super::refusal::Refusal;
use super::site::Site;
use crate::history::History;
use crate::model::{
    AlarmSpans, Connection, DeviceDetail, Fleet, MethodCall, Places, Series, Session, Span, StoryPage, Tails,
    Track, Trips,
};

/// How long a device has to say how the trip under way goes.
const TRIP_PATIENCE: Duration = Duration::from_secs(6);

/// What is looked at, and what can be done there.
#[cfg_attr(test, utoipa::path(get, path = "/api/session", responses((status = 200, body = Session))))]
pub(super) async fn session(
    State(site): State<Arc<Site>>,
    Extension(rights): Extension<Rights>,
) -> Result<Json<Session>, Refusal> {
    let mut session = site.session(rights.is_read_only);
    let bounds = site.query(|history| Ok(history.bounds())).await?;
    session.history = bounds.map(|(first, last)| Span { first, last });
    Ok(Json(session))
}

/// All containers, now or at a time of the past.
#[cfg_attr(test, utoipa::path(get, path = "/api/fleet", params(("at" = Option<String>, Query)), responses((status = 200, body = Fleet))))]
pub(super) async fn fleet(
    State(site): State<Arc<Site>>,
    parameters: Parameters,
) -> Result<Json<Fleet>, Refusal> {
    match parameters.only(&["at"])?.time("at")? {
        None => Ok(Json(site.ingest.fleet().1)),
        Some(time) => {
            let devices = site.query(move |history| history.fleet_at(time)).await?;
            Ok(Json(Fleet { time, devices }))
        }
    }
}

/// Where all containers have been lately, or had been at a time of the past.
#[cfg_attr(test, utoipa::path(get, path = "/api/tails", params(("points" = Option<u32>, Query), ("at" = Option<String>, Query)), responses((status = 200, body = Tails))))]
pub(super) async fn tails(
    State(site): State<Arc<Site>>,
    parameters: Parameters,
) -> Result<Json<Tails>, Refusal> {
    let points = parameters.only(&["points", "at"])?.number("points", 2..=1000, 60)?;
    let at = parameters.time("at")?;
    let query = move |history: &History| match at {
        Some(at) => history.tails_at(at, points),
        None => history.tails(points),
    };
    site.query(query).await.map(Json)
}

/// The fences that the fleet knows.
#[cfg_attr(test, utoipa::path(get, path = "/api/places", responses((status = 200, body = Places))))]
pub(super) async fn places(State(site): State<Arc<Site>>) -> Json<Places> {
    Json(site.ingest.places())
}

/// One container.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}", params(("id" = String, Path)), responses((status = 200, body = DeviceDetail))))]
pub(super) async fn device(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<DeviceDetail>, Refusal> {
    let row = site.ingest.row(&id).ok_or_else(|| unknown(&id))?;
    // A hub alone has no registrations; the rest is there all the same.
    let registration = site.backend.registration(&id).await.ok().flatten();
    let identity = site.ingest.identity(&id);
    let extent = site.query(move |history| history.extent(&id)).await?;
    let (fields, first, last) = (extent.fields, extent.first, extent.last);
    Ok(Json(DeviceDetail { row, identity, registration, fields, first, last }))
}

/// Fields of readings over time.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}/series", params(("id" = String, Path), ("fields" = String, Query), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("points" = Option<u32>, Query)), responses((status = 200, body = Series))))]
pub(super) async fn series(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Series>, Refusal> {
    parameters.only(&["fields", "from", "to", "points"])?;
    let fields: Vec<String> =
        parameters.text("fields").unwrap_or("temperature").split(',').map(str::to_owned).collect();
    let ((from, to), points) = (parameters.span(site.now())?, parameters.number("points", 2..=10_000, 800)?);
    site.query(move |history| history.series(&id, &fields, from, to, points)).await.map(Json)
}

/// Where a container was.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}/track", params(("id" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query), ("points" = Option<u32>, Query)), responses((status = 200, body = Track))))]
pub(super) async fn track(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Track>, Refusal> {
    parameters.only(&["from", "to", "points"])?;
    let ((from, to), points) = (parameters.span(site.now())?, parameters.number("points", 2..=20_000, 2000)?);
    site.query(move |history| history.track(&id, from, to, points)).await.map(Json)
}

/// What has happened to a container, the newest first.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}/story", params(("id" = String, Path), ("before" = Option<i64>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = StoryPage))))]
pub(super) async fn story(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<StoryPage>, Refusal> {
    story_of(&site, Some(id), &parameters).await
}

/// What has happened to all.
#[cfg_attr(test, utoipa::path(get, path = "/api/story", params(("before" = Option<i64>, Query), ("limit" = Option<u32>, Query)), responses((status = 200, body = StoryPage))))]
pub(super) async fn whole_story(
    State(site): State<Arc<Site>>,
    parameters: Parameters,
) -> Result<Json<StoryPage>, Refusal> {
    story_of(&site, None, &parameters).await
}

async fn story_of(
    site: &Site,
    device: Option<String>,
    parameters: &Parameters,
) -> Result<Json<StoryPage>, Refusal> {
    let limit = parameters.only(&["before", "limit"])?.number("limit", 1..=1000, 200)?;
    let before = parameters.text("before").map(|text| {
        text.parse().map_err(|_| Refusal::invalid("before", "before is no number that was given as next."))
    });
    let before: Option<i64> = before.transpose()?;
    site.query(move |history| history.story(device.as_deref(), before, limit)).await.map(Json)
}

/// When which alarm stood.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}/alarms", params(("id" = String, Path), ("from" = Option<String>, Query), ("to" = Option<String>, Query)), responses((status = 200, body = AlarmSpans))))]
pub(super) async fn alarms(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<AlarmSpans>, Refusal> {
    let (from, to) = parameters.only(&["from", "to"])?.span(site.now())?;
    site.query(move |history| history.alarms(&id, from, to)).await.map(Json)
}

/// How its trips went, the one under way first.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}/trips", params(("id" = String, Path)), responses((status = 200, body = Trips))))]
pub(super) async fn trips(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Trips>, Refusal> {
    let device = id.clone();
    let mut trips = site.query(move |history| history.trips(&device)).await?;
    if let Some(report) = under_way(&site, &id).await {
        trips.insert(0, report);
    }
    Ok(Json(Trips { trips }))
}

/// What the device says of the trip under way, if it can be asked and there is one.
async fn under_way(site: &Site, id: &str) -> Option<Value> {
    let row = site.ingest.row(id)?;
    if row.connection != Connection::Connected || !site.backend.session().can.methods {
        return None;
    }
    let call = MethodCall { name: "getTripReport".into(), payload: json!({}), timeout_seconds: Some(5) };
    let answer = timeout(TRIP_PATIENCE, site.backend.call_method(id, call)).await.ok()?.ok()?;
    let Value::Object(mut report) = answer.payload else { return None };
    if answer.status != 200 || report.is_empty() {
        return None;
    }
    let is_under_way = report.get("ended").is_none_or(Value::is_null);
    report.insert("isUnderWay".into(), is_under_way.into());
    is_under_way.then_some(Value::Object(report))
}

/// A twin as Azure has it.
#[cfg_attr(test, utoipa::path(get, path = "/api/devices/{id}/twin", params(("id" = String, Path)), responses((status = 200, body = Object))))]
pub(super) async fn twin(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    Ok(Json(site.backend.twin(&id).await?))
}

pub(super) fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("No device {id:?} is known here."))
}
