//! One connection over MQTT 5 against a server of these tests' own.

#![allow(clippy::disallowed_methods)]

use std::sync::mpsc;
use std::time::Duration;

use container_tracker::link::dialer::Dialer;
use container_tracker::link::{
    Link, LinkErrorKind, LinkEvent, LinkOptions, Message, Properties, Refusal, RefusalKind, Version,
};
use tokio::time::{advance, pause, timeout};
use tracker_protocol::Publish;

use super::link::{PINGREQ, PUBLISH, Peer, Server};
use super::support::agent::PATIENCE;

fn options(server: &Server) -> LinkOptions {
    LinkOptions { version: Version::V5, ..server.options(100) }
}

/// Takes the device in with these properties.
fn welcome(peer: &mut Peer, properties: &[u8]) {
    let (kind, body) = peer.packet().unwrap();
    assert_eq!((kind, &body[..7]), (1, &b"\0\x04MQTT\x05"[..]));
    peer.say(&[&[0x20, 3 + properties.len() as u8, 0, 0, properties.len() as u8], properties].concat());
}

/// The packet ID of a publish at `QoS` 1.
fn id(body: &[u8]) -> [u8; 2] {
    let length = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
    [body[length], body[length + 1]]
}

fn message(topic: &str) -> Publish {
    Publish { topic: topic.into(), payload: vec![b'x'] }
}

async fn next(link: &mut Link<u32>) -> LinkEvent<u32> {
    timeout(PATIENCE, link.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn no_more_is_in_flight_than_the_server_takes() {
    const MOST: usize = 3;
    const ALL: usize = 20;
    let server = Server::start(move |mut peer| {
        welcome(&mut peer, &[0x21, 0, MOST as u8]);
        let mut open = Vec::new();
        for sent in 1..=ALL {
            let (kind, body) = peer.packet().unwrap();
            assert_eq!(kind, PUBLISH);
            open.push(id(&body));
            assert!(open.len() <= MOST);
            // Only a device that waits leaves it at so many.
            if open.len() == MOST || sent == ALL {
                for [high, low] in open.drain(..) {
                    peer.say(&[0x40, 2, high, low]);
                }
            }
        }
        while peer.packet().is_some() {}
    });
    let mut link = Link::connect(&options(&server)).await.unwrap();
    assert_eq!((link.window(32), link.room(32)), (MOST, MOST));
    for number in 0..ALL {
        link.publish(message("t"), Some(number as u32)).unwrap();
    }
    assert_eq!((link.room(32), link.unacknowledged().count()), (0, ALL));
    for number in 0..ALL {
        assert!(matches!(next(&mut link).await, LinkEvent::Acknowledged(taken) if taken == number as u32));
    }
    assert_eq!(link.room(32), MOST);
}

#[tokio::test]
async fn a_refusal_comes_back_with_its_message_and_the_connection_stands() {
    let server = Server::start(|mut peer| {
        welcome(&mut peer, &[]);
        for code in [0x99, 0x10, 0x97] {
            let (_, body) = peer.packet().unwrap();
            let [high, low] = id(&body);
            peer.say(&[0x40, 3, high, low, code]);
        }
        while peer.packet().is_some() {}
    });
    let mut link = Link::connect(&options(&server)).await.unwrap();
    for number in [Some(1), Some(2), None] {
        link.publish(message("t"), number).unwrap();
    }
    let LinkEvent::Refused(Some(1), Refusal { kind: RefusalKind::Impossible, why }) = next(&mut link).await
    else {
        panic!()
    };
    assert_eq!(why, "PUBACK 0x99, payload format not valid");
    assert!(matches!(next(&mut link).await, LinkEvent::Acknowledged(2)));
    let refused = next(&mut link).await;
    assert!(matches!(refused, LinkEvent::Refused(None, Refusal { kind: RefusalKind::Busy, .. })));
    link.publish(message("t"), Some(3)).unwrap();
    assert_eq!(link.unacknowledged().count(), 1);
}

#[tokio::test]
async fn the_reason_of_an_end_is_told_and_decides_what_comes_next() {
    for (code, kind) in [
        (0x8b, LinkErrorKind::Outage),
        (0x8e, LinkErrorKind::TakenOver),
        (0x87, LinkErrorKind::Identity),
        (0x98, LinkErrorKind::Terminal),
        (0x9c, LinkErrorKind::Moved),
    ] {
        let server = Server::start(move |mut peer| {
            welcome(&mut peer, &[]);
            peer.say(&[0xe0, 1, code]);
            while peer.packet().is_some() {}
        });
        let mut link = Link::<u32>::connect(&options(&server)).await.unwrap();
        let error = timeout(PATIENCE, link.next()).await.unwrap().unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(
            error.why.starts_with(&format!("the server ended the connection (DISCONNECT 0x{code:02X}, "))
        );
    }
}

#[tokio::test]
async fn a_server_that_knows_mqtt_3_alone_is_named() {
    let server = Server::start(|mut peer| {
        peer.packet().unwrap();
        peer.say(&[0x20, 2, 0, 1]);
    });
    let error = Link::<u32>::connect(&options(&server)).await.err().unwrap();
    assert_eq!(error.kind, LinkErrorKind::Terminal);
    let why = "the server refuses the connection (CONNACK 0x01, it speaks MQTT 3.1.1 and not 5)";
    assert!(error.why.ends_with(why), "{error}");
}

#[tokio::test]
async fn the_servers_keep_alive_counts() {
    let (sender, seen) = mpsc::sync_channel(1024);
    let server = Server::start(move |mut peer| {
        welcome(&mut peer, &[0x13, 0, 30]);
        while let Some((kind, _)) = peer.packet() {
            sender.send(kind).unwrap();
        }
        sender.send(0).unwrap();
    });
    let mut link = Link::<u32>::connect(&options(&server)).await.unwrap();
    pause();
    advance(Duration::from_secs(29)).await;
    timeout(Duration::from_secs(3), link.next()).await.unwrap_err();
    link.close().await;
    let seen: Vec<u8> = seen.iter().take_while(|kind| *kind != 0).collect();
    assert_eq!(seen, [PINGREQ, 14]);
}

#[tokio::test]
async fn messages_go_both_ways_with_their_properties_and_follow_connect_at_once() {
    let server = Server::start(|mut peer| {
        let (kind, _) = peer.packet().unwrap();
        assert_eq!(kind, 1);
        // Before CONNACK.
        assert_eq!(peer.packet().unwrap().0, 8);
        let (kind, body) = peer.packet().unwrap();
        assert_eq!((kind, &body[..]), (PUBLISH, &b"\0\x01u\x09\x02\0\0\0\0\x09\0\x01cbody"[..]));
        peer.say(&[0x20, 3, 0, 0, 0]);
        peer.say(&[0x90, 4, 0, 1, 0, 1]);
        // At QoS 1, with a type.
        peer.say(b"\x32\x16\0\x01d\0\x09\x0f\x26\0\x04type\0\x06exec:1d");
        assert_eq!(peer.packet().unwrap(), (4, vec![0, 9]));
        while peer.packet().is_some() {}
    });
    let mut dialer = Dialer::default();
    let mut link = Link::<u32>::open(&mut dialer, &options(&server)).await.unwrap();
    link.subscribe(["d/#".into()]).unwrap();
    let properties =
        Properties { correlation: Some(b"c".to_vec()), expiry: Some(0), ..Properties::default() };
    let publish = Publish { topic: "u".into(), payload: b"body".to_vec() };
    let properties = Some(Box::new(properties));
    link.send(Message { publish, at_least_once: false, properties }, None).unwrap();
    assert!(matches!(next(&mut link).await, LinkEvent::Connected));
    assert!(matches!(next(&mut link).await, LinkEvent::Subscribed));
    let LinkEvent::Message { topic, payload, properties } = next(&mut link).await else { panic!() };
    assert_eq!((&*topic, &*payload), ("d", &b"d"[..]));
    assert_eq!(properties.unwrap().user, [("type".to_owned(), "exec:1".to_owned())]);
    // The acknowledgement leaves.
    timeout(Duration::from_millis(50), link.next()).await.unwrap_err();
}

/// A server that is strict about what comes before its CONNACK says so in a DISCONNECT: the next attempt waits.
#[tokio::test]
async fn a_server_that_finds_fault_with_early_packets_is_one_that_minds() {
    let server = Server::start(|mut peer| {
        peer.packet().unwrap();
        peer.say(&[0x20, 3, 0, 0, 0, 0xe0, 1, 0x82]);
        while peer.packet().is_some() {}
    });
    let mut link = Link::<u32>::open(&mut Dialer::default(), &options(&server)).await.unwrap();
    link.subscribe(["d/#".into()]).unwrap();
    assert!(matches!(next(&mut link).await, LinkEvent::Connected));
    let error = timeout(PATIENCE, link.next()).await.unwrap().unwrap_err();
    assert_eq!((error.kind, link.is_minded()), (LinkErrorKind::Terminal, true));
    // One that has answered what came before does not mind.
    let server = Server::start(|mut peer| {
        peer.packet().unwrap();
        peer.say(&[0x20, 3, 0, 0, 0, 0x90, 4, 0, 1, 0, 1, 0xe0, 1, 0x82]);
        while peer.packet().is_some() {}
    });
    let mut link = Link::<u32>::open(&mut Dialer::default(), &options(&server)).await.unwrap();
    link.subscribe(["d/#".into()]).unwrap();
    next(&mut link).await;
    assert!(matches!(next(&mut link).await, LinkEvent::Subscribed));
    timeout(PATIENCE, link.next()).await.unwrap().unwrap_err();
    assert!(!link.is_minded());
}
