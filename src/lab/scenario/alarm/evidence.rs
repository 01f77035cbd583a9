//! The end of the story: the report of the trip, what `verify` says of the record, and of one that somebody has changed.

use serde_json::{Value, json};

use super::checks::{WARNING, names_container, number, words};
use super::reefer::{TO, WAY_KM};
use super::stage::{DEVICE, Stage};
use crate::lab::record;
use crate::lab::scenario::story::Story;
use crate::lab::trip_words::sentence;
use crate::verify::{Judgement, judgements};

/// °C by which somebody would like the warmest hour to have been colder.
const COLDER: f64 = 6.0;

/// The ship comes in, and the trip ends.
pub(super) async fn arrive(story: &mut Story, stage: &Stage) {
    let step =
        story.step("The ship comes in", &format!("a person is told that the container has reached {TO}"));
    let there = stage.notified(|it| it.is_at(TO, "enter")).await;
    step.saw(there.as_ref().is_some_and(names_container), &words(there.as_ref()));

    let step = story.step(
        "End the trip (direct method endTrip)",
        &format!(
            "the report has the warmest reading, the time above {} °C, the distance, and no gap: the silence was none of the sensor",
            WARNING.0
        ),
    );
    let (status, report) = stage.call("endTrip", Value::Null).await;
    let worst = stage.measured().iter().map(|it| it.celsius).fold(f64::MIN, f64::max);
    let is_right = (number(&report, &["temperature", "max", "value"]) - worst).abs() < 0.02
        && number(&report, &["temperature", "high", "beyondSeconds"]) > 3600.0
        && (number(&report, &["distanceKm"]) - WAY_KM).abs() < 0.05 * WAY_KM
        && report["gaps"]["count"] == 0;
    step.saw(status == 200 && is_right, &sentence(&report));
}

/// Whether the record shows what was, and shows it no more once it is changed.
pub(super) async fn verify(story: &mut Story, stage: &Stage) -> anyhow::Result<()> {
    let step = story.step(
        "Somebody doubts it: verify what the hub has received (container-tracker verify --roots)",
        "all of it fits, the device's key has signed, and the report made from the record alone says the same",
    );
    let Some(path) = stage.signed_record().await else {
        step.saw(false, "the hub has received no signature over the end of the trip");
        return Ok(());
    };
    let lines = record::lines(&path);
    let whole = stage.write("record.jsonl", &lines)?;
    let roots = stage.cloud.device_root();
    let judged = judgements(&[whole], &roots)?;
    let says: Vec<&str> = judged.iter().flat_map(Judgement::in_short).collect();
    let is_same = |it: &Judgement| {
        let trips = it.details["trips"].as_array();
        let ended = trips.into_iter().flatten().find(|trip| !trip["ended"].is_null());
        ended.is_some_and(|trip| trip["differs"] == json!([]))
    };
    let is_good = !judged.is_empty() && judged.iter().all(|it| it.is_good && is_same(it));
    let same = if is_good { "; the device's report says the same" } else { "" };
    step.saw(is_good, &format!("{}{same}", says.join("; ")));

    let Some((seq, changed)) = colder(&lines) else {
        story.step("Make the warmest hour colder", "there is one").saw(false, "no reading came alone");
        return Ok(());
    };
    let step = story.step(
        &format!("Make the warmest reading, {seq}, colder by {COLDER} °C in the record, and verify again"),
        &format!("it is not fine, and reading {seq} is named"),
    );
    let changed = stage.write("changed.jsonl", &changed)?;
    let judged = judgements(&[changed], &roots)?;
    let is_named = judged.iter().any(|it| !it.is_good && it.details["seq"] == seq);
    let wrong = judged.iter().flat_map(|it| &it.sentences).find(|sentence| sentence.contains("WRONG"));
    step.saw(is_named, wrong.map_or("nothing is wrong", |wrong| wrong.trim()));
    Ok(())
}

/// All of it ends.
pub(super) async fn switch_off(story: &mut Story, stage: Stage) -> anyhow::Result<()> {
    let step = story.step("Switch everything off", "every reading and event is delivered or kept");
    let stats = stage.switch_off().await?;
    let is_whole = stats.taken <= stats.acknowledged + stats.backlog && stats.dropped == 0;
    step.saw(
        is_whole,
        &format!(
            "{} taken, {} acknowledged, {} kept by {DEVICE}",
            stats.taken, stats.acknowledged, stats.backlog
        ),
    );
    Ok(())
}

/// The record with its warmest reading made colder, of those that came alone in their message; and its number.
fn colder(lines: &[Value]) -> Option<(u64, Vec<Value>)> {
    let celsius = |line: &Value| {
        line["Body"]["temperature"].as_f64().filter(|_| line["Properties"]["chain"].is_string())
    };
    let warmest = (0..lines.len()).max_by(|a, b| {
        let value = |index: &usize| celsius(&lines[*index]).unwrap_or(f64::MIN);
        value(a).total_cmp(&value(b))
    })?;
    let value = celsius(&lines[warmest])?;
    let seq = lines[warmest]["Body"]["seq"].as_u64()?;
    let mut changed = lines.to_vec();
    for line in changed.iter_mut().filter(|line| line["Body"]["seq"] == seq) {
        // A message that came twice is changed twice.
        line["Body"]["temperature"] = (((value - COLDER) * 100.0).round() / 100.0).into();
    }
    Some((seq, changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warmest_reading_that_came_alone_is_changed_and_no_other() {
        let line = |body: Value| json!({"Properties": {"chain": "x"}, "Body": body});
        let lines = [
            line(json!({"temperature": 5.0, "seq": 1})),
            line(json!({"temperature": 12.25, "seq": 2})),
            line(json!([{"temperature": 14.0, "seq": 3}])),
            line(json!({"evidence": "signature", "seq": 4})),
            json!({"Properties": {}, "Body": {"temperature": 13.0, "seq": 5}}),
        ];
        let (seq, changed) = colder(&lines).unwrap();
        assert_eq!((seq, &changed[1]["Body"]), (2, &json!({"temperature": 6.25, "seq": 2})));
        assert_eq!((&changed[0], &changed[2..]), (&lines[0], &lines[2..]));
        assert!(colder(&lines[2..]).is_none());
    }
}
