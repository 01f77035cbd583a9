//! One trouble at DPS at a time, and exactly what comes of it.

use std::time::Duration;

use tracker_emulator::{FaultKind, FaultyService, IfMatch};
use tracker_protocol::dps::{Outcome, Request};

use super::cloud::DEVICE;
use super::network::{Fate, Network};
use super::simulation::Pair;
use super::wire::Way;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn pair(latency: Duration) -> Pair {
    Pair::new(1, Network::with_latency(latency))
}

/// The requests that DPS got: when, and whether they were polls.
fn requests(pair: &Pair) -> Vec<(Duration, bool)> {
    let polls = |topic: &str| matches!(topic.parse().unwrap(), Request::Poll { .. });
    pair.device.log.dps_requests.iter().map(|(at, topic)| (*at, polls(topic))).collect()
}

fn kinds(pair: &Pair) -> Vec<bool> {
    requests(pair).into_iter().map(|(_, polls)| polls).collect()
}

fn throttled(retry_after: u64) -> FaultKind {
    FaultKind::DpsError { status: 429, retry_after: Some(Duration::from_secs(retry_after)) }
}

#[test]
fn nothing_goes_wrong() {
    let mut pair = pair(SECOND);
    let online = pair.run_while(MINUTE, |pair| !pair.device.is_online());
    assert_eq!(kinds(&pair), [false, true]);
    // DPS: four round trips of two seconds, and the three seconds that it asks for; the hub: two more.
    assert_eq!(online, 15 * SECOND);
    pair.run_for(MINUTE);
    assert_eq!(pair.difference(), None);
    assert_eq!((pair.device.log.dps_attempts.len(), pair.device.log.hub_attempts.len()), (1, 1));
}

#[test]
fn retry_after_counts_from_the_arrival_of_the_answer() {
    for latency in [Duration::from_millis(50), 2 * SECOND] {
        let mut pair = pair(latency);
        pair.cloud.inject(FaultyService::Dps, throttled(20), 2);
        pair.run_while(2 * MINUTE, |pair| !pair.device.is_online());
        assert_eq!(kinds(&pair), [false, false, false, true]);
        assert_eq!(pair.device.log.dps_attempts.len(), 1, "the wait is short enough for one connection");
        for two in requests(&pair)[..3].windows(2) {
            let wait = two[1].0 - two[0].0 - 2 * latency;
            assert!((20 * SECOND..=25 * SECOND).contains(&wait), "{wait:?}");
        }
        assert_eq!(pair.device.log.early, []);
    }
}

#[test]
fn a_long_wait_is_spent_without_a_connection() {
    let mut pair = pair(SECOND);
    pair.cloud.inject(FaultyService::Dps, throttled(300), 1);
    pair.run_while(10 * MINUTE, |pair| !pair.device.is_online());
    let requests = requests(&pair);
    let wait = requests[1].0 - requests[0].0 - 2 * SECOND;
    assert!((5 * MINUTE..=7 * MINUTE).contains(&wait), "{wait:?}");
    assert_eq!((pair.device.log.dps_attempts.len(), pair.device.log.early.len()), (2, 0));
}

#[test]
fn a_connection_that_breaks_does_not_shorten_the_wait() {
    let mut pair = pair(SECOND);
    pair.cloud.inject(FaultyService::Dps, throttled(50), 1);
    pair.run_until(15 * SECOND);
    pair.device.lose(pair.now);
    pair.run_while(5 * MINUTE, |pair| !pair.device.is_online());
    assert_eq!(pair.device.log.early, []);
}

#[test]
fn an_operation_that_is_gone_is_begun_anew() {
    let mut pair = pair(SECOND);
    let answered = |pair: &Pair| pair.cloud.services.dps().registration(DEVICE).is_ok();
    pair.run_while(MINUTE, |pair| !answered(pair));
    pair.cloud.services.dps().delete_registration(DEVICE, &IfMatch::Any).unwrap();
    pair.run_while(MINUTE, |pair| !pair.device.is_online());
    assert_eq!(kinds(&pair), [false, true, false, true], "another registration, not another poll");
    assert_eq!(pair.device.log.dps_attempts.len(), 1, "on the same connection");
    assert_eq!(pair.device.log.early, []);
}

#[test]
fn a_lost_answer_is_asked_for_again_at_the_deadline() {
    let mut pair = pair(SECOND);
    pair.network.decide(Way::Down, "$dps/registrations/res/202", Fate::Lost);
    pair.run_while(2 * MINUTE, |pair| !pair.device.is_online());
    assert!(matches!(pair.device.log.outcomes[..], [Outcome::Assigned(_)]), "{:?}", pair.device.log.outcomes);
    let requests = requests(&pair);
    assert_eq!(requests[1].0 - requests[0].0, 10 * SECOND, "{requests:?}");
    assert_eq!(pair.device.log.dps_attempts.len(), 1, "on the same connection");
    assert_eq!(kinds(&pair), [false, false, true]);
}

#[test]
fn a_second_answer_to_the_same_request_changes_nothing() {
    let mut pair = pair(SECOND);
    pair.network.decide(Way::Down, "$dps/registrations/res/202", Fate::Twice(SECOND));
    pair.network.decide(Way::Down, "$dps/registrations/res/200", Fate::Twice(SECOND));
    pair.run_while(MINUTE, |pair| !pair.device.is_online());
    assert!(pair.network.has_played());
    assert_eq!(kinds(&pair), [false, true]);
    assert_eq!((pair.device.log.outcomes.len(), pair.device.log.early.len()), (1, 0));
}
