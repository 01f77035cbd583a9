//! Two ends, against each other.

use std::time::Instant;

use bytes::Bytes;

use super::{Connection, Event, Limits, MECHANISMS, SaslClient};
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
                Event::Credit { link, credit, .. } => {
                    if Some(link) == link_of_server && credit == 5 {
                        server.send(link, &data(body.clone()), true).expect("credit");
                    }
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
                    client.add_credit(link, 5)
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
