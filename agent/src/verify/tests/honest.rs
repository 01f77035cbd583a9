//! Honest records: whatever happened on the way, they fit.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::Value;

use super::super::record::is_reading;
use super::super::signatures::Roots;
use super::scene::{Authority, COMPACT, DEVICE, GZIP, PLAIN, SINGLE, Scene, terms, verdict};
use crate::config::DeliveryMode;
use crate::event::Events;
use crate::trip::Trip;

/// A voyage with outages, reboots, unknown time, and a trip.
async fn voyage(mode: DeliveryMode) -> (Scene, Authority, Value) {
    let authority = Authority::new("Root");
    let signer = authority.signer(DEVICE);
    let mut scene = Scene::new(1 << 20);
    scene.tells = true;
    for _ in 0..4 {
        scene.measure(1);
        scene.deliver(mode, 32).await;
    }
    scene.state(&signer.certificate());
    scene.measure(70);
    scene.sign(&signer).await;
    scene.deliver(mode, 200).await;
    scene.reboot(true).await;
    scene.knows_time = false;
    scene.measure(9);
    scene.deliver(mode, 32).await;
    scene.now += TimeDelta::hours(2);
    scene.knows_time = true;
    scene.measure(3);
    scene.deliver(mode, 32).await;
    scene.measure(30);
    scene.reboot(false).await;
    scene.measure(5);
    let report = scene.journal().end_trip(scene.stamp()).await.unwrap();
    scene.sign(&signer).await;
    scene.deliver(mode, 200).await;
    (scene, authority, report.into())
}

#[tokio::test]
async fn a_record_fits_however_it_was_delivered_and_its_trip_equals_the_device_s() {
    for mode in [SINGLE, PLAIN, GZIP, COMPACT] {
        let (scene, authority, report) = voyage(mode).await;
        let mut lines = scene.lines.clone();
        for round in 0..3 {
            // In any order.
            let middle = lines.len() / 2;
            match round {
                1 => lines.reverse(),
                2 => lines.rotate_left(middle),
                _ => {}
            }
            let verdict = verdict(&lines, Some(&authority.roots()));
            assert!(verdict.is_good(), "{mode:?}: {:?}", verdict.sentences());
            let events = verdict_events(&lines);
            assert!(events.len() == 17 && events.iter().all(|(_, has_hash)| *has_hash), "{events:?}");
            let json = verdict.to_json();
            assert_eq!(
                (&json["readings"], &json["withoutHash"], &json["notFollowed"]),
                (&121.into(), &Value::Array(vec![]), &Value::Array(vec![]))
            );
            let trip = &json["trips"][0];
            assert_eq!(trip["differs"], serde_json::json!([]), "{trip}\n{report}");
            assert_eq!((&trip["report"], &report["readings"]), (&report, &121.into()));
            assert!(json["signed"][1]["root"].as_str().unwrap().contains("Root"), "{json}");
        }
        let stranger = Authority::new("Root");
        let verdict = verdict(&lines, Some(&stranger.roots()));
        assert!(verdict.sentences()[1].contains("leads to none of the roots"), "{:?}", verdict.sentences());
    }
}

#[test]
fn a_device_that_was_enrolled_by_its_own_certificate_is_its_own_root() {
    let authority = Authority::new("Root");
    let [own, other] = ["sensor-1", "sensor-2"].map(|name| authority.signer(name).leaf());
    let roots = Roots::of(vec![own.clone().into()]);
    assert!(roots.of_chain(&[own]).is_ok_and(|root| root.contains("sensor-1")));
    assert!(roots.of_chain(&[other]).is_err_and(|why| why.contains("none of the roots")));
}

/// Events among these lines: their numbers, and whether they carry a hash.
fn verdict_events(lines: &[String]) -> BTreeMap<u64, bool> {
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events = lines.filter(|line| line["body"]["state"] == "raised");
    events
        .map(|line| (line["body"]["seq"].as_u64().unwrap(), line["properties"]["chain"].is_string()))
        .collect()
}

#[tokio::test]
async fn an_event_that_was_changed_or_left_out_is_named() {
    let (scene, authority, _) = voyage(SINGLE).await;
    let events = verdict_events(&scene.lines);
    let is_event = |line: &&String, seq: u64| line.contains("\"raised\"") && line.contains(&seq.to_string());
    for seq in events.keys().skip(1).step_by(5) {
        let mut changed = scene.lines.clone();
        for line in changed.iter_mut().filter(|line| is_event(&&**line, *seq)) {
            *line = line.replace("\"limit\":8.0", "\"limit\":12.0");
        }
        let mut left_out = scene.lines.clone();
        left_out.retain(|line| !is_event(&line, *seq));
        assert!(changed != scene.lines && left_out.len() < scene.lines.len());
        for lines in [changed, left_out] {
            let verdict = verdict(&lines, Some(&authority.roots()));
            assert!(!verdict.is_good());
            let named = verdict.to_json()["seq"].as_u64();
            assert_eq!(named, Some(*seq), "{:?}", verdict.sentences());
        }
    }
}

#[tokio::test]
async fn a_trip_of_readings_that_come_late_equals_that_of_their_times() {
    let (scene, _, report) = voyage(SINGLE).await;
    let messages = super::super::input::read(&scene.lines.join("\n")).unwrap();
    let mut bodies: Vec<(u64, String)> = messages
        .into_iter()
        .flat_map(|message| message.bodies)
        .map(|body| (serde_json::from_str::<Value>(&body).unwrap()["seq"].as_u64().unwrap(), body))
        .filter(|(_, body)| is_reading(body))
        .collect();
    bodies.sort();
    bodies.dedup();
    let times: Vec<String> = bodies
        .iter()
        .map(|(_, body)| serde_json::from_str::<Value>(body).unwrap()["time"].to_string())
        .collect();
    assert!(times.is_sorted(), "numbers are in the order of time");
    let mut trip = Trip::new(terms());
    for (_, body) in &bodies {
        trip.feed(body);
    }
    assert_eq!(Value::Object(trip.report()), report);
    assert_eq!((&report["gaps"]["count"], &report["gaps"]["longestSeconds"]), (&1.into(), &7260.into()));
}

#[tokio::test]
async fn a_record_that_became_coarser_fits_and_says_so() {
    for tells in [false, true] {
        becomes_coarser(tells).await;
    }
}

async fn becomes_coarser(tells: bool) {
    let authority = Authority::new("Root");
    let signer = authority.signer(DEVICE);
    let mut scene = Scene::new(96 * 1024);
    scene.tells = tells;
    scene.state(&signer.certificate());
    for part in 0..40 {
        scene.measure(40);
        scene.journal().commit().await;
        if part % 8 == 3 {
            // The newest, or an event, goes first, so that there are holes in what becomes coarser.
            let lease = scene.journal().lease(1, scene.stamp()).await;
            let seq = lease.newest.iter().chain(&lease.backlog).next().unwrap().seq;
            for message in crate::uplink::delivery::messages(lease, DEVICE, GZIP) {
                scene.lines.push(super::scene::line(&message.publish.topic, &message.publish.payload));
            }
            scene.journal().acknowledge(vec![seq]).unwrap();
            scene.journal().release().await;
        }
    }
    assert!(scene.journal().stats().thinned > 300, "{:?}", scene.journal().stats());
    scene.sign(&signer).await;
    scene.measure(1);
    scene.deliver(GZIP, 200).await;
    let verdict = verdict(&scene.lines, Some(&authority.roots()));
    assert!(verdict.is_good(), "{:?}", verdict.sentences());
    let left = verdict.to_json()["readings"].as_u64().unwrap();
    assert_eq!(left + scene.journal().stats().thinned, 1601);
    assert_eq!(verdict_events(&scene.lines).len(), if tells { 228 } else { 0 }, "no event goes");
    assert!(scene.lines.iter().filter(|line| line.contains("\"thinned\"")).count() > 1);
}

#[tokio::test]
async fn without_evidence_nothing_has_a_hash_and_nothing_is_kept() {
    let mut scene = Scene::new(1 << 20);
    scene.tells = true;
    assert!(scene.journal().set_evidence(None));
    scene.measure(40);
    scene.deliver(PLAIN, 200).await;
    assert!(scene.lines.iter().all(|line| !line.contains("chain") && !line.contains("evidence")));
    scene.journal().close().await;
    let file = std::fs::read(scene.directory().join("journal.db")).unwrap();
    assert!(!file.windows(8).any(|bytes| bytes == b"evidence"));
    let verdict = verdict(&scene.lines, None);
    assert!(!verdict.is_good() && verdict.fault.is_none());
    assert!(verdict.sentences().iter().any(|says| says.contains("nobody has signed")));
}

#[tokio::test]
async fn readings_are_the_same_bytes_when_they_are_sent_again() {
    let mut scene = Scene::new(1 << 20);
    scene.measure(30);
    let before = scene.entries().await;
    assert!(before.len() == 32 && before.iter().all(|entry| entry.chain.is_some()));
    scene.journal().commit().await;
    assert_eq!(scene.entries().await, before);
    scene.reboot(true).await;
    assert_eq!(scene.entries().await, before);
}

#[tokio::test]
async fn evidence_that_is_switched_off_and_on_goes_on_from_where_it_was() {
    let authority = Authority::new("Root");
    let signer = authority.signer(DEVICE);
    let mut scene = Scene::new(1 << 20);
    scene.state(&signer.certificate());
    scene.measure(3);
    scene.deliver(GZIP, 32).await;
    assert!(scene.journal().set_evidence(None));
    scene.measure(4);
    scene.deliver(GZIP, 32).await;
    assert!(scene.journal().set_evidence(Some(terms())));
    scene.measure(5);
    scene.sign(&signer).await;
    scene.deliver(GZIP, 32).await;
    let verdict = verdict(&scene.lines, None);
    let json = verdict.to_json();
    assert_eq!(
        (&json["good"], json["withoutHash"].as_array().unwrap().len(), &json["readings"]),
        (&true.into(), 4, &12.into()),
        "{json}"
    );
}

#[tokio::test]
async fn the_next_owner_gets_the_report_of_the_trip_and_nothing_else_of_it() {
    let mut scene = Scene::new(1 << 20);
    scene.measure(20);
    scene.deliver(PLAIN, 200).await;
    scene.measure(5);
    let (options, stamp) = scene.leave().await;
    let report = crate::journal::end_trip(options.clone(), stamp, Events::log(DEVICE)).unwrap();
    assert_eq!((&report["readings"], &report["earlier"]), (&25.into(), &true.into()));
    assert!(crate::journal::inspect::has_evidence(scene.directory()));
    assert!(crate::journal::forget_evidence(options.clone(), Events::log(DEVICE)));
    assert!(!crate::journal::inspect::has_evidence(scene.directory()));
    assert_eq!(crate::journal::end_trip(options, stamp, Events::log(DEVICE)), None, "it has ended");
    let file = std::fs::read(scene.directory().join("journal.db")).unwrap();
    assert!(!file.windows(5).any(|bytes| bytes == b",\"h\":"));
    scene.start(false);
    let entries = scene.entries().await;
    assert_eq!(entries.len(), 6);
    assert!(entries.iter().all(|entry| entry.chain.is_none()));
    assert!(entries[5].fields.contains("\"tripEnd\"") && entries[5].fields.contains("\"earlier\":true"));
}

#[tokio::test]
async fn a_new_key_is_a_new_certificate_and_both_lead_to_the_root() {
    let authority = Authority::new("Root");
    let (old, new) = (authority.signer(DEVICE), authority.signer(DEVICE));
    let mut scene = Scene::new(1 << 20);
    for signer in [&old, &new] {
        scene.state(&signer.certificate());
        scene.measure(10);
        scene.sign(signer).await;
        scene.deliver(GZIP, 200).await;
    }
    let json = verdict(&scene.lines, Some(&authority.roots())).to_json();
    assert_eq!(json["good"], true, "{json}");
    let signed: Vec<_> =
        json["signed"].as_array().unwrap().iter().map(|signed| &signed["certificate"]).collect();
    assert_eq!(signed, [&Value::from(old.thumbprint), &Value::from(new.thumbprint)]);
    // Without the certificate its signature is nothing.
    scene.lines.retain(|line| !line.contains("\"certificate\"") || line.contains("signature"));
    let says = verdict(&scene.lines, None).sentences().join("\n");
    assert!(says.contains("WRONG"), "{says}");
}

#[tokio::test]
async fn what_was_lost_with_the_journal_is_not_left_out_and_what_was_signed_is_not_lost() {
    let authority = Authority::new("Root");
    let signer = authority.signer(DEVICE);
    let mut scene = Scene::new(1 << 20);
    scene.state(&signer.certificate());
    scene.measure(20);
    scene.sign(&signer).await;
    scene.measure(1);
    scene.deliver(SINGLE, 200).await;
    let number =
        |line: &String| serde_json::from_str::<Value>(line).unwrap()["body"]["seq"].as_u64().unwrap();
    let last = scene.lines.iter().map(number).max().unwrap();
    scene.measure(9);
    scene.deliver(SINGLE, 200).await;
    // Of the last ones the hub has some, and the device none.
    scene.lines.retain(|line| ![last + 3, last + 4].contains(&number(line)));
    scene.leave().await;
    for name in ["journal.db", "journal.db-wal", "room"] {
        let _ = std::fs::remove_file(scene.directory().join(name));
    }
    scene.start(true);
    scene.state(&signer.certificate());
    scene.measure(5);
    scene.sign(&signer).await;
    scene.deliver(SINGLE, 200).await;
    let roots = authority.roots();
    let all = verdict(&scene.lines, Some(&roots));
    assert!(all.is_good(), "{:?}", all.sentences());
    let says = all.sentences().join("\n");
    assert!(says.contains("begun anew") && says.contains("not followed by the chain"), "{says}");
    // What was there before the last signature is still named.
    scene.lines.retain(|line| number(line) != last - 4);
    let without = verdict(&scene.lines, Some(&roots)).to_json();
    assert_eq!(without["seq"], last - 4, "{without}");
}
