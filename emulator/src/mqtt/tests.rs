//! Properties of the codec and of a link.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proptest::{collection::vec, option, prelude::*};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    decode::{Version, decode},
    encode::encode,
    fields::DecodeError,
    identifier::{PacketId, QoS},
    link::{Link, LinkError},
    packet::{Connect, ConnectCode, Packet, Publish, SubscribeCode, Will},
};

const LIMIT: usize = 64 * 1024;

fn text() -> impl Strategy<Value = String> {
    "[^\\x00]{0,40}"
}

fn topic() -> impl Strategy<Value = String> {
    "[^\\x00+#]{1,40}"
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

fn connect() -> impl Strategy<Value = Packet> {
    let will = (text(), bytes(), qos(), any::<bool>()).prop_map(|(topic, message, qos, retain)| Will {
        topic,
        message,
        qos,
        retain,
    });
    let login = option::of((text(), option::of(bytes())));
    (any::<bool>(), any::<u16>(), text(), option::of(will), login).prop_map(
        |(clean_session, keep_alive, client_id, will, login)| {
            let (user_name, password) = login.map_or((None, None), |(user, password)| (Some(user), password));
            Packet::Connect(Box::new(Connect {
                protocol_level: 4,
                clean_session,
                keep_alive,
                client_id,
                will,
                user_name,
                password,
                options: None,
            }))
        },
    )
}

fn publish() -> impl Strategy<Value = Packet> {
    (any::<bool>(), qos(), any::<bool>(), topic(), packet_id(), bytes()).prop_map(
        |(dup, qos, retain, topic, id, payload)| {
            let identified = qos != QoS::AtMostOnce;
            Packet::Publish(Publish {
                dup: dup && identified,
                qos,
                retain,
                topic,
                packet_id: identified.then_some(id),
                payload,
                properties: None,
            })
        },
    )
}

fn packet() -> impl Strategy<Value = Packet> {
    let code = (0u8..6).prop_filter_map("codes end at 5", ConnectCode::from_byte);
    let granted = prop_oneof![qos().prop_map(SubscribeCode::Granted), Just(SubscribeCode::Failure)];
    prop_oneof![
        connect(),
        (any::<bool>(), code).prop_map(|(session_present, code)| Packet::ConnAck { session_present, code }),
        publish(),
        packet_id().prop_map(Packet::PubAck),
        (packet_id(), vec((text(), qos()), 1..6))
            .prop_map(|(packet_id, filters)| Packet::Subscribe { packet_id, filters }),
        (packet_id(), vec(granted, 0..6)).prop_map(|(packet_id, codes)| Packet::SubAck { packet_id, codes }),
        (packet_id(), vec(text(), 1..6))
            .prop_map(|(packet_id, filters)| Packet::Unsubscribe { packet_id, filters }),
        packet_id().prop_map(Packet::UnsubAck),
        Just(Packet::PingReq),
        Just(Packet::PingResp),
        Just(Packet::Disconnect),
    ]
}

proptest! {
    #[test]
    fn every_packet_comes_back_from_its_bytes(packets in vec(packet(), 1..5)) {
        let mut wire = BytesMut::new();
        for packet in &packets {
            encode(packet, &mut wire)?;
        }
        for packet in packets {
            prop_assert_eq!(decode(&mut wire, LIMIT, Version::Three)?, Some(packet));
        }
        prop_assert!(wire.is_empty());
    }

    #[test]
    fn a_packet_in_pieces_is_the_same_packet(packet in packet(), pieces in 1usize..9) {
        let mut wire = BytesMut::new();
        encode(&packet, &mut wire)?;
        let mut buffer = BytesMut::new();
        let mut decoded = None;
        for piece in wire.chunks(wire.len().div_ceil(pieces)) {
            prop_assert!(decoded.is_none());
            buffer.extend_from_slice(piece);
            decoded = decode(&mut buffer, LIMIT, Version::Three)?;
        }
        prop_assert_eq!(decoded, Some(packet));
    }

    #[test]
    fn arbitrary_bytes_are_a_packet_or_an_error_and_never_a_panic(input in vec(any::<u8>(), 0..2000)) {
        let mut buffer = BytesMut::from(&input[..]);
        while let Ok(Some(_)) = decode(&mut buffer, LIMIT, Version::Three) {}
        prop_assert!(buffer.len() <= input.len());
    }

    #[test]
    fn a_spoilt_packet_is_never_a_panic(packet in packet(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut wire = BytesMut::new();
        encode(&packet, &mut wire)?;
        let at = at.index(wire.len());
        wire[at] = byte;
        let _ = decode(&mut wire, LIMIT, Version::Three);
    }
}

#[test]
fn a_length_above_the_limit_is_refused_before_its_bytes_arrive() {
    let mut buffer = BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0x7f][..]);
    assert_eq!(
        decode(&mut buffer, 1000, Version::Three),
        Err(DecodeError::TooLarge { size: 268_435_460, limit: 1000 })
    );
}

#[test]
fn the_qos_2_handshake_is_refused_by_its_type() {
    for kind in [5u8, 6, 7] {
        let mut buffer = BytesMut::from(&[kind << 4, 2, 0, 1][..]);
        assert_eq!(decode(&mut buffer, LIMIT, Version::Three), Err(DecodeError::PacketType(kind)));
    }
}

#[test]
fn another_protocol_level_is_decoded_as_far_as_the_level() {
    let mut v5 = BytesMut::from(&[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 60, 0, 0, 0][..]);
    assert!(
        matches!(decode(&mut v5, LIMIT, Version::Three), Ok(Some(Packet::Connect(connect))) if connect.protocol_level == 5)
    );
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_link_after_the_time_allowed() {
    let (_client, server) = tokio::io::duplex(1024);
    let mut link = Link::new("test".into(), server, LIMIT);
    link.set_limits(LIMIT, Some(Duration::from_millis(1500)));
    assert!(matches!(link.next().await, Err(LinkError::KeepAlive(_))));
}

#[tokio::test(start_paused = true)]
async fn a_packet_in_dribbles_does_not_count_as_life() {
    let (mut client, server) = tokio::io::duplex(1024);
    let mut link = Link::new("test".into(), server, LIMIT);
    link.set_limits(LIMIT, Some(Duration::from_secs(3)));
    let dribble = tokio::spawn(async move {
        client.write_all(&[0x30, 100]).await?;
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            client.write_all(b"x").await?;
        }
        #[expect(unreachable_code, reason = "gives the block its error type")]
        std::io::Result::Ok(())
    });
    assert!(matches!(link.next().await, Err(LinkError::KeepAlive(_))));
    dribble.abort();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_given_up_and_bounded() {
    let (mut client, server) = tokio::io::duplex(64);
    let mut link = Link::new("test".into(), server, LIMIT);
    let flood = tokio::spawn(async move { while client.write_all(&[0xc0, 0]).await.is_ok() {} });
    let end = loop {
        match link.next().await {
            Ok(_) => link.queue(&Packet::Publish(Publish::new("t", vec![0; 10_000]))),
            Err(end) => break end,
        }
        assert!(link.backlog() < 600 * 1024);
    };
    assert!(matches!(end, LinkError::Stalled), "{end}");
    flood.abort();
}

#[tokio::test]
async fn queued_packets_leave_before_the_link_closes() {
    let (mut client, server) = tokio::io::duplex(64);
    let mut link = Link::new("test".into(), server, LIMIT);
    link.queue(&Packet::PingResp);
    tokio::spawn(async move { link.close(Duration::from_secs(5)).await });
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.expect("a duplex stream does not break");
    assert_eq!(received, [0xd0, 0]);
}
