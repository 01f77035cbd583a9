//! Any bytes as a value, a message, and from either end of a connection, in pieces of any size: nothing panics, what waits to be
//! written stays bounded, and what was read can be written.
#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use tracker_amqp::{
    Attach, Body, Connection, Event, Limits, LinkId, MECHANISMS, Message, Open, Outcome, Role, Source,
    Target, decode_value, encode_value,
};

/// Little of everything, so that it is soon used up.
fn limits() -> Limits {
    Limits {
        max_frame_size: 4096,
        max_message_size: 16_384,
        max_sessions: 4,
        max_links: 8,
        incoming_window: 16,
        max_unsettled: 8,
        max_output: 16_384,
        max_queued: 32_768,
        handshake: Duration::from_secs(30),
    }
}

/// Does all that a caller may do about an event.
fn react(connection: &mut Connection, event: Event, links: &mut Vec<LinkId>) {
    match event {
        Event::SaslInit { .. } | Event::SaslResponse(_) => connection.sasl_outcome(true),
        Event::Opened(_) => connection.open(Open { idle_time_out: Some(1000), ..Open::new("here") }),
        Event::AttachAsked { link, attach, .. } => {
            links.push(link);
            if attach.name.len() % 4 == 3 {
                connection.refuse(link, tracker_amqp::Error::new("amqp:not-found", "no"));
            } else {
                connection.accept(link, Attach::answer(&attach));
                connection.add_credit(link, 3);
            }
        }
        Event::AttachAnswered { link, .. } => connection.add_credit(link, 3),
        Event::Credit { link, drain, .. } => {
            let body = Body::data(vec![0; 9000]);
            let _ = connection.send(link, &Message { body, ..Message::default() }, false);
            if drain {
                connection.drained(link);
            }
        }
        Event::Message { link, delivery, .. } => {
            connection.settle(link, delivery, Outcome::Accepted);
            connection.add_credit(link, 1);
        }
        _ => {}
    }
}

/// What happens when the bytes come in these pieces.
fn feed<'a>(mut connection: Connection, pieces: impl Iterator<Item = &'a [u8]>, now: Instant) {
    let mut links = Vec::new();
    for piece in pieces {
        let _ = connection.pass_time(now);
        let _ = connection.input(piece);
        while let Some(event) = connection.poll_event() {
            react(&mut connection, event, &mut links);
        }
        let written = connection.output();
        assert!(written.len() < 200_000, "{} bytes wait to be written", written.len());
        written.clear();
        while let Some(event) = connection.poll_event() {
            react(&mut connection, event, &mut links);
        }
        connection.output().clear();
    }
    for link in links {
        connection.detach(link, None);
    }
    connection.close(None);
    let _ = connection.pass_time(now + Duration::from_secs(3600));
}

/// A client that has opened, begun, and asked for a link each way, at a server that has agreed to open.
fn client(now: Instant) -> Connection {
    let mut server = Connection::server(&MECHANISMS, limits(), now);
    let mut client = Connection::client(Open::new("here"), None, limits(), now);
    let _ = server.input(&client.output().split());
    while let Some(event) = server.poll_event() {
        react(&mut server, event, &mut Vec::new());
    }
    let _ = client.input(&server.output().split());
    while client.poll_event().is_some() {}
    if let Ok(session) = client.begin() {
        for role in [Role::Sender, Role::Receiver] {
            let (source, target) = (Source::at("a"), Target::at("b"));
            let attach = match role {
                Role::Sender => Attach::sender("s", source, target),
                Role::Receiver => Attach::receiver("r", source, target),
            };
            let _ = client.attach(session, attach);
        }
    }
    client
}

/// A server that a client has signed in at, opened, begun, and attached a link each way.
fn server(now: Instant) -> Connection {
    let mut client = client(now);
    let mut server = Connection::server(&MECHANISMS, limits(), now);
    let mut first = Connection::client(Open::new("there"), None, limits(), now);
    let _ = server.input(&first.output().split());
    let mut links = Vec::new();
    while let Some(event) = server.poll_event() {
        react(&mut server, event, &mut links);
    }
    let _ = server.input(&client.output().split());
    while let Some(event) = server.poll_event() {
        react(&mut server, event, &mut links);
    }
    server.output().clear();
    server
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let now = Instant::now();
    let step = usize::from(choice / 4) + 1;
    let make: fn(Instant) -> Connection = match choice % 4 {
        0 => |now| Connection::server(&MECHANISMS, limits(), now),
        1 => client,
        2 => server,
        _ => {
            let bytes = bytes::Bytes::copy_from_slice(bytes);
            if let Ok(message) = Message::decode(&bytes) {
                let again = message.encode();
                let twice = Message::decode(&again).map(|message| message.encode());
                assert_eq!(twice.as_ref(), Ok(&again));
            }
            if let Ok(value) = decode_value(&bytes) {
                let again = encode_value(&value);
                let twice = decode_value(&again).map(|value| encode_value(&value));
                assert_eq!(twice.as_ref(), Ok(&again));
            }
            return;
        }
    };
    // What happens may differ, as answers come later where more is read at once; that it does no harm may not.
    feed(make(now), bytes.chunks(1024), now);
    feed(make(now), bytes.chunks(step), now);
});
