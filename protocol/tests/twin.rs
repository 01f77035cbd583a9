//! The twin reducer: start-up order, stale pushes, gaps, reports that reach the hub once.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tracker_protocol::hub::{DeviceTopic, TwinClient, TwinEvent, TwinStep, merge, replacement};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other}"),
    }
}

fn names(names: &[&str]) -> Option<BTreeSet<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The request ID and the body of the only published message.
fn published(steps: &[TwinStep]) -> (DeviceTopic, Value) {
    let found: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            TwinStep::Publish(publish) => Some(publish),
            _ => None,
        })
        .collect();
    assert_eq!(found.len(), 1, "{steps:?}");
    (found[0].topic.parse().unwrap(), serde_json::from_slice(&found[0].payload).unwrap_or_default())
}

fn request_id(topic: &DeviceTopic) -> &str {
    match topic {
        DeviceTopic::TwinGet { request_id } | DeviceTopic::ReportedPatch { request_id } => request_id,
        other => panic!("{other}"),
    }
}

fn respond(
    client: &mut TwinClient,
    now: Duration,
    to: &DeviceTopic,
    status: u16,
    body: &Value,
) -> Vec<TwinStep> {
    let payload = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    client.handle(now, TwinEvent::Response { status, request_id: request_id(to), payload: &payload })
}

fn push(client: &mut TwinClient, version: u64, patch: &Value) -> Vec<TwinStep> {
    client.handle(secs(1), TwinEvent::Desired { version, payload: patch.to_string().as_bytes() })
}

/// A client that has fetched a twin with desired version 4.
fn fetched() -> TwinClient {
    let mut client = TwinClient::new();
    let (get, _) = published(&client.handle(secs(0), TwinEvent::Subscribed));
    let steps = respond(
        &mut client,
        secs(0),
        &get,
        200,
        &json!({"desired": {"telemetryInterval": 60, "$version": 4}, "reported": {"firmware": "0.9", "$version": 2}}),
    );
    assert_eq!(
        steps,
        [TwinStep::Desired {
            properties: object(json!({"telemetryInterval": 60})),
            version: 4,
            stated: None
        }]
    );
    client
}

#[test]
fn stale_pushes_are_dropped_and_new_ones_merged() {
    let mut client = fetched();
    assert_eq!(push(&mut client, 4, &json!({"telemetryInterval": 1})), []);
    assert_eq!(
        push(&mut client, 5, &json!({"firmware": "2.0", "$version": 5})),
        [TwinStep::Desired {
            properties: object(json!({"telemetryInterval": 60, "firmware": "2.0"})),
            version: 5,
            stated: names(&["firmware"])
        }]
    );
    assert_eq!(
        push(&mut client, 6, &json!({"telemetryInterval": null})),
        [TwinStep::Desired {
            properties: object(json!({"firmware": "2.0"})),
            version: 6,
            stated: names(&["telemetryInterval"])
        }]
    );
}

#[test]
fn a_gap_leads_to_another_get() {
    let mut client = fetched();
    let (topic, _) = published(&push(&mut client, 7, &json!({"a": 1})));
    assert!(matches!(topic, DeviceTopic::TwinGet { .. }));
    assert_eq!(push(&mut client, 8, &json!({"a": 2})), [], "one GET is enough");
}

#[test]
fn a_push_that_overtakes_the_first_get_is_not_lost() {
    let mut client = TwinClient::new();
    let (get, _) = published(&client.handle(secs(0), TwinEvent::Subscribed));
    assert_eq!(push(&mut client, 5, &json!({"a": 5})), []);
    let steps = respond(&mut client, secs(1), &get, 200, &json!({"desired": {"a": 4, "$version": 4}}));
    assert!(matches!(published(&steps).0, DeviceTopic::TwinGet { .. }));
}

#[test]
fn a_twin_that_pushes_have_overtaken_does_not_lead_back() {
    let mut client = fetched();
    let (get, _) = published(&push(&mut client, 6, &json!({"a": 6})));
    // What was missing comes after all, before the answer.
    for version in 5..=7 {
        assert!(matches!(push(&mut client, version, &json!({"a": version}))[..], [TwinStep::Desired { .. }]));
    }
    let twin = json!({"desired": {"a": 6, "$version": 6}, "reported": {}});
    assert_eq!(respond(&mut client, secs(2), &get, 200, &twin), []);
    assert_eq!(client.desired_version(), 7);
    assert_eq!(
        push(&mut client, 8, &json!({"b": 8})),
        [TwinStep::Desired {
            properties: object(json!({"telemetryInterval": 60, "a": 7, "b": 8})),
            version: 8,
            stated: names(&["b"])
        }]
    );
}

#[test]
fn only_differences_are_reported_and_repeated_until_taken() {
    let mut client = fetched();
    let (patch, body) =
        published(&client.report(secs(1), object(json!({"firmware": "0.9", "state": {"up": true, "n": 1}}))));
    assert_eq!(body, json!({"state": {"up": true, "n": 1}}), "the hub holds the firmware already");

    // More to report while one is under way goes with the next.
    assert_eq!(client.report(secs(1), object(json!({"state": {"up": true}}))), []);
    assert!(matches!(respond(&mut client, secs(2), &patch, 503, &json!(null))[..], [TwinStep::Fault(_)]));
    assert_eq!(client.handle(secs(6), TwinEvent::Tick), []);
    let (again, body) = published(&client.handle(secs(7), TwinEvent::Tick));
    assert_eq!(body, json!({"state": {"up": true}}));
    assert_eq!(respond(&mut client, secs(8), &again, 204, &json!(null)), []);
    assert!(client.is_reported());

    let (_, body) = published(&client.report(secs(9), object(json!({"state": {"down": 1}}))));
    assert_eq!(body, json!({"state": {"up": null, "down": 1}}), "what is gone is said so");
}

/// A report of `first`, then of `second`, which is not answered, then again of `first`: what is sent last.
fn reported_after_silence(first: &Value, second: &Value) -> Value {
    let mut client = fetched();
    let wish = |value: &Value| object(json!({ "state": value }));
    let (patch, _) = published(&client.report(secs(1), wish(first)));
    respond(&mut client, secs(1), &patch, 204, &json!(null));
    published(&client.report(secs(2), wish(second)));
    assert_eq!(client.report(secs(3), wish(first)), [], "one at a time");
    assert!(!client.is_reported(), "the hub may hold the second");
    assert!(matches!(client.handle(secs(32), TwinEvent::Tick)[..], [TwinStep::Fault(_)]));
    assert!(!client.is_reported(), "the hub may hold the second");
    let (patch, body) = published(&client.handle(secs(37), TwinEvent::Tick));
    assert_eq!(respond(&mut client, secs(38), &patch, 204, &json!(null)), []);
    assert!(client.is_reported());
    body["state"].clone()
}

#[test]
fn a_wish_that_returns_is_reported_again_if_the_hub_may_hold_another() {
    for (first, second, sent) in [
        (json!(1), json!(2), json!(1)),
        (json!({"a": 1}), json!({"b": {"c": 1}}), json!({"a": 1, "b": null})),
        (json!({"a": 1, "b": 1}), json!({"a": {"c": 1}, "b": 1}), json!({"a": 1, "b": 1})),
        (json!({"a": {"c": 1}}), json!({"a": {"d": 1}}), json!({"a": {"c": 1, "d": null}})),
        (json!({"a": 1}), json!("gone"), json!({"a": 1})),
        (json!([1]), json!(null), json!([1])),
        (json!(1), json!({"a": 1}), json!(1)),
    ] {
        assert_eq!(reported_after_silence(&first, &second), sent, "{first} after {second}");
    }
}

#[test]
fn a_twin_from_before_a_report_does_not_hide_it() {
    let mut client = fetched();
    let (patch, _) = published(&client.report(secs(1), object(json!({"state": {"a": 1}}))));
    respond(&mut client, secs(1), &patch, 204, &json!(null));
    let (get, _) = published(&push(&mut client, 6, &json!({"a": 6})));
    let (patch, _) = published(&client.report(secs(2), object(json!({"state": {"a": 1, "b": 1}}))));
    assert_eq!(respond(&mut client, secs(3), &patch, 204, &json!(null)), []);
    // Read before that report, it arrives after the answer to it; and what was wanted then is wanted again.
    let (patch, _) = published(&client.report(secs(3), object(json!({"state": {"a": 1}}))));
    assert!(matches!(respond(&mut client, secs(3), &patch, 500, &json!(null))[..], [TwinStep::Fault(_)]));
    let twin = json!({"desired": {"$version": 6}, "reported": {"state": {"a": 1}}});
    let steps = respond(&mut client, secs(4), &get, 200, &twin);
    assert!(matches!(steps[..], [TwinStep::Desired { .. }]), "{steps:?}");
    assert!(!client.is_reported());
    let (patch, body) = published(&client.handle(secs(8), TwinEvent::Tick));
    assert_eq!(body, json!({"state": {"a": 1, "b": null}}));
    assert_eq!(respond(&mut client, secs(9), &patch, 204, &json!(null)), []);
    assert!(client.is_reported());
}

#[test]
fn a_property_that_the_hub_may_hold_is_removed() {
    let mut client = fetched();
    published(&client.report(secs(1), object(json!({"state": 1}))));
    assert_eq!(client.report(secs(2), object(json!({"state": null}))), []);
    assert!(matches!(client.handle(secs(31), TwinEvent::Tick)[..], [TwinStep::Fault(_)]));
    assert_eq!(published(&client.handle(secs(36), TwinEvent::Tick)).1, json!({"state": null}));
}

#[test]
fn wanted_reports_survive_the_connection() {
    let mut client = TwinClient::new();
    assert_eq!(client.report(secs(0), object(json!({"a": 1}))), [], "not before the GET");
    let (get, _) = published(&client.handle(secs(1), TwinEvent::Subscribed));
    let (lost, _) =
        published(&respond(&mut client, secs(1), &get, 200, &json!({"desired": {}, "reported": {}})));
    let (get, _) = published(&client.handle(secs(9), TwinEvent::Subscribed));
    assert_eq!(
        respond(&mut client, secs(9), &lost, 204, &json!(null)),
        [],
        "an answer of the old connection"
    );
    let (_, body) =
        published(&respond(&mut client, secs(9), &get, 200, &json!({"desired": {}, "reported": {}})));
    assert_eq!(body, json!({"a": 1}));
}

#[test]
fn nothing_is_asked_of_a_new_connection_before_its_subscriptions_are_in_force() {
    // Lost while a twin was asked for, while that was to be repeated, and while a report was to be.
    let asked = |mut client: TwinClient| {
        push(&mut client, 7, &json!({"a": 1}));
        client
    };
    let mut repeats_get = asked(fetched());
    let steps = repeats_get.handle(secs(11), TwinEvent::Tick);
    assert!(matches!(steps[..], [TwinStep::Fault(_), TwinStep::Publish(_)]));
    assert!(matches!(repeats_get.handle(secs(31), TwinEvent::Tick)[..], [TwinStep::Fault(_)]));
    let mut repeats_report = fetched();
    let (patch, _) = published(&repeats_report.report(secs(1), object(json!({"state": 1}))));
    respond(&mut repeats_report, secs(31), &patch, 429, &json!(null));
    for mut client in [asked(fetched()), repeats_get, repeats_report, fetched()] {
        assert_eq!(client.handle(secs(32), TwinEvent::Connected), []);
        assert_eq!(client.deadline(), None);
        assert_eq!(client.handle(secs(99), TwinEvent::Tick), []);
        assert_eq!(client.report(secs(99), object(json!({"state": 2}))), []);
        assert_eq!(push(&mut client, 8, &json!({"a": 2})), []);
        let (topic, _) = published(&client.handle(secs(99), TwinEvent::Subscribed));
        assert!(matches!(topic, DeviceTopic::TwinGet { .. }));
    }
}

#[test]
fn a_refused_report_is_told_and_not_repeated_until_it_changes() {
    let mut client = fetched();
    let (patch, _) = published(&client.report(secs(1), object(json!({"a": "x"}))));
    let steps = respond(&mut client, secs(1), &patch, 400, &json!({"message": "too big"}));
    let [TwinStep::Fault(fault)] = &steps[..] else { panic!("{steps:?}") };
    assert!(fault.contains("refused the report of a with 400") && fault.contains("too big"), "{fault}");
    assert_eq!(client.report(secs(2), object(json!({"a": "x"}))), []);
    assert_eq!(published(&client.report(secs(3), object(json!({"a": "y"})))).1, json!({"a": "y"}));
}

/// An answer to a desired property, of this many bytes.
fn answer(bytes: usize) -> Value {
    json!({"ac": 200, "ad": "x".repeat(bytes), "av": 1, "value": true})
}

#[test]
fn what_matters_is_reported_first_and_for_itself() {
    let mut client = TwinClient::new();
    let (get, _) = published(&client.handle(secs(0), TwinEvent::Subscribed));
    // What an earlier program has left there fills the section.
    let left: Map<_, _> = (0..400).map(|number| (format!("p{number}"), answer(20))).collect();
    let twin = json!({"desired": {"$version": 4}, "reported": left});
    respond(&mut client, secs(0), &get, 200, &twin);
    let (first, body) = published(&client.report(secs(1), object(json!({"telemetryInterval": answer(7)}))));
    assert_eq!(body, json!({"telemetryInterval": answer(7)}), "nobody has said yet what else is wanted");
    assert_eq!(client.report_spare(secs(1), object(json!({"p7": answer(20), "cargo": answer(8)}))), []);
    let (second, body) = published(&respond(&mut client, secs(2), &first, 204, &json!(null)));
    assert!(body.as_object().unwrap().values().all(Value::is_null), "room is made: {body}");
    assert_eq!(body.as_object().unwrap().len(), 399);
    // What matters goes before what does not, also where it comes later.
    assert_eq!(client.report(secs(2), object(json!({"sensors": {"gps": "ok"}}))), []);
    let (third, body) = published(&respond(&mut client, secs(3), &second, 204, &json!(null)));
    assert_eq!(body, json!({"sensors": {"gps": "ok"}}));
    let (fourth, body) = published(&respond(&mut client, secs(4), &third, 204, &json!(null)));
    assert_eq!(body, json!({"cargo": answer(8)}));
    assert_eq!(respond(&mut client, secs(5), &fourth, 204, &json!(null)), []);
    assert!(client.is_reported());
    let (_, body) = published(&client.report_spare(secs(6), Map::new()));
    assert_eq!(body, json!({"cargo": null, "p7": null}));
}

#[test]
fn one_property_that_a_hub_refuses_costs_no_other_its_report() {
    let mut client = fetched();
    let wish = object(json!({"bad": "x", "sensors": 1, "journal": 2}));
    let (mut patch, _) = published(&client.report(secs(1), wish));
    let mut taken = Vec::new();
    for (status, name) in [(400, "bad"), (400, "journal"), (204, "sensors"), (204, "")] {
        let steps = respond(&mut client, secs(2), &patch, status, &json!(null));
        if name.is_empty() {
            assert_eq!(steps, []);
            continue;
        }
        let (next, body) = published(&steps);
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        assert!(body.get(name).is_some(), "{body}");
        taken.push(name);
        patch = next;
    }
    assert_eq!(taken, ["bad", "journal", "sensors"]);
    assert!(client.is_reported(), "what is refused is not asked for again");
}

#[test]
fn what_fits_no_report_is_told_and_left_out() {
    let mut client = fetched();
    let wish = object(json!({"large": "x".repeat(70_000), "small": 1}));
    let steps = client.report(secs(1), wish);
    assert_eq!(steps[0], TwinStep::Fault("large is too large to be reported".into()));
    assert_eq!(published(&steps).1, json!({"small": 1}));
}

#[test]
fn many_names_are_not_told_one_by_one() {
    let mut client = fetched();
    let wish: Map<_, _> = (0..2000).map(|number| (format!("p{number}"), json!(1))).collect();
    assert_eq!(client.report_spare(secs(1), Map::new()), []);
    let (patch, _) = published(&client.report_spare(secs(1), wish));
    let steps = respond(&mut client, secs(2), &patch, 400, &json!(null));
    let [TwinStep::Fault(fault)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(fault, "the hub refused the report of p0, p1, p10, p100, p1000 and 1995 more with 400 ");
}

#[test]
fn an_error_that_may_have_come_after_the_report_was_taken_is_no_answer() {
    for status in [500, 504] {
        let mut client = fetched();
        let (patch, _) = published(&client.report(secs(1), object(json!({"state": 1}))));
        respond(&mut client, secs(1), &patch, 204, &json!(null));
        let (patch, _) = published(&client.report(secs(2), object(json!({"state": 2}))));
        assert!(matches!(
            respond(&mut client, secs(2), &patch, status, &json!(null))[..],
            [TwinStep::Fault(_)]
        ));
        assert_eq!(client.report(secs(3), object(json!({"state": 1}))), []);
        assert!(!client.is_reported(), "the hub may hold the second");
        assert_eq!(published(&client.handle(secs(7), TwinEvent::Tick)).1, json!({"state": 1}), "{status}");
    }
}

#[test]
fn pushes_of_nonsense_have_the_twin_fetched_within_bounds() {
    let mut client = fetched();
    let twin = json!({"desired": {"telemetryInterval": 60, "$version": 4}, "reported": {}});
    let (mut gets, mut now) = (0, Duration::from_secs(1));
    let minute = now + Duration::from_mins(1);
    while now < minute {
        // No JSON, and a gap.
        let pushed = [(5, &b"{"[..]), (9, b"{}")];
        for (version, payload) in pushed {
            let mut steps = client.handle(now, TwinEvent::Desired { version, payload });
            steps.extend(client.handle(now, TwinEvent::Tick));
            while let Some(get) = steps.iter().position(|step| matches!(step, TwinStep::Publish(_))) {
                gets += 1;
                let (topic, _) = published(&steps[get..=get]);
                steps = respond(&mut client, now, &topic, 200, &twin);
            }
        }
        now += Duration::from_millis(100);
    }
    assert!((10..=20).contains(&gets), "{gets} twins were fetched in a minute");
}

#[test]
fn silence_and_nonsense_lead_to_a_later_retry() {
    let mut client = TwinClient::new();
    let (get, _) = published(&client.handle(secs(0), TwinEvent::Subscribed));
    let steps = respond(&mut client, secs(1), &get, 200, &json!({"desired": [1]}));
    let [TwinStep::Fault(fault)] = &steps[..] else { panic!("{steps:?}") };
    assert!(fault.contains("desired is not an object"), "{fault}");
    assert_eq!(client.deadline(), Some(secs(6)));
    published(&client.handle(secs(6), TwinEvent::Tick));
    assert_eq!(client.deadline(), Some(secs(16)));
    assert!(matches!(client.handle(secs(16), TwinEvent::Tick)[..], [TwinStep::Fault(_)]));
    assert_eq!(client.deadline(), Some(secs(26)), "the second failure waits longer");
}

#[test]
fn a_twin_that_does_not_come_is_asked_for_again_and_any_of_its_answers_counts() {
    let twin = json!({"desired": {"a": 1, "$version": 3}, "reported": {"state": 1}});
    for late in [false, true] {
        let mut client = TwinClient::new();
        let (first, _) = published(&client.handle(secs(0), TwinEvent::Subscribed));
        // It took 7 s until the hub had accepted the connection on which it was asked.
        assert_eq!(client.handle(secs(7), TwinEvent::Accepted), []);
        assert_eq!(client.deadline(), Some(secs(17)));
        assert_eq!(client.handle(secs(16), TwinEvent::Tick), []);
        let steps = client.handle(secs(17), TwinEvent::Tick);
        let [TwinStep::Fault(_), TwinStep::Publish(_)] = &steps[..] else { panic!("{steps:?}") };
        let (second, _) = published(&steps[1..]);
        assert_ne!(first, second, "each has an ID of its own");
        let (answered, other) = if late { (&first, &second) } else { (&second, &first) };
        let steps = respond(&mut client, secs(18), answered, 200, &twin);
        assert!(matches!(steps[..], [TwinStep::Desired { version: 3, .. }]), "{steps:?}");
        assert_eq!(respond(&mut client, secs(19), other, 200, &twin), [], "one is enough");
        assert_eq!(client.deadline(), None);
    }
}

#[test]
fn a_late_twin_may_be_from_before_any_report_since_the_first_request() {
    let mut client = fetched();
    let (get, _) = published(&push(&mut client, 6, &json!({"a": 6})));
    let (patch, _) = published(&client.report(secs(2), object(json!({"state": 1}))));
    assert_eq!(respond(&mut client, secs(3), &patch, 204, &json!(null)), []);
    let steps = client.handle(secs(11), TwinEvent::Tick);
    assert!(matches!(steps[..], [TwinStep::Fault(_), TwinStep::Publish(_)]), "{steps:?}");
    let twin = json!({"desired": {"$version": 6}, "reported": {}});
    let steps = respond(&mut client, secs(12), &get, 200, &twin);
    assert!(matches!(steps[0], TwinStep::Desired { .. }), "{steps:?}");
    assert!(!client.is_reported(), "whether the hub holds it is not known");
}

#[test]
fn what_was_last_reported_is_known_before_the_hub_has_it_and_after_a_restart() {
    let mut client = TwinClient::new();
    let (get, _) = published(&client.handle(secs(0), TwinEvent::Subscribed));
    assert!(!client.is_fetched());
    let twin = json!({"desired": {"$version": 1}, "reported": {"state": 1, "$version": 7}});
    respond(&mut client, secs(0), &get, 200, &twin);
    assert!(client.is_fetched());
    assert_eq!(client.last_reported("state"), Some(&json!(1)), "of an earlier start");
    assert_eq!(client.last_reported("$version"), None);
    client.report(secs(1), object(json!({"state": 2, "gone": null})));
    assert_eq!(client.last_reported("state"), Some(&json!(2)), "it is under way");
    assert_eq!(client.last_reported("gone"), Some(&Value::Null));
    client.handle(secs(2), TwinEvent::Connected);
    assert!(!client.is_fetched());
    assert_eq!(client.last_reported("state"), Some(&json!(2)));
}

#[test]
fn a_replacement_states_everything() {
    let old = object(json!({"a": 1, "b": 2, "d": {"x": 1, "y": 1}}));
    let new = object(json!({"a": 1, "c": 100, "d": {"y": 2}}));
    let patch = replacement(&old, &new);
    assert_eq!(Value::Object(patch.clone()), json!({"a": 1, "b": null, "c": 100, "d": {"x": null, "y": 2}}));
    let mut merged = old;
    merge(&mut merged, &patch);
    assert_eq!(merged, new);
}
