//! Two ends, against each other.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{Connection, ConnectionError, Event, Limits, MECHANISMS, SaslClient};
use crate::{Attach, Body, Message, Open, Outcome, Role, Source, Target};

/// Brings what `from` has written to `to`, in pieces of `step` bytes.
fn carry(from: &mut Connection, to: &mut Connection, step: usize) -> bool {
    let bytes = from.output().split().freeze();
    for piece in bytes.chunks(step) {
        to.input(piece).expect("good bytes");
    }
    !bytes.is_empty()
}

fn data(bytes: impl Into<Bytes>) -> Message {
    Message { body: Body::data(bytes), ..Message::default() }
}

/// What happens at both ends until both are quiet: server and client answer by `serve` and `use_it`.
fn run(
    client: &mut Connection,
    server: &mut Connection,
    step: usize,
    mut serve: impl FnMut(&mut Connection, Event),
    mut seen: impl FnMut(&mut Connection, Event),
) {
    loop {
        let mut busy = carry(client, server, step);
        while let Some(event) = server.poll_event() {
            busy = true;
            serve(server, event);
        }
        busy |= carry(server, client, step);
        while let Some(event) = client.poll_event() {
            busy = true;
            seen(client, event);
        }
        if !busy {
            return;
        }
    }
}

#[test]
fn a_client_signs_in_sends_and_receives_whatever_the_pieces() {
    for step in [1, 7, 4096] {
        let now = Instant::now();
        let sasl = SaslClient::Plain { user: "u".into(), password: "p".into() };
        let mut client = Connection::client(Open::new("c"), Some(sasl), Limits::default(), now);
        let mut server = Connection::server(&MECHANISMS, Limits::default(), now);
        let body: Bytes = vec![7u8; 150_000].into();
        let (mut came, mut got, mut outcomes, mut link_of_server) =
            (Vec::new(), Vec::new(), Vec::new(), None);
        let mut begun = false;
        run(
            &mut client,
            &mut server,
            step,
            |server, event| match event {
                Event::SaslInit { mechanism, response, .. } => {
                    assert_eq!((mechanism.as_str(), response.as_deref()), ("PLAIN", Some(&b"\0u\0p"[..])));
                    server.sasl_outcome(true);
                }
                Event::Opened(_) => server.open(Open::new("s")),
                Event::AttachAsked { link, attach, .. } => {
                    let answer = Attach::answer(&attach);
                    let role = attach.role;
                    server.accept(link, answer);
                    if role == Role::Sender {
                        server.add_credit(link, 10);
                    } else {
                        link_of_server = Some(link);
                    }
                }
                Event::Credit { link, credit: 5, .. } if Some(link) == link_of_server => {
                    server.send(link, &data(body.clone()), true).expect("credit");
                }
                Event::Message { link, delivery, message, .. } => {
                    came.push(message.body.to_bytes().expect("data"));
                    server.settle(link, delivery, Outcome::Accepted);
                }
                _ => {}
            },
            |client, event| match event {
                Event::Opened(_) if !begun => {
                    begun = true;
                    let session = client.begin().expect("a session");
                    let sender = Attach::sender("out", Source::at("here"), Target::at("there"));
                    client.attach(session, sender).expect("a link");
                    let receiver = Attach::receiver("in", Source::at("there"), Target::at("here"));
                    client.attach(session, receiver).expect("a link");
                }
                Event::AttachAnswered { link, attach } if attach.role == Role::Sender => {
                    client.add_credit(link, 5);
                }
                Event::Credit { link, .. } if outcomes.is_empty() && client.may_send(link) == 10 => {
                    client.send(link, &data("hello"), false).expect("credit");
                }
                Event::Settled { outcome, .. } => outcomes.push(outcome),
                Event::Message { message, .. } => got.push(message.body.to_bytes().expect("data")),
                _ => {}
            },
        );
        assert_eq!(came, ["hello"], "step {step}");
        assert_eq!(outcomes, [Some(Outcome::Accepted)]);
        assert!(got == [body.clone()], "step {step}: {} messages", got.len());
    }
}

/// A server that agrees to everything, in the hands of a client that says anything.
fn feed(bytes: &[u8], step: usize) -> (Vec<String>, bool) {
    let now = Instant::now();
    let mut server = Connection::server(&MECHANISMS, Limits::default(), now);
    let (mut events, mut failed) = (Vec::new(), false);
    for piece in bytes.chunks(step.max(1)) {
        if server.input(piece).is_err() {
            failed = true;
            break;
        }
        while let Some(event) = server.poll_event() {
            let told = format!("{event:?}");
            events.push(told.split(['{', '(']).next().unwrap_or_default().trim().to_owned());
            match event {
                Event::SaslInit { .. } => server.sasl_outcome(true),
                Event::Opened(_) => server.open(Open::new("s")),
                Event::AttachAsked { link, attach, .. } => {
                    server.accept(link, Attach::answer(&attach));
                    server.add_credit(link, 10);
                }
                Event::Credit { link, .. } => {
                    let _ = server.send(link, &data("x"), false);
                }
                Event::Message { link, delivery, .. } => server.settle(link, delivery, Outcome::Accepted),
                _ => {}
            }
        }
        let _ = server.output().split();
    }
    (events, failed)
}

/// All that a good client says to a server that takes two messages, in one go.
fn good_client() -> BytesMut {
    let now = Instant::now();
    let mut client = Connection::client(Open::new("c"), None, Limits::default(), now);
    let mut server = Connection::server(&MECHANISMS, Limits::default(), now);
    let (mut said, mut begun) = (BytesMut::new(), false);
    loop {
        let out = client.output().split();
        let is_quiet = out.is_empty();
        said.extend_from_slice(&out);
        server.input(&out).expect("good bytes");
        while let Some(event) = server.poll_event() {
            match event {
                Event::Opened(_) => server.open(Open::new("s")),
                Event::AttachAsked { link, attach, .. } => {
                    server.accept(link, Attach::answer(&attach));
                    server.add_credit(link, 10);
                }
                Event::Message { link, delivery, .. } => server.settle(link, delivery, Outcome::Accepted),
                _ => {}
            }
        }
        let answer = server.output().split();
        if is_quiet && answer.is_empty() {
            return said;
        }
        client.input(&answer).expect("good bytes");
        while let Some(event) = client.poll_event() {
            match event {
                Event::Opened(_) if !begun => {
                    begun = true;
                    let session = client.begin().expect("a session");
                    let attach = Attach::sender("out", Source::at("a"), Target::at("b"));
                    client.attach(session, attach).expect("a link");
                }
                Event::Credit { link, credit: 10, .. } => {
                    for body in ["one", "two"] {
                        client.send(link, &data(body), false).expect("credit");
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_wrong_behind_an_event_is_a_failure_and_no_close_of_the_peer() {
    let now = Instant::now();
    let mut server = Connection::server(&MECHANISMS, Limits::default(), now);
    let mut said = Connection::client(Open::new("c"), None, Limits::default(), now).output().split();
    // A frame that is shorter than its own head.
    said.extend_from_slice(&[0, 0, 0, 1, 2, 0, 0, 0]);
    server.input(&said).expect("Open is good, and nothing behind it was looked at");
    assert!(matches!(server.poll_event(), Some(Event::Opened(_))));
    assert_eq!(server.failure(), None);
    server.open(Open::new("s"));
    assert!(matches!(server.poll_event(), Some(Event::Closed(Some(_)))));
    assert!(matches!(server.failure(), Some(ConnectionError::Protocol(_))), "{:?}", server.failure());
    assert!(server.is_closed());
}

proptest! {
    #[test]
    fn no_bytes_bring_a_connection_down(bytes in prop::collection::vec(any::<u8>(), 0..600), step in 1usize..64) {
        feed(&bytes, step);
    }

    #[test]
    fn a_client_with_one_wrong_byte_is_served_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>(), step in 1usize..200) {
        let mut said = good_client();
        let at = at.index(said.len());
        said[at] = byte;
        feed(&said, step);
    }

    #[test]
    fn how_bytes_are_cut_makes_no_difference(step in 1usize..300) {
        let said = good_client();
        prop_assert_eq!(feed(&said, step), feed(&said, said.len()));
    }
}
