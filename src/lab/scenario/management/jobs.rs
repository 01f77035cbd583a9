//! Jobs: a method of all containers, a change of some twins, and one that is called off.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};

use super::stage::{PLACES, Stage};
use crate::lab::scenario::story::Story;
use crate::platform::clock::system_time;

const MAX_SECONDS: u32 = 600;
const OVER: [&str; 3] = ["completed", "failed", "cancelled"];

pub(super) async fn call_all(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let count = stage.ids.len();
    let step = story.step(
        "A job calls the method ping of all containers",
        &format!("it completes, and all {count} have answered with 200"),
    );
    let job = json!({
        "type": "scheduleDeviceMethod",
        "queryCondition": "*",
        "maxExecutionTimeInSeconds": MAX_SECONDS,
        "cloudToDeviceMethod": {
            "methodName": "ping", "payload": null, "responseTimeoutInSeconds": 60, "connectTimeoutInSeconds": 10,
        },
    });
    let job = through(stage, "ping-all", job).await?;
    let query = "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'ping-all'";
    let rows = stage.hub.post(&["devices", "query"], json!({"query": query})).await?;
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_200 = |row: &&Value| row["outcome"]["deviceMethodResponse"]["status"] == 200;
    let answered = rows.iter().filter(is_200).count();
    // A page may end before all are shown.
    let is_good = is_complete(&job, count) && answered == rows.len() && answered > 0;
    step.saw(
        is_good,
        &format!("{}; {answered} of {} shown in devices.jobs answered 200", told(&job), rows.len()),
    );
    Ok(())
}

pub(super) async fn mark(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let [quay, _] = stage.at_places();
    let step = story.step(
        &format!("A job tags the twins of those at the {}", PLACES[0]),
        &format!("{quay} twins have the tag, and no other"),
    );
    let job = json!({
        "type": "scheduleUpdateTwin",
        "queryCondition": format!("tags.place = '{}'", PLACES[0]),
        "maxExecutionTimeInSeconds": MAX_SECONDS,
        "updateTwin": {"etag": "*", "tags": {"inspected": true}},
    });
    let job = through(stage, "inspect-quay", job).await?;
    let tagged = stage.hub.count("tags.inspected = true").await?;
    step.saw(
        is_complete(&job, quay) && tagged == quay as u64,
        &format!("{}; {tagged} twins have it", told(&job)),
    );
    Ok(())
}

pub(super) async fn cancel(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story.step(
        "A job for tomorrow is cancelled, and one is made for containers that are nowhere",
        "the first is cancelled and does nothing; the second fails, as there is nobody",
    );
    let tomorrow = (system_time() + TimeDelta::days(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let work = json!({"etag": "*", "tags": {"inspected": "twice"}});
    let mut job = json!({
        "type": "scheduleUpdateTwin", "queryCondition": "*", "startTime": tomorrow,
        "maxExecutionTimeInSeconds": MAX_SECONDS, "updateTwin": work,
    });
    stage.hub.put(&["jobs", "v2", "tomorrow"], job.clone()).await?;
    stage.hub.post(&["jobs", "v2", "tomorrow", "cancel"], Value::Null).await?;
    let cancelled = over(stage, "tomorrow").await?;
    job["queryCondition"] = "tags.place = 'nowhere'".into();
    job["startTime"] = Value::Null;
    let nobody = through(stage, "nowhere", job).await?;
    let touched = stage.hub.count("tags.inspected = 'twice'").await?;
    let is_good = cancelled["status"] == "cancelled" && nobody["status"] == "failed" && touched == 0;
    step.saw(
        is_good,
        &format!("tomorrow: {}; nowhere: {}; {touched} twins touched", told(&cancelled), told(&nobody)),
    );
    Ok(())
}

/// Makes a job, and waits until it is over.
async fn through(stage: &Stage, id: &str, job: Value) -> anyhow::Result<Value> {
    stage.hub.put(&["jobs", "v2", id], job).await?;
    over(stage, id).await
}

async fn over(stage: &Stage, id: &str) -> anyhow::Result<Value> {
    let is_over = |job: &Value| job["status"].as_str().is_some_and(|status| OVER.contains(&status));
    stage.hub.until(&["jobs", "v2", id], is_over).await
}

fn is_complete(job: &Value, count: usize) -> bool {
    let statistics = &job["deviceJobStatistics"];
    job["status"] == "completed" && statistics["succeededCount"] == count && statistics["failedCount"] == 0
}

fn told(job: &Value) -> String {
    let status = job["status"].as_str().unwrap_or("unknown");
    let statistics = &job["deviceJobStatistics"];
    match (statistics["succeededCount"].as_u64(), statistics["failedCount"].as_u64()) {
        (Some(succeeded), Some(failed)) => format!("{status}, {succeeded} succeeded, {failed} failed"),
        _ => status.to_owned(),
    }
}
