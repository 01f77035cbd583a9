//! What a device reports and answers, held against its model; and the properties for those who watch a fleet.

#![cfg(feature = "lab")]

use std::time::Duration;

use container_tracker::identity::Chain;
use container_tracker::lab::Cloud;
use container_tracker::link::timing::Timing;
use container_tracker::platform::clock::rfc3339;
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};
use tracker_sensors::simulated::Air;

use crate::support::agent::{Agent, PATIENCE, mild_chip};
use crate::support::journal::fill;

const DEVICE: &str = "sensor-thl-001";

fn model() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/tracker-model.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The content of this name.
fn content<'a>(model: &'a Value, name: &str) -> &'a Value {
    let contents = model["contents"].as_array().unwrap();
    contents.iter().find(|content| content["name"] == name).unwrap_or(&Value::Null)
}

/// What of a value is otherwise than its schema, by its place. Members may be absent, and null where the model says so.
fn faults(model: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let wrong = |is_right: bool, what: &str| {
        if is_right { Vec::new() } else { vec![format!("{place}: {value} is no {what}")] }
    };
    match schema.as_str() {
        Some(id) if id.starts_with("dtmi:") => {
            let schema = model["schemas"].as_array().unwrap().iter().find(|schema| schema["@id"] == id);
            return faults(model, schema.expect(id), value, place);
        }
        Some("string") => return wrong(value.is_string(), "string"),
        Some("boolean") => return wrong(value.is_boolean(), "boolean"),
        Some("double") => return wrong(value.is_number(), "number"),
        Some("integer" | "long") => return wrong(value.is_i64() || value.is_u64(), "whole number"),
        Some("dateTime") => {
            let is_time =
                value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok());
            return wrong(is_time, "time");
        }
        Some(other) => panic!("{place}: {other}"),
        None => {}
    }
    let listed = |key: &str| schema[key].as_array().unwrap();
    match schema["@type"].as_str() {
        Some("Enum") => {
            wrong(listed("enumValues").iter().any(|one| one["enumValue"] == *value), "value of the enum")
        }
        Some("Array") => {
            let elements = value.as_array().into_iter().flatten().enumerate();
            let faults_of = |(index, element)| {
                faults(model, &schema["elementSchema"], element, &format!("{place}[{index}]"))
            };
            wrong(value.is_array(), "array").into_iter().chain(elements.flat_map(faults_of)).collect()
        }
        Some(kind @ ("Object" | "Map")) => {
            let mut found = wrong(value.is_object(), "object");
            for (name, member) in value.as_object().into_iter().flatten() {
                let place = format!("{place}.{name}");
                if kind == "Map" {
                    found.extend(faults(model, &schema["mapValue"]["schema"], member, &place));
                } else if let Some(field) = listed("fields").iter().find(|field| field["name"] == **name) {
                    let may_be_null = field["description"].as_str().unwrap_or_default().contains("Null");
                    if !(member.is_null() && may_be_null) {
                        found.extend(faults(model, &field["schema"], member, &place));
                    }
                } else {
                    found.push(format!("{place}: not in the model"));
                }
            }
            found
        }
        other => panic!("{place}: {other:?}"),
    }
}

/// The reported section, once it is as wanted.
async fn reported(cloud: &Cloud, wanted: impl Fn(&Value) -> bool) -> Map<String, Value> {
    let look = async {
        loop {
            let section = cloud.twin(DEVICE).unwrap_or_default()["properties"]["reported"].clone();
            if wanted(&section) {
                return section.as_object().cloned().unwrap_or_default();
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("it is reported")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reported_and_answered_is_as_the_model_says() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let chip = mild_chip();
    let config = cloud.device(DEVICE).unwrap();
    let mut agent = Agent::start(config.clone(), Some(&chip), None);
    agent.wait_for_words("twin: telemetryInterval = 1").await;
    let desired = json!({
        "alarms": {"bounds": {"cargo": {"field": "temperature", "warning": {"high": 7, "delay": 0}}}},
        "containerNumber": "MSKU9070323",
        "firmware": "9.9.9",
        "trip": {"startsOnLeaving": "yard", "endsOnReaching": "gate"},
    });
    cloud.hub.update_twin_desired(DEVICE, desired).unwrap();
    chip.set_air(Air { temperature_c: 9.0, pressure_hpa: 1013.0, humidity_rh: 80.0 });
    let section = reported(&cloud, |section| {
        section["activeAlarms"].get("cargo").is_some() && section.get("certificate").is_some()
    });
    let (model, section) = (model(), section.await);
    let mut found = Vec::new();
    for (name, value) in section.iter().filter(|(name, _)| !name.starts_with('$')) {
        let property = content(&model, name);
        let value = if property["writable"] == true { &value["value"] } else { value };
        assert!(property.is_object(), "the model has no {name}");
        found.extend(faults(&model, &property["schema"], value, name));
    }
    let calls = [
        ("ping", json!("there?")),
        ("getStatus", Value::Null),
        ("getDiagnostics", json!({"lines": 5})),
        ("acknowledgeAlarm", json!({"alarm": "cargo"})),
    ];
    for (name, payload) in calls {
        let command = content(&model, name);
        if !payload.is_null() {
            found.extend(faults(&model, &command["request"]["schema"], &payload, name));
        }
        let answer = cloud.hub.invoke_method(DEVICE, name, payload, PATIENCE).await.unwrap();
        assert_eq!(answer.status, 200, "{name}: {:?}", answer.payload);
        found.extend(faults(&model, &command["response"]["schema"], &answer.payload.unwrap(), name));
    }
    assert_eq!(found, Vec::<String>::new());

    let chain = Chain::read(&config.identity.certificate).unwrap();
    let [from, until] = [chain.leaf().not_before, chain.leaf().not_after].map(rfc3339);
    assert_eq!(section["certificate"], json!({"validFrom": from, "validUntil": until}));
    assert_eq!(section["journal"]["waiting"], 0);
    agent.stop().await;
}

/// Nothing else is news after the start, so that without a report of its own the twin would speak of the outage for days.
#[tokio::test(flavor = "multi_thread")]
async fn what_waited_at_the_start_is_reported_and_that_nothing_waits_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    let config = cloud.device(DEVICE).unwrap();
    fill(&config, 4000).await;
    let timing = Timing { waiting_every: Duration::from_secs(2), ..Timing::default() };
    // Without sensors, as the health of one would be news.
    let mut agent = Agent::start_with(config, None, None, timing);
    let waiting = |section: &Value| section["journal"]["waiting"].as_u64();
    let section = reported(&cloud, |section| waiting(section).is_some()).await;
    let at_first = section["journal"]["waiting"].as_u64();
    assert!(at_first.is_some_and(|count| count > 32), "{at_first:?}");
    agent.wait_for_words("online at").await;
    reported(&cloud, |section| waiting(section) == Some(0)).await;
    agent.stop().await;
}
