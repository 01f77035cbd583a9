//! A hundred seeded voyages in simulated time, with outages, reboots, power cuts and clocks that wake in 1970. The hub has every
//! reading once; its events are those of plain models, each once; the reports of the trips are what was so; and verify says the
//! same of what was received, and finds nothing wrong.
//!
//! `VOYAGES_SEED=1000` plays others, `VOYAGES=1` one of each fifty.

mod area;
mod device;
mod hub;
mod story;
mod truth;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde_json::{Value, json};

use crate::alarms::plain_model::{Sample, plain};
use crate::alarms::rule::Rule;
use crate::alarms::schema::Alarms;
use crate::alarms::signal::Signal;
use crate::config::{Alerts, DeliveryMode};
use area::{Line, Places};
use device::{Device, Papers, Setup, ZERO};
use hub::Hub;
use story::{Before, HOUR, Step, Story};
use truth::Truth;

/// Every fifth voyage may have boots that never learn the time.
const TIMELESS: u64 = 5;

fn alarms(interval: i64) -> Alarms {
    let seconds = interval / 1000;
    let value = json!({
        "bounds": {
            "cargo": {
                "field": "temperature", "hysteresis": 0.5, "clear": 2 * seconds,
                "warning": {"low": 1, "high": 7, "delay": 2 * seconds}, "critical": {"low": 0, "high": 10, "delay": 4 * seconds},
            },
            "damp": {"field": "humidity", "hysteresis": 2, "warning": {"high": 92, "delay": seconds}},
        },
        "sensorFailed": {"delay": 3 * seconds}, "gpsGone": {"delay": 7200}, "doorOpened": true,
    });
    Alarms::read(&value).unwrap()
}

fn alerts() -> Alerts {
    Alerts {
        temperature_low: Some(2.0),
        temperature_high: Some(8.0),
        humidity_low: None,
        humidity_high: Some(90.0),
    }
}

fn mode(seed: u64) -> DeliveryMode {
    let bits = |bit: u64| seed >> bit & 1 == 1;
    DeliveryMode {
        batch_backlog: !seed.is_multiple_of(4),
        gzip: bits(1),
        compact: bits(2),
        full_properties: bits(3),
    }
}

/// What came of a voyage.
struct Arrived {
    hub: Hub,
    /// What the device has said of its trips, and from which step to which they went.
    trips: Vec<(std::ops::Range<usize>, Value)>,
}

async fn sail(story: &Story, papers: &Papers, seed: u64) -> Arrived {
    let features: Vec<Value> = story.fences.iter().map(area::Fence::feature).collect();
    let setup = Setup {
        papers,
        interval: Duration::from_millis(story.interval as u64),
        alarms: alarms(story.interval),
        alerts: alerts(),
        fences: features.into(),
        mode: mode(seed),
    };
    let mut hub = Hub::default();
    let mut trips = Vec::new();
    let mut device = Device::new(&setup, &story.steps[0]).await;
    let (mut signed, mut begun) = (0, 0);
    for (number, step) in story.steps.iter().enumerate() {
        device = device.before(step).await;
        device.take(number, step).await;
        if story.steps.get(number + 1).is_none_or(|next| next.before != Before::Kill) {
            device.rest().await;
        }
        if let Some((limit, is_answered)) = step.sent {
            device.send(limit, is_answered, &mut hub).await;
        }
        if step.knows_time && step.at >= signed + 24 * HOUR {
            device.sign().await;
            signed = step.at;
        }
        if story.trip_from == Some(number + 1) {
            // The first one ends with it, and its report is sent.
            trips.push((0..number + 1, device.call("getTripReport", &Value::Null).await));
            device.call("startTrip", &json!({"trip": "MSKU-7"})).await;
            begun = number + 1;
        }
    }
    trips.push((begun..story.steps.len(), device.call("endTrip", &Value::Null).await));
    device.sign().await;
    while device.send(100, true, &mut hub).await {}
    device.end().await;
    Arrived { hub, trips }
}

/// What an alarm looks at, reading by reading.
fn series(rule: &Rule, steps: &[Step]) -> Vec<Sample> {
    let mut openings = None;
    let value = |step: &Step| {
        let world = &step.world;
        let flag = |is: bool| Some(f64::from(u8::from(is)));
        match &rule.signal {
            Signal::Field(field) if field == "temperature" => world.temperature,
            Signal::Field(_) => world.humidity,
            Signal::SensorFailed("bme280") => flag(world.chip_failed),
            Signal::GpsGone => flag(world.fix.is_none()),
            Signal::DoorOpened(_) => {
                let before = openings.replace(world.openings).filter(|_| step.before == Before::Nothing);
                flag(world.door_open || before.is_some_and(|before| world.openings > before))
            }
            _ => None,
        }
    };
    let values: Vec<Option<f64>> = steps.iter().map(value).collect();
    steps.iter().zip(values).map(|(step, value)| (step.at, value)).collect()
}

/// In milliseconds since the voyage began.
fn moment(body: &Value, member: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(body[member].as_str()?).unwrap().timestamp_millis() - ZERO)
}

/// The hub's events of an alarm are those of the plain model. Gives how many there are.
fn check_alarm(rule: &Rule, story: &Story, hub: &Hub) -> usize {
    let expected = plain(rule, &series(rule, &story.steps), 3 * story.interval);
    let found = hub.events("alarm", &rule.name);
    let in_words = |body: &&Value| {
        let word = |name: &str| body[name].as_str().unwrap().to_owned();
        (word("state"), word("severity"), body["extreme"].as_f64())
    };
    let is_measured = matches!(rule.signal, Signal::Field(_));
    let expected_words = expected.iter().map(|(_, kind, severity, _, extreme, _)| {
        (kind.word().to_owned(), severity.word().to_owned(), is_measured.then_some(*extreme))
    });
    let found_words: Vec<_> = found.iter().map(in_words).collect();
    assert_eq!(found_words, expected_words.collect::<Vec<_>>(), "{}", rule.name);
    for (body, (at, _, _, begin, _, extreme_at)) in found.iter().zip(&expected) {
        let times = (moment(body, "time"), moment(body, "begin"), moment(body, "extremeTime"));
        if !story.has_timeless {
            assert_eq!(times, (Some(*at), Some(*begin), is_measured.then_some(*extreme_at)), "{body}");
        } else if let Some(time) = times.0 {
            // What began before in the dark is dated as well as it can be.
            assert_eq!(time, *at, "{body}");
        }
    }
    found.len()
}

/// What the plain model tells of fences, and which one each reading is in.
fn places(story: &Story) -> (Vec<Line>, Vec<Option<String>>) {
    let (mut places, mut lines, mut named) = (Places::new(&story.fences), Vec::new(), Vec::new());
    for step in &story.steps {
        if step.before != Before::Nothing {
            places.restart();
        }
        let told = step.world.fix.map(|(here, hdop)| places.fix(step.at, here, hdop).unwrap());
        named.push(told.as_ref().and_then(|_| places.place().map(ToOwned::to_owned)));
        lines.extend(told.into_iter().flatten());
    }
    (lines, named)
}

/// The hub's events of fences are those of the plain model, and readings name the place. Gives how many there are.
fn check_places(story: &Story, hub: &Hub) -> usize {
    let (expected, named) = places(story);
    for fence in &story.fences {
        let expected: Vec<_> = expected.iter().filter(|line| line.place == fence.name).collect();
        let found = hub.events("place", &fence.name);
        let words: Vec<_> = found.iter().map(|body| body["state"].as_str().unwrap()).collect();
        assert_eq!(words, expected.iter().map(|line| line.state).collect::<Vec<_>>(), "{}", fence.name);
        for (body, line) in found.iter().zip(expected) {
            if !(story.has_timeless && body["time"].is_null()) {
                assert_eq!(
                    (moment(body, "time"), moment(body, "begin")),
                    (Some(line.at), line.begin),
                    "{body}"
                );
            }
        }
    }
    for (number, name) in named.iter().enumerate() {
        assert_eq!(hub.readings[&number]["place"].as_str(), name.as_deref(), "{number}");
    }
    expected.len()
}

/// The hub has every reading, and each its true time.
fn check_readings(story: &Story, hub: &Hub) {
    assert!(hub.readings.keys().copied().eq(0..story.steps.len()), "{:?}", hub.readings.keys());
    let mut last = 0;
    for (step, body) in story.steps.iter().zip(hub.readings.values()) {
        assert_eq!(moment(body, "time"), (!step.is_timeless).then_some(step.at), "{body}");
        assert_eq!(body["temperature"].as_f64(), step.world.temperature);
        let seq = body["seq"].as_u64().unwrap();
        assert!(seq > last, "{body}");
        last = seq;
    }
}

/// The trips were as the device and verify say.
fn check_trips(story: &Story, arrived: &Arrived, verdict: &Value) {
    let found = verdict["trips"].as_array().unwrap();
    assert_eq!(found.len(), arrived.trips.len(), "{verdict}");
    let alerts = alerts();
    let gap_after = (3 * story.interval).max(900_000);
    for ((steps, told), found) in arrived.trips.iter().zip(found) {
        let truth = Truth { steps: &story.steps[steps.clone()], gap_after, alerts: &alerts };
        truth.check(told);
        truth.check(&found["report"]);
        assert_eq!((&found["differs"], found["ended"].is_u64()), (&json!([]), true), "{found}\n{told}");
        assert_eq!(
            told["bounds"],
            json!({"temperature": {"low": 2.0, "high": 8.0}, "humidity": {"high": 90.0}})
        );
    }
}

/// Sails one, and looks at everything that is told of it. Gives how many events there are, by their kinds.
async fn look_at(seed: u64, papers: &Papers) -> BTreeMap<String, usize> {
    println!("voyage {seed}");
    let story = Story::new(&mut ChaCha8Rng::seed_from_u64(seed), seed.is_multiple_of(TIMELESS));
    let arrived = sail(&story, papers, seed).await;
    check_readings(&story, &arrived.hub);
    let mut events = BTreeMap::from([("places".to_owned(), check_places(&story, &arrived.hub))]);
    for rule in alarms(story.interval).rules().iter() {
        events.insert(rule.name.clone(), check_alarm(rule, &story, &arrived.hub));
    }
    assert_eq!(arrived.hub.told(), events.values().sum::<usize>(), "and no others");
    let verdict = arrived.hub.verdict(&papers.root);
    assert_eq!((&verdict["good"], &verdict["fault"]), (&json!(true), &Value::Null), "{verdict}");
    assert_eq!([&verdict["withoutHash"], &verdict["notFollowed"]], [&json!([]); 2], "{verdict}");
    assert_eq!(verdict["readings"], story.steps.len());
    check_trips(&story, &arrived, &verdict);
    events
}

/// Half of the hundred: two tests take two processors.
async fn fifty(first: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (first, count) = (first + number("VOYAGES_SEED").unwrap_or(0), number("VOYAGES").unwrap_or(50));
    let papers = Papers::new();
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for seed in first..first + count {
        for (kind, events) in look_at(seed, &papers).await {
            *told.entry(kind).or_default() += events;
        }
    }
    for kind in ["places", "cargo", "damp", "bme280Failed", "gpsGone", "doorOpened"] {
        assert!(count < 50 || told[kind] > 20, "{kind} in {told:?}");
    }
}

#[tokio::test]
async fn fifty_voyages_are_told_as_they_were() {
    fifty(0).await;
}

#[tokio::test]
async fn fifty_other_voyages_are_told_as_they_were() {
    fifty(50).await;
}
