//! Files: some containers upload one, each with its own certificate, and the service hears of it.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::registry::read;
use super::stage::{HUB, Stage};
use crate::lab::caller::Caller;
use crate::lab::scenario::story::Story;

/// Who uploads.
const MOST: usize = 5;
const NAME: &str = "logs/voyage.txt";

pub(super) async fn upload(story: &mut Story, stage: &Stage, directory: &Path) -> anyhow::Result<()> {
    let ids = &stage.ids[..stage.ids.len().min(MOST)];
    let step = story.step(
        &format!("{} containers upload a file each, with their own certificates", ids.len()),
        "the hub gives each a place, the storage takes the file, the service hears of each, and reads what was written",
    );
    for id in ids {
        let device = Caller::device(&stage.emulator, &directory.join(id))?;
        let content = content(id);
        let id = id.clone();
        tokio::task::spawn_blocking(move || put(&device, &id, &content)).await.context("cut off")??;
    }
    let mut told = Vec::new();
    loop {
        let notice = stage.hub.get(&["messages", "serviceBound", "filenotifications"]).await?;
        let Some(name) = notice["blobName"].as_str() else { break };
        told.push(name.to_owned());
    }
    let label = HUB.split('.').next().unwrap_or_default();
    let container = stage.hub.put(&["blobContainers", &format!("{label}-uploads")], json!({})).await?;
    let mut whole = 0;
    for id in ids {
        let found = read(&stage.emulator, &container, &format!("{id}/{NAME}")).await?;
        whole += usize::from(found == content(id).as_bytes());
    }
    let is_good = told.len() == ids.len() && whole == ids.len();
    step.saw(is_good, &format!("{} notices, {whole} files read back as they were written", told.len()));
    Ok(())
}

fn content(id: &str) -> String {
    format!("{id}: all well\n").repeat(100)
}

/// The three calls of a device.
fn put(device: &Caller, id: &str, content: &str) -> anyhow::Result<()> {
    let files = format!("/devices/{id}/files");
    let ticket = device.json("POST", &files, &json!({"blobName": NAME}))?;
    let part = |name: &str| ticket[name].as_str().unwrap_or_default().to_owned();
    let blob = format!("/{}/{}{}", part("containerName"), part("blobName"), part("sasToken"));
    if part("sasToken").is_empty() {
        bail!("the hub gave {id} no place for its file");
    }
    device.put_blob(&blob, content.as_bytes())?;
    let end: Value = json!({"correlationId": part("correlationId"), "isSuccess": true, "statusCode": 201, "statusDescription": "Created"});
    device.json("POST", &format!("{files}/notifications"), &end).map(drop)
}
