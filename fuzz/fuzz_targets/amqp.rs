//! Any bytes, in pieces of any size, from the peer of an AMQP connection, to a server that agrees to everything and to a client:
//! nothing panics, the pieces make no difference to a value, and what waits stays within its bounds.
#![no_main]

use std::time::Instant;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tracker_amqp::{
    Attach, Body, Connection, Event, Limits, MECHANISMS, Message, Open, Outcome, SaslClient, Source, Target,
    decode_value, encode_value,
};

/// More than a connection may ever have to say at once: what is bounded, and the last frames before it stops.
const MOST: usize = 4 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((&size, bytes)) = data.split_first() else { return };
    let whole = Bytes::copy_from_slice(bytes);
    if let Ok(value) = decode_value(&whole) {
        let again = encode_value(&value);
        assert_eq!(encode_value(&decode_value(&again).expect("what we write can be read")), again);
    }
    let _ = Message::decode(&whole);
    let now = Instant::now();
    let mut server = Connection::server(&MECHANISMS, Limits::default(), now);
    let plain = SaslClient::Plain { user: "u".into(), password: "p".into() };
    let sasl = (size & 1 == 1).then_some(plain);
    let mut client = Connection::client(Open::new("c"), sasl, Limits::default(), now);
    for piece in bytes.chunks(usize::from(size).max(1)) {
        if server.input(piece).is_ok() {
            serve(&mut server);
        }
        if client.input(piece).is_ok() {
            use_it(&mut client);
        }
        assert!(server.output().len() < MOST && client.output().len() < MOST);
        if size & 2 == 2 {
            server.output().clear();
            client.output().clear();
        }
    }
});

fn serve(server: &mut Connection) {
    while let Some(event) = server.poll_event() {
        match event {
            Event::SaslInit { .. } => server.sasl_outcome(true),
            Event::Opened(_) => server.open(Open::new("s")),
            Event::AttachAsked { link, attach, .. } => {
                server.accept(link, Attach::answer(&attach));
                server.add_credit(link, 10);
            }
            Event::Credit { link, drain, .. } => {
                let message = Message { body: Body::data("x"), ..Message::default() };
                let _ = server.send(link, &message, false);
                if drain {
                    server.drained(link);
                }
            }
            Event::Message { link, delivery, .. } => server.settle(link, delivery, Outcome::Accepted),
            _ => {}
        }
    }
}

fn use_it(client: &mut Connection) {
    while let Some(event) = client.poll_event() {
        match event {
            Event::Opened(_) => {
                if let Ok(session) = client.begin() {
                    let receiver = Attach::receiver("in", Source::at("a"), Target::at("b"));
                    let sender = Attach::sender("out", Source::at("a"), Target::at("b"));
                    let _ = client.attach(session, receiver).and_then(|_| client.attach(session, sender));
                }
            }
            Event::AttachAnswered { link, .. } => client.add_credit(link, 10),
            Event::Message { link, delivery, .. } => client.settle(link, delivery, Outcome::Accepted),
            _ => {}
        }
    }
}
