//! Every message against bytes worked out by hand: key = field number × 8 + wire type (0 varint, 2 length-delimited).

use super::super::{
    AbandonReason, ProbeAnswer, Ready, RejectReason, Rejected, ReportedResult, Section, Sections, Timestamp,
};
use super::*;

/// Type, channel, message, bytes.
fn device_messages() -> Vec<(&'static str, Channel, DeviceMessage, Vec<u8>)> {
    let birth = Birth {
        session_present: true,
        reported_version: 300,
        desired_version: 7,
        push_desired: true,
        push_reported: true,
    };
    let ready = |ready_id| ProbeAck { answer: Some(ProbeAnswer::Ready(Ready { ready_id })) };
    let rejected = |reason: RejectReason| ProbeAck {
        answer: Some(ProbeAnswer::Rejected(Rejected { reason: reason.into() })),
    };
    vec![
        (
            "birth:1",
            Channel::Presence,
            DeviceMessage::Birth(birth),
            // 1: true; 10: 300 = 0xac 0x02; 11: 7; 12: true; 13: true
            vec![0x08, 1, 0x50, 0xac, 0x02, 0x58, 7, 0x60, 1, 0x68, 1],
        ),
        ("birth:1", Channel::Presence, DeviceMessage::Birth(Birth::default()), vec![]),
        (
            "get:1",
            Channel::Twin,
            DeviceMessage::Get(TwinGet {
                sections: Sections::Both.into(),
                if_not_match_desired: 5,
                if_not_match_reported: 6,
            }),
            vec![0x08, 3, 0x10, 5, 0x18, 6],
        ),
        (
            "reported-patch:1",
            Channel::Twin,
            DeviceMessage::ReportedPatch(ReportedPatch { if_match: 1, payload: b"{}".to_vec() }),
            vec![0x08, 1, 0x12, 2, b'{', b'}'],
        ),
        (
            "probe-ack:1",
            Channel::Methods,
            DeviceMessage::ProbeAck(ready(vec![9; 3])),
            vec![0x0a, 5, 0x0a, 3, 9, 9, 9],
        ),
        (
            "probe-ack:1",
            Channel::Methods,
            DeviceMessage::ProbeAck(rejected(RejectReason::DeviceBusy)),
            vec![0x12, 2, 0x08, 3],
        ),
        (
            "result:1",
            Channel::Methods,
            DeviceMessage::Result(MethodResult { status: 200, body: b"1".to_vec() }),
            vec![0x08, 0xc8, 0x01, 0x12, 1, b'1'],
        ),
        (
            "result:1",
            Channel::Methods,
            // A negative int32 takes ten bytes.
            DeviceMessage::Result(MethodResult { status: -1, body: vec![] }),
            [&[0x08][..], &[0xff; 9], &[0x01]].concat(),
        ),
        (
            "abandon:1",
            Channel::Methods,
            DeviceMessage::Abandon(Abandon {
                ready_id: vec![4],
                reason: AbandonReason::InsufficientTime.into(),
            }),
            vec![0x0a, 1, 4, 0x10, 2],
        ),
    ]
}

fn cloud_messages() -> Vec<(&'static str, Channel, CloudMessage, Vec<u8>)> {
    let section = |version, payload: &[u8]| Some(Section { version, payload: payload.to_vec() });
    let response = TwinGetResponse {
        desired_version: 2,
        reported_version: 3,
        desired_payload: Some(b"{}".to_vec()),
        // Present and empty is not absent.
        reported_payload: Some(vec![]),
    };
    let exec_start = Some(Timestamp { seconds: 1, nanos: 2 });
    vec![
        (
            "birth-ack:1",
            Channel::Presence,
            CloudMessage::BirthAck(BirthAck { desired_version: 7, reported_version: 300 }),
            // The other way round than in the birth: 10 is desired here.
            vec![0x50, 7, 0x58, 0xac, 0x02],
        ),
        (
            "get-response:1",
            Channel::Twin,
            CloudMessage::GetResponse(response),
            vec![0x08, 2, 0x10, 3, 0x1a, 2, b'{', b'}', 0x22, 0],
        ),
        (
            "reported-patch-response:1",
            Channel::Twin,
            CloudMessage::ReportedPatchResponse(ReportedPatchResponse {
                result: ReportedResult::VersionMismatch.into(),
                version: 4,
            }),
            vec![0x08, 2, 0x10, 4],
        ),
        (
            "twin-push:1",
            Channel::Twin,
            CloudMessage::TwinPush(TwinPush { desired: section(1, b"{}"), reported: section(2, b"[]") }),
            vec![0x0a, 6, 0x08, 1, 0x12, 2, b'{', b'}', 0x12, 6, 0x08, 2, 0x12, 2, b'[', b']'],
        ),
        (
            "desired-patch:1",
            Channel::Twin,
            CloudMessage::DesiredPatch(DesiredPatch { version: 9, payload: b"{}".to_vec() }),
            vec![0x08, 9, 0x12, 2, b'{', b'}'],
        ),
        (
            "probe:1",
            Channel::Methods,
            CloudMessage::Probe(Probe { method_name: "ab".into(), response_timeout_seconds: 30 }),
            vec![0x0a, 2, b'a', b'b', 0x10, 30],
        ),
        (
            "exec:1",
            Channel::Methods,
            CloudMessage::Exec(Exec { ready_id: vec![4], params: b"1".to_vec(), exec_start }),
            vec![0x0a, 1, 4, 0x12, 1, b'1', 0x1a, 4, 0x08, 1, 0x10, 2],
        ),
    ]
}

#[test]
fn messages_of_devices_have_the_bytes_of_the_tables() {
    for (type_name, channel, message, bytes) in device_messages() {
        assert_eq!(
            (message.type_name(), message.channel(), message.payload()),
            (type_name, channel, bytes.clone())
        );
        let read =
            Received { channel, type_name: Some(type_name), correlation: Some(&[1; 16]), payload: &bytes };
        let envelope = DeviceMessage::read(read).unwrap().unwrap();
        assert_eq!(envelope, Envelope { correlation: Correlation([1; 16]), message });
        assert_eq!(CloudMessage::read(read), Ok(None), "{type_name} is none of the hub's");
    }
}

#[test]
fn messages_of_hubs_have_the_bytes_of_the_tables() {
    for (type_name, channel, message, bytes) in cloud_messages() {
        assert_eq!(
            (message.type_name(), message.channel(), message.payload()),
            (type_name, channel, bytes.clone())
        );
        let read =
            Received { channel, type_name: Some(type_name), correlation: Some(&[1; 16]), payload: &bytes };
        let envelope = CloudMessage::read(read).unwrap().unwrap();
        assert_eq!(envelope, Envelope { correlation: Correlation([1; 16]), message });
        assert_eq!(DeviceMessage::read(read), Ok(None), "{type_name} is none of the device's");
    }
}

#[test]
fn what_is_not_known_is_ignored_and_what_is_wrong_is_named() {
    let read = |channel, type_name, correlation, payload| {
        CloudMessage::read(Received { channel, type_name, correlation, payload })
    };
    let nonce = Some(&[0; 16][..]);
    assert_eq!(read(Channel::Twin, Some("twin-push:2"), nonce, &[]), Ok(None), "another schema version");
    assert_eq!(read(Channel::Methods, Some("twin-push:1"), nonce, &[]), Ok(None), "another topic");
    assert_eq!(read(Channel::Twin, None, nonce, &[]), Ok(None), "no type");
    // A member that came later does not disturb.
    assert!(read(Channel::Presence, Some("birth-ack:1"), nonce, &[0x78, 1]).unwrap().is_some());
    for (correlation, payload, part) in [
        (None, &[][..], "0 bytes of correlation data"),
        (Some(&[0; 15][..]), &[], "15 bytes of correlation data"),
        (nonce, &[0x50], "birth-ack:1"),
    ] {
        let error =
            read(Channel::Presence, Some("birth-ack:1"), correlation, payload).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
