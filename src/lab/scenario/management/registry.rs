//! The registry: exported from one hub, and imported into another.

use anyhow::Context;
use serde_json::{Value, json};
use tracker_emulator::Emulator;

use super::operator::Operator;
use super::stage::{PLACES, SECOND_HUB, Stage};
use crate::lab::caller::Caller;
use crate::lab::scenario::story::Story;

const CONTAINER: &str = "registry";
const DEVICES: &str = "devices.txt";
const ERRORS: &str = "importErrors.log";

/// Exports; the container with what was written, as it was shown.
pub(super) async fn export(story: &mut Story, stage: &Stage) -> anyhow::Result<Value> {
    let count = stage.registered();
    let step = story.step(
        "Export the registry to a container of the storage",
        &format!(
            "the job completes, and {DEVICES} has a line with identity and twin for each of {count} devices"
        ),
    );
    let container = stage.hub.put(&["blobContainers", CONTAINER], json!({})).await?;
    let job =
        json!({"type": "export", "outputBlobContainerUri": container["uri"], "excludeKeysInExport": false});
    let job = through(&stage.hub, job).await?;
    let text = read(&stage.emulator, &container, DEVICES).await?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let whole =
        lines.iter().filter(|line| line["id"].is_string() && line["tags"]["place"].is_string()).count();
    let text = format!("{}; {whole} lines with a twin of {}", told(&job), text.lines().count());
    step.saw(job["status"] == "completed" && whole == count && lines.len() == count, &text);
    Ok(container)
}

pub(super) async fn import(story: &mut Story, stage: &Stage, container: &Value) -> anyhow::Result<()> {
    let count = stage.registered();
    let [quay, _] = stage.at_places();
    let step = story.step(
        &format!("Import it into {SECOND_HUB}"),
        &format!(
            "{count} identities are there, with their certificates or keys, tags and desired properties; no errors"
        ),
    );
    let uri = &container["uri"];
    let job = json!({"type": "import", "inputBlobContainerUri": uri, "outputBlobContainerUri": uri});
    let job = through(&stage.spare, job).await?;
    let there = stage.spare.count("deviceId != ''").await?;
    let tagged =
        stage.spare.count(&format!("tags.place = '{}' AND tags.inspected = true", PLACES[0])).await?;
    let id = &stage.ids[0];
    let mut same = 0;
    for pointer in ["/authentication/x509Thumbprint", "/status"] {
        let [one, other] = [stage.hub.get(&["devices", id]).await?, stage.spare.get(&["devices", id]).await?];
        same += usize::from(one.pointer(pointer).is_some() && one.pointer(pointer) == other.pointer(pointer));
    }
    let errors = read(&stage.emulator, container, ERRORS).await.unwrap_or_default();
    let is_good = job["status"] == "completed"
        && there == count as u64
        && tagged == quay as u64
        && same == 2
        && errors.is_empty();
    let text = format!(
        "{}; {there} identities, {tagged} with the tags of the {}; {} bytes of errors",
        told(&job),
        PLACES[0],
        errors.len()
    );
    step.saw(is_good, &text);
    Ok(())
}

/// Makes a job, and waits until it is over.
async fn through(hub: &Operator, job: Value) -> anyhow::Result<Value> {
    let made = hub.post(&["jobs", "create"], job).await?;
    let id = made["jobId"].as_str().context("the hub made a job without an ID")?;
    hub.until(&["jobs", id], |job| job["status"] != "running" && job["status"] != "enqueued").await
}

/// A blob of a container that was shown with its URI.
pub(super) async fn read(emulator: &Emulator, container: &Value, name: &str) -> anyhow::Result<Vec<u8>> {
    let uri = container["uri"].as_str().context("the hub gave no URI of the container")?;
    let (address, signature) = uri.split_once('?').context("the URI of the container has no signature")?;
    let path = address.strip_prefix("https://").and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
    let path = format!("/{}/{name}?{signature}", path.context("the URI names no container")?);
    let caller = Caller::nobody(emulator)?;
    tokio::task::spawn_blocking(move || caller.get(&path)).await.context("cut off")?
}

fn told(job: &Value) -> String {
    let status = job["status"].as_str().unwrap_or("unknown");
    job["failureReason"].as_str().map_or_else(|| status.to_owned(), |reason| format!("{status}: {reason}"))
}
