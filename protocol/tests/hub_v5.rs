//! Topics, names and bytes of the messages of a hub of MQTT 5 against those that Google's protobuf makes of Azure's tables:
//! `tests/data/hub_v5.json`, written by `tests/sdk/mqtt5_rows.py`, which knows nothing of this crate.
#![cfg(feature = "mqtt5")]

use serde_json::Value;
use tracker_protocol::hub_v5::{
    Abandon, AbandonReason, Birth, BirthAck, CloudMessage, Correlation, DesiredPatch, DeviceMessage,
    Direction, Exec, MethodResult, Probe, ProbeAck, ProbeAnswer, Ready, Received, RejectReason, Rejected,
    ReportedPatch, ReportedPatchResponse, ReportedResult, Section, Sections, Timestamp, Topic, TwinGet,
    TwinGetResponse, TwinPush,
};

enum Either {
    Up(DeviceMessage),
    Down(CloudMessage),
}

use Either::{Down, Up};

fn ready_id() -> Vec<u8> {
    (0..16).collect()
}

/// Our messages by the source row that they are of.
fn ours() -> Vec<(&'static str, Either)> {
    let section = |version, payload: &[u8]| Some(Section { version, payload: payload.to_vec() });
    let filtered = TwinGetResponse { desired_version: 2, reported_version: 3, ..TwinGetResponse::default() };
    let rejected = ProbeAnswer::Rejected(Rejected { reason: RejectReason::DeviceBusy.into() });
    let [presence, twin, methods] = [presence(), twin(section, filtered), methods(rejected)];
    presence.into_iter().chain(twin).chain(methods).collect()
}

fn presence() -> Vec<(&'static str, Either)> {
    let birth = Birth {
        session_present: true,
        reported_version: 300,
        desired_version: 7,
        push_desired: true,
        push_reported: true,
    };
    vec![
        ("presence.proto Birth", Up(DeviceMessage::Birth(birth))),
        ("presence.proto Birth, all zero", Up(DeviceMessage::Birth(Birth::default()))),
        (
            "presence.proto BirthAck",
            Down(CloudMessage::BirthAck(BirthAck { desired_version: 7, reported_version: 300 })),
        ),
    ]
}

fn twin(
    section: impl Fn(u64, &[u8]) -> Option<Section>,
    filtered: TwinGetResponse,
) -> Vec<(&'static str, Either)> {
    let get = TwinGet { sections: Sections::Both.into(), if_not_match_desired: 5, if_not_match_reported: 6 };
    let whole = TwinGetResponse {
        desired_payload: Some(b"{}".to_vec()),
        reported_payload: Some(Vec::new()),
        ..filtered.clone()
    };
    let patch = ReportedPatch { if_match: 1, payload: br#"{"a":1}"#.to_vec() };
    let answer = ReportedPatchResponse { result: ReportedResult::InternalError.into(), version: 1 << 63 };
    let both = TwinPush { desired: section(1, b"{}"), reported: section(2, b"[]") };
    let one = TwinPush { desired: None, reported: section(2, b"") };
    vec![
        ("twin.proto TwinGet", Up(DeviceMessage::Get(get))),
        ("twin.proto TwinGetResponse", Down(CloudMessage::GetResponse(whole))),
        ("twin.proto TwinGetResponse, filtered", Down(CloudMessage::GetResponse(filtered))),
        ("twin.proto ReportedPatch", Up(DeviceMessage::ReportedPatch(patch))),
        ("twin.proto ReportedPatchResponse", Down(CloudMessage::ReportedPatchResponse(answer))),
        ("twin.proto TwinPush", Down(CloudMessage::TwinPush(both))),
        ("twin.proto TwinPush, reported alone", Down(CloudMessage::TwinPush(one))),
        (
            "twin.proto DesiredPatch",
            Down(CloudMessage::DesiredPatch(DesiredPatch { version: 9, payload: b"{}".to_vec() })),
        ),
    ]
}

fn methods(rejected: ProbeAnswer) -> Vec<(&'static str, Either)> {
    let probe = Probe { method_name: "reboot".into(), response_timeout_seconds: 30 };
    let ready = ProbeAnswer::Ready(Ready { ready_id: ready_id() });
    let acknowledged = |answer| Up(DeviceMessage::ProbeAck(ProbeAck { answer: Some(answer) }));
    let exec_start = Some(Timestamp { seconds: 1_795_000_000, nanos: 999_999_999 });
    let exec = Exec { ready_id: ready_id(), params: b"1".to_vec(), exec_start };
    let abandon = Abandon { ready_id: ready_id(), reason: AbandonReason::InsufficientTime.into() };
    vec![
        ("directmethods.proto Probe", Down(CloudMessage::Probe(probe))),
        ("directmethods.proto ProbeAck, ready", acknowledged(ready)),
        ("directmethods.proto ProbeAck, rejected", acknowledged(rejected)),
        ("directmethods.proto Exec", Down(CloudMessage::Exec(exec))),
        (
            "directmethods.proto Result",
            Up(DeviceMessage::Result(MethodResult { status: -1, body: b"{}".to_vec() })),
        ),
        ("directmethods.proto Abandon", Up(DeviceMessage::Abandon(abandon))),
    ]
}

#[test]
fn every_row_of_the_tables_has_the_bytes_that_protobuf_makes_of_it() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("data/hub_v5.json")).unwrap();
    let ours = ours();
    assert_eq!(rows.len(), ours.len());
    for (row, (source, message)) in rows.iter().zip(ours) {
        assert_eq!(row["source"], source);
        let (direction, channel, type_name, payload) = match &message {
            Up(message) => (Direction::ToService, message.channel(), message.type_name(), message.payload()),
            Down(message) => (Direction::ToDevice, message.channel(), message.type_name(), message.payload()),
        };
        let topic = Topic { device_id: "d".into(), direction, channel };
        let body: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            (topic.to_string().as_str(), type_name, u64::from(channel.qos()), body.as_str()),
            (
                row["topic"].as_str().unwrap(),
                row["type"].as_str().unwrap(),
                row["qos"].as_u64().unwrap(),
                row["body"].as_str().unwrap()
            ),
            "{source}"
        );
        let correlation = Correlation([3; 16]);
        let received = Received {
            channel,
            type_name: Some(type_name),
            correlation: Some(&correlation.0),
            payload: &payload,
        };
        match message {
            Up(message) => {
                assert_eq!(DeviceMessage::read(received).unwrap().unwrap().message, message, "{source}");
            }
            Down(message) => {
                assert_eq!(CloudMessage::read(received).unwrap().unwrap().message, message, "{source}");
            }
        }
    }
}
