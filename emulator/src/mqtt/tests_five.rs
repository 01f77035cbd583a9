//! Properties of the codec of MQTT 5, and bytes worked out by hand from the standard.

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, option, prelude::*};

use super::{
    decode::{Version, decode},
    encode::encode,
    fields::DecodeError,
    five::{ConnectAnswer, ConnectOptions, Five, MessageProperties, WillOptions},
    identifier::{PacketId, QoS},
    packet::{Connect, Packet, Publish, Will},
};

const LIMIT: usize = 64 * 1024;

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,20}"
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_filter_map("zero is no identifier", PacketId::new)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn message() -> impl Strategy<Value = MessageProperties> {
    let texts = (option::of(text()), option::of(text()), option::of(bytes()), vec((text(), text()), 0..4));
    (option::of(0u8..2), option::of(any::<u32>()), option::of(1..=u16::MAX), texts).prop_map(
        |(payload_format, expiry, topic_alias, (response_topic, content_type, correlation, user))| {
            MessageProperties {
                payload_format,
                expiry,
                topic_alias,
                response_topic,
                correlation,
                user,
                content_type,
            }
        },
    )
}

fn connect() -> impl Strategy<Value = Packet> {
    let will = (text(), bytes(), qos(), any::<u32>(), message());
    let options =
        (any::<u32>(), option::of(1..=u16::MAX), option::of(1..=u32::MAX), any::<bool>(), option::of(text()));
    let login = (option::of(text()), option::of(bytes()));
    (any::<bool>(), any::<u16>(), text(), option::of(will), options, login).prop_map(
        |(clean_session, keep_alive, client_id, will, options, (user_name, password))| {
            let (session_expiry, receive_maximum, maximum_packet, has_user_properties, authentication_method) =
                options;
            let (will, of_will) = will.map_or((None, WillOptions::default()), |(topic, message, qos, delay, of)| {
                let of = MessageProperties { topic_alias: None, ..of };
                (Some(Will { topic, message, qos, retain: false }), WillOptions { delay, message: of })
            });
            Packet::Connect(Box::new(Connect {
                protocol_level: 5,
                clean_session,
                keep_alive,
                client_id,
                will,
                user_name,
                password,
                options: Some(Box::new(ConnectOptions {
                    session_expiry,
                    receive_maximum,
                    maximum_packet,
                    has_user_properties,
                    authentication_method,
                    will: of_will,
                })),
            }))
        },
    )
}

fn publish() -> impl Strategy<Value = Packet> {
    (any::<bool>(), qos(), "[^\\x00+#]{1,40}", packet_id(), bytes(), message()).prop_map(
        |(dup, qos, topic, id, payload, properties)| {
            let identified = qos != QoS::AtMostOnce;
            Packet::Publish(Publish {
                dup: dup && identified,
                qos,
                retain: false,
                topic,
                packet_id: identified.then_some(id),
                payload,
                properties: Some(Box::new(properties)),
            })
        },
    )
}

fn other() -> impl Strategy<Value = Packet> {
    let reasons = || vec(any::<u8>(), 1..6);
    let why = || option::of(text());
    let disconnect = (any::<u8>(), why(), option::of(any::<u32>()), any::<bool>());
    prop_oneof![
        (packet_id(), any::<u8>(), why(), any::<bool>()).prop_map(
            |(packet_id, reason, why, has_user_properties)| {
                Five::PubAck { packet_id, reason, why, has_user_properties }
            }
        ),
        (packet_id(), vec((text(), qos()), 1..6), any::<bool>(), any::<bool>()).prop_map(
            |(packet_id, filters, has_identifier, has_user_properties)| {
                Five::Subscribe { packet_id, filters, has_identifier, has_user_properties }
            }
        ),
        (packet_id(), reasons(), why()).prop_map(|(packet_id, reasons, why)| Five::SubAck {
            packet_id,
            reasons,
            why
        }),
        (packet_id(), vec(text(), 1..6))
            .prop_map(|(packet_id, filters)| Five::Unsubscribe { packet_id, filters }),
        (packet_id(), reasons()).prop_map(|(packet_id, reasons)| Five::UnsubAck { packet_id, reasons }),
        disconnect.prop_map(|(reason, why, session_expiry, has_user_properties)| Five::Disconnect {
            reason,
            why,
            session_expiry,
            has_user_properties
        }),
    ]
    .prop_map(Packet::Five)
}

proptest! {
    #[test]
    fn every_packet_comes_back_from_its_bytes(packet in prop_oneof![connect(), publish(), other()]) {
        let mut wire = BytesMut::new();
        encode(&packet, &mut wire)?;
        prop_assert_eq!(decode(&mut wire, LIMIT, Version::Five)?, Some(packet));
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn any_bytes_are_a_packet_or_an_error(bytes in vec(any::<u8>(), 0..80), kind in 1u8..16) {
        let mut wire = BytesMut::from(&[kind << 4 | if matches!(kind, 8 | 10) { 2 } else { 0 }, bytes.len() as u8][..]);
        wire.extend_from_slice(&bytes);
        let _ = decode(&mut wire, LIMIT, Version::Five);
    }
}

fn decoded(bytes: &[u8]) -> Result<Option<Packet>, DecodeError> {
    decode(&mut BytesMut::from(bytes), LIMIT, Version::Five)
}

fn encoded(packet: Five) -> Vec<u8> {
    let mut wire = BytesMut::new();
    encode(&Packet::Five(packet), &mut wire).expect("it has a form");
    wire.to_vec()
}

fn goodbye(reason: u8) -> Option<Packet> {
    Some(Packet::Five(Five::Disconnect {
        reason,
        why: None,
        session_expiry: None,
        has_user_properties: false,
    }))
}

#[test]
fn short_forms_stand_for_success() {
    assert_eq!(decoded(&[0xe0, 0]), Ok(goodbye(0)), "DISCONNECT without a body");
    assert_eq!(decoded(&[0xe0, 1, 4]), Ok(goodbye(4)), "with a reason alone");
    assert_eq!(decoded(&[0xe0, 2, 4, 0]), Ok(goodbye(4)));
    let Ok(Some(Packet::Five(Five::PubAck { reason: 0, .. }))) = decoded(&[0x40, 2, 0, 7]) else {
        panic!("a PUBACK without a reason")
    };
    assert_eq!(
        encoded(Five::Disconnect {
            reason: 0x8e,
            why: None,
            session_expiry: None,
            has_user_properties: false
        }),
        [0xe0, 1, 0x8e]
    );
}

#[test]
fn a_connack_says_what_the_hub_lacks() {
    let answer = ConnectAnswer {
        session_present: true,
        session_expiry: Some(3600),
        receive_maximum: Some(100),
        maximum_packet: Some(512 * 1024),
        topic_alias_maximum: Some(10),
        keep_alive: Some(1160),
        ..ConnectAnswer::default()
    };
    let expected = [
        &[0x20, 30, 1, 0, 27][..],
        &[0x11, 0, 0, 0x0e, 0x10],
        &[0x21, 0, 100],
        &[0x27, 0, 8, 0, 0],
        &[0x22, 0, 10],
        &[0x13, 4, 0x88],
        &[0x24, 1],
        &[0x25, 0],
        &[0x29, 0],
        &[0x2a, 0],
    ]
    .concat();
    assert_eq!(encoded(Five::ConnAck(Box::new(answer))), expected);
}

#[test]
fn what_breaks_the_rules_of_properties_is_refused() {
    let publish = |properties: &[u8]| {
        let mut bytes = vec![0x30, (3 + 1 + properties.len()) as u8, 0, 1, b'a', properties.len() as u8];
        bytes.extend_from_slice(properties);
        decoded(&bytes)
    };
    assert!(matches!(publish(&[0x02, 0, 0, 0, 5]), Ok(Some(Packet::Publish(_)))));
    for (properties, part) in [
        (&[0x02, 0, 0, 0, 5, 0x02, 0, 0, 0, 5][..], "twice"),
        (&[0x11, 0, 0, 0, 5], "does not have"),
        (&[0x23, 0, 0], "zero"),
        (&[0x01, 2], "neither 0 nor 1"),
        (&[0x09, 0, 9, 1], "ends before"),
    ] {
        let error = publish(properties).expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
    }
    // A topic may be empty only where a number stands for it.
    assert!(decoded(&[0x30, 3, 0, 0, 0]).is_err());
    assert!(matches!(decoded(&[0x30, 6, 0, 0, 3, 0x23, 0, 1]), Ok(Some(Packet::Publish(_)))));
    let longer = decoded(&[0x30, 5, 0, 1, b'a', 0x80, 0]).expect_err("refused").to_string();
    assert!(longer.contains("longer than need be"), "{longer}");
}
