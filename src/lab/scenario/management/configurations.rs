//! Configurations: for those in one place, for one who comes, and two that want different things.

use serde_json::{Value, json};

use super::operator::Operator;
use super::stage::{INITIAL_INTERVAL, PLACES, Stage, reports};
use crate::lab::scenario::story::Story;

const COLD_QUAY: &str = "cold-quay";
const STORM: &str = "storm";
const INTERVAL: u32 = 600;
const STORM_INTERVAL: u32 = 300;

pub(super) async fn roll_out(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let [quay, sea] = stage.at_places();
    let step = story.step(
        &format!("Make a configuration: telemetryInterval {INTERVAL} s for tags.place = '{}'", PLACES[0]),
        &format!(
            "all its metrics reach 100 % of {quay}; the {sea} at {} keep {INITIAL_INTERVAL} s",
            PLACES[1]
        ),
    );
    make(&stage.hub, COLD_QUAY, 10, INTERVAL).await?;
    let shown = stage.hub.until(&["configurations", COLD_QUAY], |shown| is_everywhere(shown, quay)).await?;
    let others = stage.hub.count(&at_sea(INITIAL_INTERVAL)).await?;
    let text = format!("{}; {others} at {} have {INITIAL_INTERVAL} s", metrics(&shown), PLACES[1]);
    step.saw(is_everywhere(&shown, quay) && others == sea as u64, &text);
    Ok(())
}

pub(super) async fn move_one(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let [quay, _] = stage.at_places();
    // The second one is at sea.
    let id = &stage.ids[1];
    let step = story.step(
        &format!("Move {id} to the {}: its tag place changes", PLACES[0]),
        &format!("the configuration takes it in, and its metrics reach 100 % of {}", quay + 1),
    );
    tag(&stage.hub, id, PLACES[0]).await?;
    let wanted = quay + 1;
    let shown = stage.hub.until(&["configurations", COLD_QUAY], |shown| is_everywhere(shown, wanted)).await?;
    let taken_in = is_everywhere(&shown, wanted);
    step.saw(taken_in, &metrics(&shown));

    let step = story
        .step(&format!("Move {id} back"), "the configuration lets it go, and what it has set goes with it");
    tag(&stage.hub, id, PLACES[1]).await?;
    let shown = stage.hub.until(&["configurations", COLD_QUAY], |shown| is_everywhere(shown, quay)).await?;
    let twin = stage.hub.until(&["twins", id], |twin| desired(twin).is_null()).await?;
    let text = format!("{}; its twin wants {} as telemetryInterval", metrics(&shown), told(desired(&twin)));
    step.saw(is_everywhere(&shown, quay) && desired(&twin).is_null(), &text);
    // For the rest of the story it is as it was.
    let body = json!({"properties": {"desired": {"telemetryInterval": INITIAL_INTERVAL}}});
    stage.hub.put(&["twins", id], merged(&twin, &body)).await?;
    Ok(())
}

pub(super) async fn overrule(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let [quay, _] = stage.at_places();
    let step = story.step(
        &format!("Make a second one for the same containers, of higher priority: {STORM_INTERVAL} s"),
        "the higher priority wins everywhere; the first still targets all, and is applied to none",
    );
    make(&stage.hub, STORM, 20, STORM_INTERVAL).await?;
    let storm = stage.hub.until(&["configurations", STORM], |shown| is_everywhere(shown, quay)).await?;
    let first = stage.hub.until(&["configurations", COLD_QUAY], |shown| results(shown)[1] == Some(0)).await?;
    let is_overruled = results(&first)[..2] == [Some(quay as u64), Some(0)];
    step.saw(
        is_everywhere(&storm, quay) && is_overruled,
        &format!("{STORM}: {}; {COLD_QUAY}: {}", metrics(&storm), metrics(&first)),
    );

    let step = story.step("Delete the second one", "the first is applied everywhere again");
    stage.hub.delete(&["configurations", STORM]).await?;
    let shown = stage.hub.until(&["configurations", COLD_QUAY], |shown| is_everywhere(shown, quay)).await?;
    step.saw(is_everywhere(&shown, quay), &metrics(&shown));
    Ok(())
}

async fn make(hub: &Operator, id: &str, priority: u32, interval: u32) -> anyhow::Result<()> {
    let place = PLACES[0];
    let body = json!({
        "id": id,
        "schemaVersion": "1.0",
        "priority": priority,
        "targetCondition": format!("tags.place = '{place}'"),
        "content": {"deviceContent": {"properties.desired.telemetryInterval": interval}},
        "metrics": {"queries": {
            "reporting": format!("SELECT deviceId FROM devices WHERE tags.place = '{place}' AND {}", reports(interval)),
        }},
    });
    hub.put(&["configurations", id], body).await.map(drop)
}

async fn tag(hub: &Operator, id: &str, place: &str) -> anyhow::Result<()> {
    let twin = hub.get(&["twins", id]).await?;
    hub.put(&["twins", id], merged(&twin, &json!({"tags": {"place": place}}))).await.map(drop)
}

/// Tags and desired properties of a twin with a change merged into them, one member deep: a PUT replaces both.
fn merged(twin: &Value, change: &Value) -> Value {
    let section = |pointer: &str| {
        let mut section = twin.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default();
        section.extend(change.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default());
        section
    };
    json!({"tags": section("/tags"), "properties": {"desired": section("/properties/desired")}})
}

fn at_sea(interval: u32) -> String {
    format!("tags.place = '{}' AND {}", PLACES[1], reports(interval))
}

/// Targeted, applied, and what the containers report.
fn results(shown: &Value) -> [Option<u64>; 3] {
    [
        "/systemMetrics/results/targetedCount",
        "/systemMetrics/results/appliedCount",
        "/metrics/results/reporting",
    ]
    .map(|pointer| shown.pointer(pointer).and_then(Value::as_u64))
}

fn is_everywhere(shown: &Value, wanted: usize) -> bool {
    results(shown) == [Some(wanted as u64); 3]
}

fn metrics(shown: &Value) -> String {
    let [targeted, applied, reporting] = results(shown).map(Option::unwrap_or_default);
    format!("targeted {targeted}, applied {applied}, reporting it {reporting}")
}

fn desired(twin: &Value) -> &Value {
    &twin["properties"]["desired"]["telemetryInterval"]
}

fn told(value: &Value) -> String {
    if value.is_null() { "nothing".into() } else { value.to_string() }
}
