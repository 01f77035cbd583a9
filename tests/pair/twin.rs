//! One trouble with the twin at a time, and exactly what comes of it.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tracker_emulator::{FaultKind, FaultyService};
use tracker_protocol::hub::DeviceTopic;

use super::network::{Fate, Network};
use super::simulation::Pair;
use super::wire::Way;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const GET: &str = "$iothub/twin/GET/";
const REPORT: &str = "$iothub/twin/PATCH/properties/reported/";
const FETCHED: &str = "$iothub/twin/res/200/";
const TAKEN: &str = "$iothub/twin/res/204/";
const PUSH: &str = "$iothub/twin/PATCH/properties/desired/";

/// A new device on a way of a quarter of a second, a tick before its session begins.
fn pair() -> Pair {
    let mut pair = Pair::new(1, Network::with_latency(250 * MS));
    pair.run_while(MINUTE, |pair| pair.device.log.hub_attempts.is_empty());
    pair
}

/// The same, a minute after its session has begun.
fn settled() -> Pair {
    let mut pair = pair();
    pair.run_for(MINUTE);
    assert_eq!(pair.difference(), None);
    pair.device.log.twin_requests.clear();
    pair
}

fn status(text: &str) -> Map<String, Value> {
    Map::from_iter([("status".to_owned(), json!(text))])
}

/// When twin requests of this kind were made.
fn asked(pair: &Pair, topic: &str) -> Vec<Duration> {
    let requests = pair.device.log.twin_requests.iter();
    requests.filter(|(_, request)| request.topic.starts_with(topic)).map(|(at, _)| *at).collect()
}

/// The bodies of the reports made.
fn reports(pair: &Pair) -> Vec<Value> {
    let requests = pair.device.log.twin_requests.iter();
    let bodies = requests
        .filter(|(_, request)| matches!(request.topic.parse().unwrap(), DeviceTopic::ReportedPatch { .. }));
    bodies.map(|(_, request)| serde_json::from_slice(&request.payload).unwrap()).collect()
}

#[track_caller]
fn settles(pair: &mut Pair) {
    pair.run_for(2 * MINUTE);
    assert!(pair.network.has_played(), "what was decided has not happened");
    assert_eq!(pair.difference(), None);
}

#[test]
fn a_lost_twin_is_asked_for_again_at_the_deadline() {
    let mut pair = pair();
    pair.network.decide(Way::Down, FETCHED, Fate::Lost);
    settles(&mut pair);
    let gets = asked(&pair, GET);
    assert_eq!(gets.len(), 2);
    assert_eq!(gets[1] - gets[0], 10 * SECOND, "the deadline");
    assert_eq!(pair.device.log.versions(), [1]);
    assert_eq!(pair.device.log.twin_faults, ["the hub did not answer the twin request"]);
}

#[test]
fn a_report_whose_answer_is_lost_is_made_again() {
    let mut pair = settled();
    pair.network.decide(Way::Down, TAKEN, Fate::Lost);
    pair.device.report(pair.now, status("a"));
    pair.run_for(SECOND);
    pair.device.report(pair.now, status("b"));
    settles(&mut pair);
    assert_eq!(reports(&pair), [json!({"status": "a"}), json!({"status": "b"})]);
    let times = asked(&pair, REPORT);
    assert_eq!(times[1] - times[0], 35 * SECOND, "the deadline, and the first wait");
    assert!(asked(&pair, GET).is_empty());
}

#[test]
fn a_wish_that_returns_while_an_answer_is_lost_is_reported() {
    for way in [Way::Up, Way::Down] {
        let mut pair = settled();
        pair.device.report(pair.now, status("a"));
        pair.run_for(SECOND);
        pair.network.decide(way, if way == Way::Up { REPORT } else { TAKEN }, Fate::Lost);
        pair.device.report(pair.now, status("b"));
        pair.run_for(SECOND);
        // As the hub was last known to hold it; but it may have taken the report.
        pair.device.report(pair.now, status("a"));
        settles(&mut pair);
        let bodies = [json!({"status": "a"}), json!({"status": "b"}), json!({"status": "a"})];
        assert_eq!(reports(&pair), bodies, "lost on its way {way:?}");
    }
}

#[test]
fn a_throttled_report_is_repeated() {
    let mut pair = settled();
    pair.cloud.inject(FaultyService::AnyHub, FaultKind::TwinError { status: 429 }, 2);
    pair.device.report(pair.now, status("a"));
    settles(&mut pair);
    let times = asked(&pair, REPORT);
    let waits: Vec<_> = times.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(waits, [5500 * MS, 10_500 * MS], "5 s and 10 s after the answers");
}

#[test]
fn a_push_that_overtakes_the_twin_is_fetched() {
    let mut pair = pair();
    pair.network.decide(Way::Down, FETCHED, Fate::Late(2 * SECOND));
    pair.run_while(MINUTE, |pair| asked(pair, GET).is_empty());
    pair.run_for(300 * MS);
    assert_eq!(pair.cloud.desire(json!({"telemetryInterval": 60})), 2);
    settles(&mut pair);
    assert_eq!(pair.device.log.versions(), [1, 2]);
    assert_eq!(asked(&pair, GET).len(), 2, "the first twin was too old");
}

#[test]
fn a_push_that_the_twin_overtakes_is_dropped() {
    let mut pair = pair();
    pair.network.decide(Way::Down, PUSH, Fate::Late(2 * SECOND));
    pair.run_while(MINUTE, |pair| asked(pair, GET).is_empty());
    assert_eq!(pair.cloud.desire(json!({"telemetryInterval": 60})), 2);
    settles(&mut pair);
    assert_eq!(pair.device.log.versions(), [2]);
    assert_eq!(asked(&pair, GET).len(), 1);
}

#[test]
fn a_push_that_comes_twice_counts_once() {
    let mut pair = settled();
    for (version, interval) in [(2, 60), (3, 120)] {
        pair.network.decide(Way::Down, PUSH, Fate::Twice(SECOND));
        assert_eq!(pair.cloud.desire(json!({"telemetryInterval": interval})), version);
    }
    settles(&mut pair);
    assert_eq!(pair.device.log.versions(), [1, 2, 3]);
    assert!(asked(&pair, GET).is_empty());
}

#[test]
fn pushes_in_the_wrong_order_lead_to_one_get() {
    let mut pair = settled();
    pair.network.decide(Way::Down, PUSH, Fate::Late(100 * MS));
    pair.cloud.desire(json!({"telemetryInterval": 60}));
    pair.run_for(10 * MS);
    pair.cloud.desire(json!({"firmware": "2.0"}));
    settles(&mut pair);
    assert_eq!(pair.device.log.versions(), [1, 2, 3]);
    assert_eq!(asked(&pair, GET).len(), 1);
}

/// The answers to twin requests and the pushes come from different parts of a hub.
#[test]
fn a_twin_that_later_pushes_overtake_does_not_lead_back() {
    let mut pair = settled();
    pair.network.decide(Way::Down, PUSH, Fate::Late(SECOND));
    pair.network.decide(Way::Down, PUSH, Fate::Twice(2 * SECOND));
    pair.network.decide(Way::Down, FETCHED, Fate::Late(5 * SECOND));
    pair.cloud.desire(json!({"telemetryInterval": 60}));
    pair.run_for(10 * MS);
    // The gap leads to a GET, and while its answer is under way all that was missing comes.
    pair.cloud.desire(json!({"telemetryInterval": 90}));
    pair.run_for(3 * SECOND);
    pair.cloud.desire(json!({"telemetryInterval": 120}));
    settles(&mut pair);
    assert_eq!(pair.device.log.versions(), [1, 2, 3, 4]);
    assert_eq!(asked(&pair, GET).len(), 1);
}

#[test]
fn a_twin_that_the_answer_to_a_report_overtakes_does_not_hide_the_report() {
    let mut pair = settled();
    pair.device.report(pair.now, status("a"));
    pair.run_for(SECOND);
    // A push that is late makes a gap, which leads to a GET.
    pair.network.decide(Way::Down, PUSH, Fate::Late(200 * MS));
    pair.network.decide(Way::Down, FETCHED, Fate::Late(5 * SECOND));
    pair.cloud.desire(json!({"note": 1}));
    pair.run_for(10 * MS);
    pair.cloud.desire(json!({"note": 2}));
    pair.run_for(SECOND);
    pair.device.report(pair.now, status("b"));
    pair.run_for(SECOND);
    // As it was when the hub read the twin; but this report fails, and is to be repeated when the twin has come.
    pair.cloud.inject(FaultyService::AnyHub, FaultKind::TwinError { status: 503 }, 1);
    pair.device.report(pair.now, status("a"));
    settles(&mut pair);
    assert_eq!(reports(&pair).last(), Some(&json!({"status": "a"})));
}

#[test]
fn an_answer_to_a_request_that_was_given_up_is_ignored() {
    let mut pair = pair();
    pair.network.decide(Way::Down, FETCHED, Fate::Late(36 * SECOND));
    pair.run_while(MINUTE, |pair| asked(pair, GET).is_empty());
    pair.run_for(20 * SECOND);
    pair.cloud.desire(json!({"telemetryInterval": 60}));
    settles(&mut pair);
    assert_eq!(asked(&pair, GET).len(), 2);
    // The old one arrives long after the new one, and after the push.
    assert_eq!(pair.device.log.versions(), [1, 2]);
}

#[test]
fn what_an_outage_swallows_is_fetched_after_it() {
    let mut pair = settled();
    let outage = pair.now + 100 * MS..pair.now + 10 * MINUTE;
    pair.network.outages.push(outage.clone());
    pair.cloud.desire(json!({"telemetryInterval": 60}));
    pair.device.report(pair.now, status("a"));
    pair.run_until(outage.end);
    assert_eq!(pair.device.log.versions(), [1]);
    pair.run_while(11 * MINUTE, |pair| pair.difference().is_some());
    assert_eq!(pair.device.log.versions(), [1, 2]);
    assert_eq!(asked(&pair, GET).len(), 1);
    assert_eq!(pair.device.log.dps_attempts.len(), 1, "an outage is no reason to ask DPS");
}
