//! Trouble on purpose, and the time of a simulation.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::input::{Given, Json};
use super::refusal::Refusal;
use super::site::Site;
use crate::model::{Fault, FaultKind, FaultWish, Faults, Injected, StoryKind, Targets, TimeState, TimeWish};

/// Simulated hours a second.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=24.0;
/// Milliseconds.
const LATENCIES: std::ops::RangeInclusive<u64> = 1..=600_000;
/// Seconds: a day.
const LONGEST: u64 = 86_400;

/// The faults in force.
#[cfg_attr(test, utoipa::path(get, path = "/api/faults", responses((status = 200, body = Faults))))]
pub(super) async fn faults(State(site): State<Arc<Site>>) -> Result<Json<Faults>, Refusal> {
    Ok(Json(Faults { faults: site.backend.faults().await? }))
}

/// Puts a fault in force.
#[cfg_attr(test, utoipa::path(post, path = "/api/faults", request_body = FaultWish, responses((status = 200, body = Injected))))]
pub(super) async fn inject(
    State(site): State<Arc<Site>>,
    Given(wish): Given<FaultWish>,
) -> Result<Json<Injected>, Refusal> {
    check(&wish)?;
    let devices = wish.devices.clone();
    let id = site.backend.inject(wish).await?;
    let text = site.backend.faults().await?.into_iter().find(|fault| fault.id == id).map(|fault| fault.text);
    tell(&site, &devices, &format!("Trouble on purpose begins: {}", text.unwrap_or_default()));
    Ok(Json(Injected { id }))
}

fn check(wish: &FaultWish) -> Result<(), Refusal> {
    let wrong = |member: &str, message: &str| Err(Refusal::invalid(member, format!("{member} {message}.")));
    if matches!(&wish.devices, Targets::Devices(devices) if devices.is_empty()) {
        return wrong("devices", "is empty: name devices, or say \"all\"");
    }
    if wish.seconds.is_some_and(|seconds| !(1..=LONGEST).contains(&seconds)) {
        return wrong("seconds", "is not within 1 to 86400");
    }
    match wish.kind {
        FaultKind::Latency if !wish.latency_ms.is_some_and(|latency| LATENCIES.contains(&latency)) => {
            wrong("latencyMs", "is needed for latency, from 1 to 600000")
        }
        FaultKind::Throttle if wish.per_second.is_none_or(|rate| rate == 0) => {
            wrong("perSecond", "is needed for throttle, and is 1 or more")
        }
        kind if wish.latency_ms.is_some() && kind != FaultKind::Latency => {
            wrong("latencyMs", "belongs to latency alone")
        }
        kind if wish.per_second.is_some() && kind != FaultKind::Throttle => {
            wrong("perSecond", "belongs to throttle alone")
        }
        _ => Ok(()),
    }
}

/// Ends a fault.
#[cfg_attr(test, utoipa::path(delete, path = "/api/faults/{id}", params(("id" = u64, Path)), responses((status = 200, body = Object))))]
pub(super) async fn clear(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let number: u64 = id.parse().map_err(|_| Refusal::not_found(format!("There is no fault {id:?}.")))?;
    let fault: Option<Fault> = site.backend.faults().await?.into_iter().find(|fault| fault.id == number);
    site.backend.clear_fault(number).await?;
    if let Some(fault) = fault {
        tell(&site, &fault.devices, &format!("Trouble on purpose ends: {}", fault.text));
    }
    Ok(Json(json!({})))
}

fn tell(site: &Site, devices: &Targets, text: &str) {
    match devices {
        Targets::All(_) => site.tell("", StoryKind::Fault, text),
        Targets::Devices(devices) => devices.iter().for_each(|id| site.tell(id, StoryKind::Fault, text)),
    }
    site.session_changed();
}

/// Lets simulated time stand still, or pass faster or slower.
#[cfg_attr(test, utoipa::path(post, path = "/api/time", request_body = TimeWish, responses((status = 200, body = TimeState))))]
pub(super) async fn set_time(
    State(site): State<Arc<Site>>,
    Given(wish): Given<TimeWish>,
) -> Result<Json<TimeState>, Refusal> {
    if wish.speed.is_some_and(|speed| !SPEEDS.contains(&speed)) {
        return Err(Refusal::invalid("speed", "speed is not within 0.001 to 24 simulated hours a second."));
    }
    site.backend.set_time(wish).await?;
    site.session_changed();
    Ok(Json(site.backend.session().time))
}
