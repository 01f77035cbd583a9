//! A fleet that is managed as a whole: configurations, jobs, files, a device with a TPM, and its registry carried to a second hub.

mod configurations;
mod files;
mod jobs;
mod operator;
mod registry;
mod stage;
mod tpm;

use std::path::Path;

use anyhow::bail;

use super::story::Story;
use crate::lab::hub_service::OpenHub;
use crate::lab::screen::Screen;
use stage::{HUB, INITIAL_INTERVAL, PLACES, Stage, reports};

pub(super) async fn play(
    devices: usize,
    open: OpenHub,
    directory: &Path,
    screen: Screen,
) -> anyhow::Result<()> {
    if devices < 2 {
        bail!("the scenario management needs two places, and so at least 2 containers: give --devices");
    }
    let mut stage = Stage::new(directory, devices, open).await?;
    let mut story = Story::new(screen);
    switch_on(&mut story, &mut stage).await?;
    configurations::roll_out(&mut story, &stage).await?;
    configurations::move_one(&mut story, &stage).await?;
    configurations::overrule(&mut story, &stage).await?;
    jobs::call_all(&mut story, &stage).await?;
    jobs::mark(&mut story, &stage).await?;
    jobs::cancel(&mut story, &stage).await?;
    files::upload(&mut story, &stage, directory).await?;
    tpm::join(&mut story, &mut stage).await?;
    let exported = registry::export(&mut story, &stage).await?;
    registry::import(&mut story, &stage, &exported).await?;
    nothing_lost(&mut story, stage).await?;
    story.verdict()
}

async fn switch_on(story: &mut Story, stage: &mut Stage) -> anyhow::Result<()> {
    let [quay, sea] = stage.at_places();
    let step = story.step(
        &format!("Enroll two factories, and switch {} containers on", stage.ids.len()),
        &format!(
            "{quay} of them stand at the {}, {sea} at {}, by their tags; all deliver",
            PLACES[0], PLACES[1]
        ),
    );
    stage.enroll()?;
    stage.switch_on()?;
    let all = stage.all_deliver().await;
    let there = |place: &str| format!("tags.place = '{place}' AND {}", reports(INITIAL_INTERVAL));
    let at_quay = stage.hub.until_count(&there(PLACES[0]), quay).await?;
    let at_sea = stage.hub.until_count(&there(PLACES[1]), sea).await?;
    let is_good = all && at_quay == quay as u64 && at_sea == sea as u64;
    let text = format!(
        "{at_quay} at the {}, {at_sea} at {}, all at {HUB} with telemetryInterval {INITIAL_INTERVAL} s",
        PLACES[0], PLACES[1]
    );
    step.saw(is_good, &text);
    Ok(())
}

async fn nothing_lost(story: &mut Story, stage: Stage) -> anyhow::Result<()> {
    let step = story.step("Switch everything off", "every reading that was taken is delivered or kept");
    let totals = stage.stop().await?;
    let text = format!(
        "{} readings taken, {} acknowledged, {} kept",
        totals.taken, totals.acknowledged, totals.backlog
    );
    step.saw(totals.taken <= totals.acknowledged + totals.backlog && totals.dropped == 0, &text);
    Ok(())
}
