//! What a server of MQTT 5 may send, byte by byte, and what the library makes of it.

use proptest::prelude::*;
use tracker_protocol::Publish as Plain;

use super::*;
use crate::link::packet::RefusalKind;

/// What these bytes are heard as, with how many of them are left.
fn read(bytes: &[u8]) -> (Result<Option<Heard>, LinkError>, usize) {
    let mut incoming = BytesMut::from(bytes);
    let heard = Codec::default().read(&mut incoming);
    (heard, incoming.len())
}

fn heard(bytes: &[u8]) -> Heard {
    read(bytes).0.unwrap().unwrap()
}

fn goodbye(bytes: &[u8]) -> LinkError {
    match heard(bytes) {
        Heard::Goodbye(error) => error,
        _ => panic!("{bytes:?}"),
    }
}

/// A change here means that `docs/libraries.md` and the detour of this file are out of date.
#[test]
fn what_the_library_makes_of_packets_that_mqtt_5_allows() {
    let library = |bytes: &[u8]| format!("{:?}", Packet::read(&mut BytesMut::from(bytes), None));
    assert_eq!(library(&[0xe0, 0]), "Err(PayloadRequired)", "DISCONNECT without a body");
    assert_eq!(library(&[0xe0, 1, 0x8e]), "Err(InsufficientBytes(1))", "DISCONNECT with a code alone");
    assert_eq!(library(&[0xf0, 2, 0x18, 0]), "Err(InvalidPacketType(15))", "AUTH");
    assert_eq!(library(&[0x40, 3, 0, 1, 0x95]), "Err(InvalidConnectReturnCode(149))", "PUBACK: too large");
    assert_eq!(library(&[0x20, 2, 0, 1]), "Err(InsufficientBytes(1))", "CONNACK of MQTT 3.1.1");
    assert_eq!(library(&[0x20, 3, 0, 0x8e, 0]), "Err(InvalidConnectReturnCode(142))", "an unknown code");
}

#[test]
fn a_disconnect_may_be_short() {
    for (bytes, kind, why) in [
        (&[0xe0, 0][..], LinkErrorKind::Outage, "DISCONNECT 0x00, success"),
        (&[0xe0, 1, 0x8b], LinkErrorKind::Outage, "DISCONNECT 0x8B, server shutting down"),
        (&[0xe0, 2, 0x87, 0], LinkErrorKind::Identity, "DISCONNECT 0x87, not authorized"),
        (
            &[0xe0, 9, 0x9d, 7, 0x1f, 0, 4, b'm', b'o', b'v', b'e'],
            LinkErrorKind::Moved,
            "DISCONNECT 0x9D, server moved: move",
        ),
        (
            // A session expiry interval, a user property, and then words.
            b"\xe0\x13\x8e\x11\x11\0\0\0\x09\x26\0\x01a\0\x01b\x1f\0\x02no",
            LinkErrorKind::TakenOver,
            "DISCONNECT 0x8E, another client with this ID has taken over: no",
        ),
    ] {
        let error = goodbye(bytes);
        assert_eq!(error.why, format!("the server ended the connection ({why})"));
        assert_eq!(error.kind, kind);
    }
}

#[test]
fn an_acknowledgement_may_be_short_and_a_refusal_names_its_message() {
    let kind = |bytes: &[u8]| match heard(bytes) {
        Heard::Acknowledged(id, refusal) => (id, refusal.map(|refusal| refusal.kind)),
        _ => panic!("{bytes:?}"),
    };
    assert_eq!(kind(&[0x40, 2, 1, 7]), (263, None));
    assert_eq!(kind(&[0x40, 3, 0, 7, 0x10]), (7, None));
    assert_eq!(kind(&[0x40, 4, 0, 7, 0, 0]), (7, None));
    assert_eq!(kind(&[0x40, 3, 0, 7, 0x95]), (7, Some(RefusalKind::TooLarge)));
    assert_eq!(kind(&[0x40, 4, 0, 7, 0x99, 0]), (7, Some(RefusalKind::Impossible)));
    assert_eq!(kind(&[0x40, 3, 0, 7, 0xee]), (7, Some(RefusalKind::Busy)), "a code of tomorrow");
}

#[test]
fn a_greeting_says_what_the_server_asks_for() {
    let mut codec = Codec::default();
    // Receive maximum 8, maximum packet size 1024, keep-alive 60.
    let bytes = [0x20, 14, 1, 0, 11, 0x21, 0, 8, 0x27, 0, 0, 4, 0, 0x13, 0, 60];
    let Ok(Some(Heard::Greeting(Ok(welcome)))) = codec.read(&mut BytesMut::from(&bytes[..])) else {
        panic!()
    };
    assert_eq!((welcome.receive_maximum, welcome.keep_alive), (Some(8), Some(60)));
    let large = Said::Publish { id: 1, message: message_of("t", 1024) };
    let error = codec.write(large, &mut BytesMut::new()).unwrap_err();
    assert_eq!(error.why, "a message was not sent: it has 2 KB, and a hub takes 1 KB");
    for (bytes, kind) in [
        (&[0x20, 2, 0, 1][..], LinkErrorKind::Terminal),
        (&[0x20, 3, 0, 0x87, 0], LinkErrorKind::Identity),
        (&[0x20, 3, 0, 0x9c, 0], LinkErrorKind::Moved),
    ] {
        match heard(bytes) {
            Heard::Greeting(Err(error)) => assert_eq!(error.kind, kind),
            _ => panic!("{bytes:?}"),
        }
    }
    let no_qos_1 = read(&[0x20, 5, 0, 0, 2, 0x24, 0]).0.err().unwrap();
    assert_eq!(no_qos_1.kind, LinkErrorKind::Terminal);
}

#[test]
fn a_subscription_is_granted_or_not() {
    assert!(matches!(heard(&[0x90, 4, 0, 9, 0, 1]), Heard::Subscribed(9, Ok(()))));
    match heard(b"\x90\x09\0\x09\x05\x1f\0\x02no\x87") {
        Heard::Subscribed(9, Err(error)) => {
            assert_eq!(error.why, "the server refused a subscription (SUBACK 0x87, not authorized: no)");
        }
        _ => panic!(),
    }
}

#[test]
fn packets_that_are_not_there_yet_are_waited_for_and_broken_ones_are_not() {
    for bytes in [&[][..], &[0x40], &[0x40, 3], &[0x40, 3, 0, 1], &[0x30, 0x80], &[0x30, 0x80, 0x80, 0x80]] {
        assert!(matches!(read(bytes), (Ok(None), left) if left == bytes.len()), "{bytes:?}");
    }
    for bytes in [
        &[0x30, 0x80, 0x80, 0x80, 0x80][..],
        // A topic, and properties, that are longer than the packet; an alias.
        &[0x30, 3, 0, 9, b't'],
        &[0x30, 4, 0, 1, b't', 9],
        &[0x30, 7, 0, 1, b't', 3, 0x23, 0, 1],
        &[0x30, 4, 0, 1, 0xff, 0],
        // QoS 2 was not asked for.
        &[0x34, 6, 0, 1, b't', 0, 1, 0],
        &[0x40, 1, 0],
        &[0x90, 2, 0, 1],
        &[0x20, 1, 0],
        &[0xf0, 2, 0x18, 0],
    ] {
        assert!(read(bytes).0.is_err(), "{bytes:?}");
    }
    let large = read(&[0x30, 0xff, 0xff, 0xff, 0x7f]).0.err().unwrap();
    assert_eq!(large.why, "MQTT: a packet of 262143 KB is more than this device takes");
}

fn message_of(topic: &str, length: usize) -> Message {
    Plain { topic: topic.into(), payload: vec![b'x'; length] }.into()
}

#[test]
fn a_message_comes_back_as_it_was_sent() {
    let user = vec![("type".into(), "get:1".into()), ("type".into(), String::new())];
    let properties = Properties {
        content_type: Some("application/protobuf".into()),
        correlation: Some(vec![0, 255]),
        expiry: Some(30),
        is_text: true,
        user,
    };
    for at_least_once in [true, false] {
        let properties = Some(Box::new(properties.clone()));
        let sent = Message { at_least_once, properties, ..message_of("a/b", 300) };
        let mut bytes = BytesMut::new();
        let id = if at_least_once { 7 } else { 0 };
        Codec::default().write(Said::Publish { id, message: sent.clone() }, &mut bytes).unwrap();
        let Heard::Message { id, topic, payload, properties } = heard(&bytes) else { panic!() };
        assert_eq!(id, at_least_once.then_some(7));
        assert_eq!(Plain { topic, payload }, sent.publish);
        assert_eq!(properties, sent.properties);
    }
}

#[test]
fn a_property_that_mqtt_can_not_write_is_refused() {
    let mut message = message_of("t", 1);
    let user = vec![("n".into(), "v".repeat(65_536))];
    message.properties = Some(Box::new(Properties { user, ..Properties::default() }));
    let mut bytes = BytesMut::new();
    let error = Codec::default().write(Said::Publish { id: 1, message }, &mut bytes).unwrap_err();
    assert_eq!((error.kind, bytes.len()), (LinkErrorKind::Unsendable, 0));
}

#[test]
fn connect_has_an_expiry_a_largest_packet_and_no_password() {
    let mut bytes = BytesMut::new();
    let connect = Said::Connect { client_id: "box", username: "u", password: "", keep_alive: 230 };
    Codec::default().write(connect, &mut bytes).unwrap();
    let expected = b"\x10\x1d\0\x04MQTT\x05\x80\0\xe6\x0a\x11\0\0\x0e\x10\x27\0\x08\0\0\0\x03box\0\x01u";
    assert_eq!(bytes, expected[..]);
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 1..16_u8, whole: bool) {
        let mut packet = bytes.clone();
        if whole && bytes.len() < 128 {
            packet = [&[kind << 4, bytes.len() as u8][..], &bytes].concat();
        }
        let mut incoming = BytesMut::from(&packet[..]);
        let mut codec = Codec::default();
        while let Ok(Some(_)) = codec.read(&mut incoming) {}
        // A packet that is whole is heard or refused, and never waited for.
        if whole && bytes.len() < 128 {
            prop_assert!(incoming.is_empty());
        }
    }
}
