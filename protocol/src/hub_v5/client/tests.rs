//! The device's side against a hub of these tests' own, which may lose and repeat.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::hub::{TwinClient, TwinEvent, TwinStep, merge};
use crate::hub_v5::{Channel, Exec, Probe, ProbeAnswer, RejectReason};

const NONCE: Correlation = Correlation([0xff; 16]);
const METHODS: &[&str] = &["ping", "getStatus"];

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn client() -> Client {
    Client::new(NONCE, METHODS)
}

/// What the device makes of a message of the hub's.
fn receive(client: &mut Client, now: u64, correlation: Correlation, message: &CloudMessage) -> Vec<Step> {
    receive_within(client, now, correlation, message, None)
}

fn receive_within(
    client: &mut Client,
    now: u64,
    correlation: Correlation,
    message: &CloudMessage,
    expiry: Option<u32>,
) -> Vec<Step> {
    let payload = message.payload();
    let received = Received {
        channel: message.channel(),
        type_name: Some(message.type_name()),
        correlation: Some(&correlation.0),
        payload: &payload,
    };
    client.receive(secs(now), received, expiry).unwrap()
}

fn ack(desired_version: u64, reported_version: u64) -> CloudMessage {
    CloudMessage::BirthAck(BirthAck { desired_version, reported_version })
}

fn section(version: u64, payload: &str) -> Option<Section> {
    Some(Section { version, payload: payload.into() })
}

fn push(desired: Option<Section>, reported: Option<Section>) -> CloudMessage {
    CloudMessage::TwinPush(TwinPush { desired, reported })
}

fn get(id: &str) -> Publish {
    let topic = DeviceTopic::TwinGet { request_id: id.into() }.to_string();
    Publish { topic, payload: Vec::new() }
}

fn answer(id: &str, payload: &str) -> Step {
    Step::Answer { status: 200, request_id: id.into(), payload: payload.into() }
}

#[test]
fn a_birth_is_said_until_it_is_acknowledged_and_pushes_answer_the_first_request() {
    let mut client = client();
    let birth = client.birth(secs(0));
    assert_eq!(birth.envelope.correlation, NONCE);
    // Fields 12 and 13, true.
    assert_eq!(birth.envelope.message.payload(), [0x60, 1, 0x68, 1]);
    assert_eq!(client.ask(get("1")), []);
    assert_eq!(client.deadline(), Some(secs(5)));
    assert_eq!(client.tick(secs(4)), []);
    assert_eq!(client.tick(secs(5)), [Step::Publish(birth)]);
    assert_eq!(receive(&mut client, 6, Correlation([0; 16]), &ack(1, 1)), [], "of an earlier connection");
    assert!(!client.is_born());
    assert_eq!(receive(&mut client, 6, NONCE, &ack(7, 3)), [Step::Born]);
    assert_eq!(receive(&mut client, 6, NONCE, &ack(7, 3)), [], "the second birth is answered too");
    assert_eq!(receive(&mut client, 7, NONCE, &push(section(7, "{\"a\": 1}"), None)), []);
    assert_eq!(
        receive(&mut client, 7, NONCE, &push(None, section(3, "{}"))),
        [answer("1", "{\"desired\":{\"a\": 1,\"$version\":7},\"reported\":{\"$version\":3}}")]
    );
    assert_eq!(client.deadline(), None);
}

#[test]
fn an_empty_twin_is_not_waited_for_and_a_push_that_does_not_come_is_asked_for() {
    let mut empty = client();
    empty.ask(get("1"));
    let nothing = "{\"desired\":{\"$version\":0},\"reported\":{\"$version\":0}}";
    assert_eq!(receive(&mut empty, 0, NONCE, &ack(0, 0)), [Step::Born, answer("1", nothing)]);

    let mut silent = client();
    silent.ask(get("1"));
    receive(&mut silent, 10, NONCE, &ack(1, 1));
    assert_eq!(silent.deadline(), Some(secs(15)));
    let steps = silent.tick(secs(15));
    let [Step::Publish(Outgoing { envelope: Envelope { correlation, message }, .. })] = &steps[..] else {
        panic!("{steps:?}")
    };
    assert_eq!(message.payload(), [8, 3], "both sections, unconditionally");
    assert_ne!(*correlation, NONCE);
    let response = CloudMessage::GetResponse(TwinGetResponse {
        desired_version: 1,
        reported_version: 1,
        desired_payload: Some(b"{}".to_vec()),
        reported_payload: Some(b"{\"b\":2}".to_vec()),
    });
    assert_eq!(receive(&mut silent, 16, NONCE, &response), [], "it has the correlation of the request");
    let twin = "{\"desired\":{\"$version\":1},\"reported\":{\"b\":2,\"$version\":1}}";
    assert_eq!(receive(&mut silent, 16, *correlation, &response), [answer("1", twin)]);
    assert_eq!(receive(&mut silent, 16, *correlation, &response), [], "once");
}

fn born(desired: u64, reported: u64) -> Client {
    let mut client = client();
    client.ask(get("1"));
    receive(&mut client, 0, NONCE, &ack(desired, reported));
    receive(&mut client, 0, NONCE, &push(section(desired, "{}"), section(reported, "{}")));
    client
}

fn patch(client: &mut Client, id: &str) -> (Correlation, u64) {
    let topic = DeviceTopic::ReportedPatch { request_id: id.into() }.to_string();
    let messages = client.ask(Publish { topic, payload: b"{}".to_vec() });
    let [Outgoing { envelope: Envelope { correlation, message: DeviceMessage::ReportedPatch(patch) }, .. }] =
        &messages[..]
    else {
        panic!("{messages:?}")
    };
    (*correlation, patch.if_match)
}

#[test]
fn reports_are_for_the_version_that_is_known_and_results_are_statuses() {
    let mut client = born(1, 5);
    let result = |result: ReportedResult, version| {
        CloudMessage::ReportedPatchResponse(ReportedPatchResponse { result: result.into(), version })
    };
    for (what, version, status, next) in [
        (ReportedResult::Ok, 6, 204, 6),
        (ReportedResult::PayloadInvalid, 6, 400, 6),
        (ReportedResult::PayloadTooLarge, 6, 413, 6),
        (ReportedResult::InternalError, 6, 500, 6),
        (ReportedResult::Ok, 9, 204, 9),
    ] {
        let (correlation, _) = patch(&mut client, "7");
        let steps = receive(&mut client, 0, correlation, &result(what, version));
        let [Step::Answer { status: told, request_id, .. }] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!((*told, &**request_id), (status, "7"));
        assert_eq!(patch(&mut client, "8").1, next);
    }
    // Somebody else has written: the twin is fetched anew, and not for ever.
    let mut told = Vec::new();
    for number in 0..7 {
        let (correlation, _) = patch(&mut client, "9");
        told.extend(receive(
            &mut client,
            0,
            correlation,
            &result(ReportedResult::VersionMismatch, 20 + number),
        ));
        assert_eq!(patch(&mut client, "10").1, 20 + number);
    }
    assert_eq!(told[..5], [const { Step::Anew }; 5]);
    assert!(matches!(told[5..], [Step::Answer { status: 503, .. }, Step::Answer { status: 503, .. }]));
}

#[test]
fn desired_patches_follow_each_other_or_the_twin_is_fetched() {
    let mut client = born(4, 1);
    let change = |version, payload: &str| {
        CloudMessage::DesiredPatch(DesiredPatch { version, payload: payload.into() })
    };
    let desired = |version| Step::Desired { version, payload: b"{}".to_vec() };
    assert_eq!(receive(&mut client, 0, NONCE, &change(5, "{}")), [desired(5)]);
    assert_eq!(receive(&mut client, 0, NONCE, &change(5, "{}")), [], "again");
    assert_eq!(receive(&mut client, 0, Correlation([1; 16]), &change(6, "{}")), [], "of another connection");
    assert_eq!(receive(&mut client, 0, NONCE, &change(6, "{}")), [desired(6)]);
    assert_eq!(receive(&mut client, 0, NONCE, &change(6, "")), [], "a version that is known");
    assert_eq!(
        receive(&mut client, 0, NONCE, &change(8, "{}")),
        [desired(8)],
        "the twin client sees the gap"
    );
    assert_eq!(receive(&mut client, 0, NONCE, &change(7, "")), [Step::Anew], "a version alone");
    assert_eq!(receive(&mut client, 0, NONCE, &change(2, "{}")), [Step::Anew], "the twin was replaced");
    assert_eq!(receive(&mut client, 0, NONCE, &push(section(2, "{}"), None)), [Step::Anew]);
    for _ in 0..9 {
        receive(&mut client, 0, NONCE, &change(2, "{}"));
    }
    assert_eq!(receive(&mut client, 1, NONCE, &change(2, "{}")), [], "not without end");
    assert_eq!(receive(&mut client, 61, NONCE, &change(2, "{}")), [Step::Anew]);
}

fn probe(name: &str, seconds: u32) -> CloudMessage {
    CloudMessage::Probe(Probe { method_name: name.into(), response_timeout_seconds: seconds })
}

fn message(steps: &[Step]) -> (&DeviceMessage, Option<u32>) {
    let [Step::Publish(Outgoing { envelope, expiry })] = steps else { panic!("{steps:?}") };
    (&envelope.message, *expiry)
}

/// The token of an answer to a probe.
fn ready(steps: &[Step]) -> Vec<u8> {
    match message(steps) {
        (DeviceMessage::ProbeAck(ack), _) => match ack.answer.clone().unwrap() {
            ProbeAnswer::Ready(ready) => ready.ready_id,
            ProbeAnswer::Rejected(rejected) => panic!("{rejected:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_is_probed_called_once_and_answered_in_time() {
    let mut client = born(1, 1);
    let request = Correlation([7; 16]);
    let steps = receive_within(&mut client, 0, request, &probe("ping", 30), Some(20));
    assert_eq!(message(&steps).1, Some(20));
    let ready_id = ready(&steps);
    assert_eq!(ready_id.len(), 16);
    assert_eq!(receive(&mut client, 1, request, &probe("ping", 30)), [], "it is answered already");
    let exec = |ready_id: &[u8]| {
        CloudMessage::Exec(Exec { ready_id: ready_id.into(), params: b"1".to_vec(), exec_start: None })
    };
    assert_eq!(receive(&mut client, 2, request, &exec(&[9; 16])), [], "another token");
    let call = Step::Call { request, name: "ping".into(), params: b"1".to_vec() };
    assert_eq!(receive_within(&mut client, 2, request, &exec(&ready_id), Some(30)), [call]);
    assert_eq!(receive_within(&mut client, 2, request, &exec(&ready_id), Some(30)), [], "once");
    let outgoing = client.answer(secs(12), request, 200, b"{}".to_vec()).unwrap();
    assert_eq!((outgoing.envelope.correlation, outgoing.expiry), (request, Some(20)));
    assert_eq!(outgoing.envelope.message.payload(), [8, 0xc8, 1, 0x12, 2, b'{', b'}']);
    assert_eq!(client.answer(secs(12), request, 200, Vec::new()), None);
    // Too late to be heard.
    let steps = receive(&mut client, 20, request, &probe("ping", 5));
    receive_within(&mut client, 20, request, &exec(&ready(&steps)), Some(5));
    assert_eq!(client.answer(Duration::from_millis(24_100), request, 200, Vec::new()), None);
}

#[test]
fn calls_that_can_not_be_taken_are_rejected_or_abandoned() {
    let mut client = born(1, 1);
    let mut number = 0;
    let mut asked = |client: &mut Client, name, seconds| {
        number += 1;
        let request = Correlation([number; 16]);
        (request, receive_within(client, 0, request, &probe(name, seconds), Some(10)))
    };
    for (name, seconds, reason) in [
        ("pong", 30, RejectReason::MethodNotFound),
        ("ping", 1, RejectReason::InsufficientTime),
        ("ping", 0, RejectReason::InsufficientTime),
    ] {
        let (_, steps) = asked(&mut client, name, seconds);
        let (DeviceMessage::ProbeAck(ack), _) = message(&steps) else { panic!("{steps:?}") };
        let Some(ProbeAnswer::Rejected(rejected)) = &ack.answer else { panic!("{ack:?}") };
        assert_eq!(rejected.reason(), reason);
    }
    let first = asked(&mut client, "ping", 30);
    for _ in 1..8 {
        ready(&asked(&mut client, "getStatus", 30).1);
    }
    let (_, steps) = asked(&mut client, "ping", 30);
    let (DeviceMessage::ProbeAck(ack), _) = message(&steps) else { panic!("{steps:?}") };
    assert!(matches!(ack.answer, Some(ProbeAnswer::Rejected(r)) if r.reason() == RejectReason::DeviceBusy));
    // Called too late.
    let ready_id = ready(&first.1);
    let exec = CloudMessage::Exec(Exec { ready_id, params: Vec::new(), exec_start: None });
    let steps = receive_within(&mut client, 1, first.0, &exec, Some(0));
    let (DeviceMessage::Abandon(abandon), _) = message(&steps) else { panic!("{steps:?}") };
    assert_eq!(abandon.reason(), crate::hub_v5::AbandonReason::InsufficientTime);
    // Never called: 10 s for the probe, 30 s for the answer, a tenth of that for the way.
    assert_eq!(client.deadline(), Some(secs(43)));
    assert_eq!(client.tick(secs(42)), []);
    let steps = client.tick(secs(43));
    assert_eq!(steps.len(), 7);
    for step in &steps {
        let (DeviceMessage::Abandon(abandon), _) = message(std::slice::from_ref(step)) else {
            panic!("{step:?}")
        };
        assert_eq!(abandon.reason(), crate::hub_v5::AbandonReason::ReadyWaitTimeout);
    }
}

#[test]
fn what_can_not_be_read_is_an_error_and_what_is_unknown_is_passed_over() {
    let mut client = born(1, 1);
    let received = |type_name, correlation, payload| Received {
        channel: Channel::Twin,
        type_name,
        correlation,
        payload,
    };
    let nonce: Option<&[u8]> = Some(&NONCE.0);
    for (type_name, correlation, payload) in [
        (Some("twin-push:1"), nonce, &b"\xff"[..]),
        (Some("twin-push:1"), None, b""),
        (Some("desired-patch:1"), Some(&[1][..]), b""),
    ] {
        let error = client.receive(secs(0), received(type_name, correlation, payload), None).unwrap_err();
        assert!(error.to_string().starts_with("not a valid message of a hub of MQTT 5: "), "{error}");
    }
    for type_name in [None, Some(""), Some("twin-push:2"), Some("birth-ack:1"), Some("novelty:1")] {
        assert_eq!(client.receive(secs(0), received(type_name, nonce, b"\xff"), None), Ok(Vec::new()));
    }
}

/// A hub that holds a twin, and loses and repeats as it is told.
#[derive(Default)]
struct Hub {
    desired: Map<String, Value>,
    reported: Map<String, Value>,
    versions: (u64, u64),
    down: Vec<(Correlation, CloudMessage)>,
}

impl Hub {
    fn section(of: &Map<String, Value>, version: u64) -> Section {
        Section { version, payload: serde_json::to_vec(of).unwrap() }
    }

    fn hear(&mut self, Envelope { correlation, message }: Envelope<DeviceMessage>) {
        let (desired_version, reported_version) = self.versions;
        let desired = Self::section(&self.desired, desired_version);
        let reported = Self::section(&self.reported, reported_version);
        let answer = match message {
            DeviceMessage::Birth(_) => {
                self.down.push((
                    correlation,
                    CloudMessage::BirthAck(BirthAck { desired_version, reported_version }),
                ));
                let (desired, reported) = (Some(desired), Some(reported));
                CloudMessage::TwinPush(TwinPush {
                    desired: desired.filter(|section| section.version != 0),
                    reported: reported.filter(|section| section.version != 0),
                })
            }
            DeviceMessage::Get(_) => CloudMessage::GetResponse(TwinGetResponse {
                desired_version,
                reported_version,
                desired_payload: Some(desired.payload),
                reported_payload: Some(reported.payload),
            }),
            DeviceMessage::ReportedPatch(patch) if patch.if_match == reported_version => {
                merge(&mut self.reported, &serde_json::from_slice(&patch.payload).unwrap());
                self.versions.1 += 1;
                let result = ReportedResult::Ok.into();
                CloudMessage::ReportedPatchResponse(ReportedPatchResponse {
                    result,
                    version: self.versions.1,
                })
            }
            DeviceMessage::ReportedPatch(_) => {
                let result = ReportedResult::VersionMismatch.into();
                CloudMessage::ReportedPatchResponse(ReportedPatchResponse {
                    result,
                    version: reported_version,
                })
            }
            other => panic!("{other:?}"),
        };
        self.down.push((correlation, answer));
    }

    fn change(&mut self, value: u8) {
        self.desired.insert("a".into(), value.into());
        self.versions.0 += 1;
        let payload = json!({"a": value}).to_string().into_bytes();
        let patch = DesiredPatch { version: self.versions.0, payload };
        self.down.push((NONCE, CloudMessage::DesiredPatch(patch)));
    }
}

/// A device with a twin, before that hub.
struct Device {
    client: Client,
    twin: TwinClient,
    hub: Hub,
    applied: Map<String, Value>,
    now: u64,
}

impl Device {
    fn twin(&mut self, steps: Vec<TwinStep>, lost: &mut impl FnMut() -> bool) {
        for step in steps {
            match step {
                TwinStep::Publish(publish) => {
                    for outgoing in self.client.ask(publish) {
                        self.say(outgoing, lost);
                    }
                }
                TwinStep::Desired { properties, .. } => self.applied = properties,
                TwinStep::Fault(_) => {}
            }
        }
    }

    fn say(&mut self, outgoing: Outgoing, lost: &mut impl FnMut() -> bool) {
        if !lost() {
            self.hub.hear(outgoing.envelope);
        }
    }

    fn steps(&mut self, steps: Vec<Step>, lost: &mut impl FnMut() -> bool) {
        for step in steps {
            let now = secs(self.now);
            let event = match &step {
                Step::Publish(outgoing) => {
                    self.say(outgoing.clone(), lost);
                    continue;
                }
                Step::Born => TwinEvent::Accepted,
                Step::Answer { status, request_id, payload } => {
                    TwinEvent::Response { status: *status, request_id, payload }
                }
                Step::Desired { version, payload } => TwinEvent::Desired { version: *version, payload },
                Step::Anew => TwinEvent::Subscribed,
                Step::Call { .. } => panic!(),
            };
            let steps = self.twin.handle(now, event);
            self.twin(steps, lost);
        }
    }

    /// A second passes, in which some of what the hub sends arrives.
    fn second(&mut self, mut lost: impl FnMut() -> bool) {
        self.now += 1;
        for (correlation, message) in std::mem::take(&mut self.hub.down) {
            if !lost() {
                let steps = receive(&mut self.client, self.now, correlation, &message);
                self.steps(steps, &mut lost);
            }
        }
        let steps = self.client.tick(secs(self.now));
        self.steps(steps, &mut lost);
        let steps = self.twin.handle(secs(self.now), TwinEvent::Tick);
        self.twin(steps, &mut lost);
    }
}

proptest! {
    #[test]
    fn whatever_is_lost_both_sides_agree_in_the_end(
        changes in prop::collection::vec((any::<u8>(), any::<bool>(), any::<bool>()), 1..40),
        lost in prop::collection::vec(any::<bool>(), 1..60),
        held in any::<bool>(),
    ) {
        let mut hub = Hub::default();
        if held {
            hub.reported.insert("r".into(), 300.into());
            hub.versions = (3, 9);
        }
        let mut device = Device { client: client(), twin: TwinClient::new(), hub, applied: Map::new(), now: 0 };
        let mut losses = lost.iter().copied().cycle();
        let mut lose = move || losses.next().unwrap();
        let birth = device.client.birth(secs(0));
        device.say(birth, &mut lose);
        let steps = device.twin.handle(secs(0), TwinEvent::Subscribed);
        device.twin(steps, &mut lose);
        for (value, desired, somebody_else) in changes {
            if desired {
                device.hub.change(value);
            } else {
                let report = json!({"r": value}).as_object().unwrap().clone();
                let steps = device.twin.report(secs(device.now), report);
                device.twin(steps, &mut lose);
            }
            if somebody_else {
                device.hub.reported.insert("other".into(), value.into());
                device.hub.versions.1 += 1;
            }
            device.second(&mut lose);
        }
        // A change that arrives tells the device what it has missed.
        device.hub.change(255);
        for _ in 0..3000 {
            device.second(|| false);
        }
        device.hub.change(254);
        for _ in 0..3000 {
            device.second(|| false);
        }
        prop_assert!(device.client.is_born() && device.twin.is_reported());
        prop_assert_eq!(&device.applied, &device.hub.desired);
        if let Some(wanted) = device.twin.last_reported("r") {
            prop_assert_eq!(device.hub.reported.get("r"), Some(wanted));
        }
    }
}
