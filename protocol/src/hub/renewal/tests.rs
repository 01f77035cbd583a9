//! What the client does, answer by answer; and with a hub that loses, delays and refuses, in any order.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const ID: &str = "ab-12";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn request() -> RenewalRequest {
    RenewalRequest { device_id: "d".into(), request_id: ID.into(), csr: "MIIB".into(), is_known: false }
}

/// A client that has asked at 0, with weeks to go.
fn asked() -> RenewalClient {
    let mut client = RenewalClient::default();
    client.handle(secs(0), 0.0, RenewalEvent::Subscribed);
    let step = client.begin(secs(0), request(), secs(2_000_000));
    assert!(matches!(step, Some(RenewalStep::Publish(_))), "{step:?}");
    client
}

fn answer(client: &mut RenewalClient, now: Duration, status: u16, body: &Value) -> Vec<RenewalStep> {
    let payload = body.to_string();
    let event = RenewalEvent::Response { status, request_id: ID, payload: payload.as_bytes() };
    client.handle(now, 0.0, event)
}

fn body(steps: &[RenewalStep]) -> Option<Value> {
    steps.iter().find_map(|step| match step {
        RenewalStep::Publish(message) => {
            assert_eq!(message.topic, format!("$iothub/credentials/POST/issueCertificate/?$rid={ID}"));
            serde_json::from_slice(&message.payload).ok()
        }
        _ => None,
    })
}

#[test]
fn nothing_is_asked_before_the_subscription_is_in_force() {
    let mut client = RenewalClient::default();
    assert_eq!(client.begin(secs(1), request(), secs(1000)), None);
    assert_eq!((client.deadline(), client.is_under_way()), (None, true));
    let steps = client.handle(secs(2), 0.0, RenewalEvent::Subscribed);
    assert_eq!(body(&steps), Some(json!({"id": "d", "csr": "MIIB"})), "no null for what is not there");
    let other = RenewalRequest { request_id: "other".into(), ..request() };
    assert_eq!(client.begin(secs(3), other, secs(1000)), None, "one at a time");
}

#[test]
fn two_answers_bring_the_certificates() {
    let mut client = asked();
    let taken = answer(&mut client, secs(1), 202, &json!({"operationExpires": "2026-11-28T12:00:00Z"}));
    assert_eq!(taken, [RenewalStep::Accepted("2026-11-28T12:00:00Z".into())]);
    assert_eq!(client.deadline(), Some(secs(1 + 3600)), "a lost answer is asked for again");
    let issued = answer(&mut client, secs(9), 200, &json!({"certificates": ["leaf", "ca"]}));
    assert_eq!(issued, [RenewalStep::Issued(vec!["leaf".into(), "ca".into()])]);
    assert!(!client.is_under_way() && client.deadline().is_none());
    // The array by itself, and at once.
    let issued = answer(&mut asked(), secs(9), 200, &json!(["leaf", "ca"]));
    assert_eq!(issued, [RenewalStep::Issued(vec!["leaf".into(), "ca".into()])]);
    for nothing in [json!([]), json!({}), json!({"certificates": [1]}), json!(7)] {
        let mut client = asked();
        let steps = answer(&mut client, secs(9), 200, &nothing);
        assert!(matches!(&steps[..], [RenewalStep::Fault(_)]), "{steps:?}");
        assert_eq!(client.deadline(), Some(secs(9 + 300)));
    }
}

#[test]
fn the_answer_of_another_request_is_not_heard() {
    let mut client = asked();
    let event = RenewalEvent::Response { status: 200, request_id: "ab-11", payload: b"[\"x\"]" };
    assert_eq!(client.handle(secs(1), 0.0, event), []);
    assert!(client.is_under_way());
}

#[test]
fn silence_and_lost_connections_lead_to_the_same_request_again() {
    let mut client = asked();
    assert_eq!(client.deadline(), Some(secs(90)));
    assert_eq!(client.handle(secs(89), 0.0, RenewalEvent::Tick), []);
    let steps = client.handle(secs(90), 0.0, RenewalEvent::Tick);
    assert_eq!(body(&steps), Some(json!({"id": "d", "csr": "MIIB"})));
    answer(&mut client, secs(91), 202, &json!({}));
    assert_eq!(client.handle(secs(100), 0.0, RenewalEvent::Disconnected), []);
    assert_eq!(client.deadline(), None, "it waits for the subscription");
    let steps = client.handle(secs(130), 0.0, RenewalEvent::Subscribed);
    assert_eq!(body(&steps), Some(json!({"id": "d", "csr": "MIIB"})));
    // The hub still has it: no reason to replace anything.
    let conflict = json!({"errorCode": 409_005, "info": {"requestId": ID}});
    assert_eq!(answer(&mut client, secs(131), 409, &conflict), []);
    assert_eq!(client.deadline(), Some(secs(131 + 3600)));
    assert_eq!(answer(&mut client, secs(132), 200, &json!(["x"])), [RenewalStep::Issued(vec!["x".into()])]);
}

#[test]
fn a_request_that_the_hub_has_forgotten_is_made_again() {
    let mut client = asked();
    answer(&mut client, secs(1), 202, &json!({}));
    client.expires_in(secs(1), secs(600));
    assert_eq!(client.deadline(), Some(secs(601)));
    let steps = client.handle(secs(601), 0.0, RenewalEvent::Tick);
    assert!(matches!(&steps[..], [RenewalStep::Fault(_)]), "{steps:?}");
    assert_eq!(client.deadline(), Some(secs(901)));
    assert!(body(&client.handle(secs(901), 0.0, RenewalEvent::Tick)).is_some());
}

#[test]
fn a_stranger_in_the_way_is_replaced_and_where_there_is_none_nothing_is() {
    for code in [409_004, 409_005] {
        let mut client = asked();
        let stranger = json!({"errorCode": code, "info": {"requestId": "another"}});
        let steps = answer(&mut client, secs(1), 409, &stranger);
        assert_eq!(body(&steps), Some(json!({"id": "d", "csr": "MIIB", "replace": "*"})), "at once");
        let steps = answer(&mut client, secs(2), 412, &json!({"errorCode": 412_001}));
        assert_eq!(body(&steps), None, "the second time it waits");
        let steps = client.handle(secs(2 + 5), 0.0, RenewalEvent::Tick);
        assert_eq!(body(&steps), Some(json!({"id": "d", "csr": "MIIB"})));
    }
    // A hub that does not say which: what it was told before the restart is meant.
    let mut client = RenewalClient::default();
    client.begin(secs(0), RenewalRequest { is_known: true, ..request() }, secs(2_000_000));
    client.handle(secs(0), 0.0, RenewalEvent::Subscribed);
    assert_eq!(answer(&mut client, secs(1), 409, &json!({"errorCode": 409_004, "info": null})), []);
    assert_eq!(client.deadline(), Some(secs(1 + 3600)));
}

#[test]
fn each_kind_of_failure_has_its_wait_and_the_hubs_word_wins() {
    for (status, code, first) in [(429, 429_002, 1), (429, 429_003, 1), (503, 503_001, 5), (503, 503_102, 5)]
        .into_iter()
        .chain([(500, 500_001, 300), (504, 504_000, 300)])
    {
        let mut client = asked();
        answer(&mut client, secs(1), status, &json!({"errorCode": code}));
        assert_eq!(client.deadline(), Some(secs(1 + first)), "{code}");
        client.handle(secs(1 + first), 0.0, RenewalEvent::Tick);
        answer(&mut client, secs(2000), status, &json!({"errorCode": code}));
        assert_eq!(client.deadline(), Some(secs(2000 + 2 * first)), "{code}");
        let mut client = asked();
        answer(&mut client, secs(1), status, &json!({"errorCode": code, "retryAfter": 77}));
        assert_eq!(client.deadline(), Some(secs(78)), "{code}");
    }
    let mut client = asked();
    answer(&mut client, secs(1), 429, &json!({"errorCode": 429_002, "retryAfter": 0}));
    assert_eq!(client.deadline(), Some(secs(2)), "a wait of nothing is none");
}

#[test]
fn what_is_wrong_for_good_is_told_and_not_repeated() {
    let permanent = [400_004, 400_006, 400_037, 400_040, 400_001, 403_010, 404_001, 412_005];
    for code in permanent {
        let mut client = asked();
        let info = json!({"credentialError": "FailedToDecodeCsr", "credentialMessage": "no CSR"});
        let error = json!({"errorCode": code, "message": "Bad", "info": info});
        let status = u16::try_from(code / 1000).unwrap();
        let steps = answer(&mut client, secs(1), status, &error);
        let why = format!("the hub gives no certificate (error {code}, Bad, FailedToDecodeCsr, no CSR)");
        assert_eq!(steps, [RenewalStep::Refused(why)]);
        assert!(!client.is_under_way() && client.deadline().is_none());
    }
}

#[test]
fn a_certificate_of_seconds_is_not_waited_for_for_minutes() {
    let mut client = RenewalClient::default();
    client.handle(secs(0), 0.0, RenewalEvent::Subscribed);
    client.begin(secs(0), request(), secs(8));
    assert_eq!(client.deadline(), Some(secs(2)));
    answer(&mut client, secs(0), 500, &json!({}));
    assert_eq!(client.deadline(), Some(secs(2)));
}

/// What happens to a request on its way.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Taken, and issued after so many seconds.
    Issued(u64),
    /// Taken, and forgotten.
    Forgotten,
    /// The request or all its answers are lost.
    Lost,
    /// Refused for now.
    Failed(u16, u32, Option<u64>),
    /// Somebody else's request is under way, whatever is replaced.
    Conflict(u32),
}

fn fate() -> impl Strategy<Value = Fate> {
    let codes = prop_oneof![Just((429, 429_002)), Just((500, 500_001)), Just((503, 503_102))];
    prop_oneof![
        (0..20_000_u64).prop_map(Fate::Issued),
        Just(Fate::Forgotten),
        Just(Fate::Lost),
        (codes, prop::option::of(0..1000_u64))
            .prop_map(|((status, code), after)| { Fate::Failed(status, code, after) }),
        prop_oneof![Just(409_004), Just(409_005), Just(412_001)].prop_map(Fate::Conflict),
    ]
}

/// A hub as it is known: one request at a time, and answers on their way.
#[derive(Debug, Default)]
struct Hub {
    /// Answers by when they are sent.
    answers: Vec<(Duration, u16, Value)>,
    requests: Vec<Duration>,
}

impl Hub {
    fn take(&mut self, now: Duration, steps: Vec<RenewalStep>, fate: Fate) -> bool {
        let mut issued = false;
        for step in steps {
            match step {
                RenewalStep::Publish(message) => {
                    assert!(message.topic.ends_with(ID), "there is but one operation");
                    self.requests.push(now);
                    let mut say = |wait, status, body| self.answers.push((now + secs(wait), status, body));
                    match fate {
                        Fate::Issued(wait) => {
                            say(1, 202, json!({}));
                            say(1 + wait, 200, json!(["leaf"]));
                        }
                        Fate::Forgotten => say(1, 202, json!({})),
                        Fate::Lost => {}
                        Fate::Failed(status, code, after) => {
                            say(1, status, json!({"errorCode": code, "retryAfter": after}));
                        }
                        Fate::Conflict(code) => {
                            say(1, u16::try_from(code / 1000).unwrap(), json!({"errorCode": code}));
                        }
                    }
                }
                RenewalStep::Issued(_) => issued = true,
                RenewalStep::Refused(why) => panic!("{why}"),
                RenewalStep::Accepted(_) | RenewalStep::Fault(_) => {}
            }
        }
        issued
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_hub_does_it_ends_once_the_hub_is_well(
        fates in prop::collection::vec((fate(), prop::option::of(1..5000_u64)), 0..30),
        jitter in 0.0..1.0_f64,
        order in any::<u64>(),
    ) {
        let mut client = RenewalClient::default();
        let (mut hub, mut now) = (Hub::default(), secs(0));
        let mut fates = fates.into_iter();
        let mut issued = false;
        let (mut fate, mut stands) = fates.next().unwrap_or((Fate::Issued(1), None));
        client.begin(now, request(), secs(2_000_000));
        let (mut rounds, mut connections) = (0, 0_usize);
        while !issued {
            rounds += 1;
            prop_assert!(rounds < 20_000, "it never ends: {:?}", client);
            let steps = client.handle(now, jitter, RenewalEvent::Subscribed);
            connections += 1;
            let lost_at = stands.map(|stands| now + secs(stands));
            issued |= hub.take(now, steps, fate);
            // Until the connection is lost, or for ever once the hub is well.
            while !issued && lost_at.is_none_or(|at| now < at) {
                rounds += 1;
                prop_assert!(rounds < 20_000, "it never ends: {:?}", client);
                let first = hub.answers.iter().map(|(at, ..)| *at).min();
                let next = [first, client.deadline(), lost_at].into_iter().flatten().min();
                prop_assert!(next.is_some(), "it waits for nothing: {:?}", client);
                let before = now;
                now = now.max(next.unwrap_or(now));
                prop_assert!(now - before < secs(13 * 3600), "patience has an end");
                let due: Vec<_> = (0..hub.answers.len()).filter(|at| hub.answers[*at].0 <= now).collect();
                let sent = hub.requests.len();
                let steps = if due.is_empty() {
                    client.handle(now, jitter, RenewalEvent::Tick)
                } else {
                    // In any order.
                    let place = due[order as usize % due.len()];
                    let (_, status, body) = hub.answers.remove(place);
                    let payload = body.to_string();
                    let event = RenewalEvent::Response { status, request_id: ID, payload: payload.as_bytes() };
                    client.handle(now, jitter, event)
                };
                issued |= hub.take(now, steps, fate);
                if hub.requests.len() > sent && lost_at.is_none() {
                    (fate, _) = fates.next().unwrap_or((Fate::Issued(1), None));
                }
            }
            if !issued {
                client.handle(now, jitter, RenewalEvent::Disconnected);
                // What was on its way over that connection is lost.
                hub.answers.clear();
                (fate, stands) = fates.next().unwrap_or((Fate::Issued(1), None));
            }
        }
        prop_assert!(!client.is_under_way());
        // No tight circle: but for reconnections and one change of mind, a second or more between two requests.
        let close = hub.requests.windows(2).filter(|pair| pair[1] - pair[0] < secs(1)).count();
        prop_assert!(close <= connections + 1, "{close} of {connections}: {:?}", hub.requests);
    }

    #[test]
    fn no_answer_makes_it_panic_or_hurry(
        answers in prop::collection::vec((any::<u16>(), "\\PC{0,40}", 0..100_000_u64), 0..40),
    ) {
        let mut client = asked();
        let (mut now, mut requests) = (secs(0), 1);
        for (status, body, wait) in answers {
            let event = RenewalEvent::Response { status, request_id: ID, payload: body.as_bytes() };
            let steps = client.handle(now, 0.5, event);
            requests += steps.iter().filter(|step| matches!(step, RenewalStep::Publish(_))).count();
            let due = client.deadline().unwrap_or(now);
            now = due.max(now + Duration::from_millis(wait));
            let steps = client.handle(now, 0.5, RenewalEvent::Tick);
            requests += steps.iter().filter(|step| matches!(step, RenewalStep::Publish(_))).count();
        }
        prop_assert!(requests <= 82);
    }
}
