//! Scheduled jobs.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `PUT /jobs/v2/{id}` | what is to be done, to whom, and when | 200 job |
//! | `GET /jobs/v2/{id}` | | 200 job, with how many devices are through |
//! | `POST /jobs/v2/{id}/cancel` | | 200 job |
//! | `GET /jobs/v2/query[?jobType=…][&jobStatus=…]` | | 200 array of jobs, by pages |

use serde::de::DeserializeOwned;

use super::HubRefusal;
use crate::{
    hub::{Hub, JobKind, JobRequest, JobStatus},
    rest::{
        answer::{self, Answer},
        call::Call,
        paging::page,
    },
};

pub(super) fn put(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let request = JobRequest::read(id(call), &call.body)?;
    Ok(answer::json(200, &hub.create_job(request)?))
}

pub(super) fn get(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    Ok(answer::json(200, &hub.job(id(call))?))
}

pub(super) fn cancel(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    Ok(answer::json(200, &hub.cancel_job(id(call))?))
}

pub(super) fn query(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let kind: Option<JobKind> = parameter(call, "jobType")?;
    let status: Option<JobStatus> = parameter(call, "jobStatus")?;
    page(call, hub.jobs(kind, status), "JobResponse").map_err(HubRefusal::bad_request)
}

fn id(call: &Call) -> &str {
    call.segments.get(2).map(String::as_str).unwrap_or_default()
}

/// A parameter that is one of a few words; one that is empty asks for nothing.
fn parameter<T: DeserializeOwned>(call: &Call, name: &str) -> Result<Option<T>, HubRefusal> {
    let Some(text) = call.parameter(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    serde_json::from_value(text.into())
        .map(Some)
        .map_err(|error| HubRefusal::bad_request(format!("{name}: {error}")))
}
