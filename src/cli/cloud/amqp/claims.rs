//! Questions that are messages: tokens shown at `$cbs`, and what `$management` knows.

use tracker_amqp::{Attach, Body, Event, LinkId, Map, Message, Properties, Source, Target, Value, get};

use super::AmqpError;
use super::wire::Wire;

/// A pair of links for questions and answers.
pub(super) struct Pair {
    what: &'static str,
    sender: LinkId,
    receiver: LinkId,
    asked: u64,
}

impl Pair {
    /// The pair of this node.
    pub(super) fn open(wire: &mut Wire, node: &'static str) -> Result<Self, AmqpError> {
        let (out, back) = (wire.name(node), wire.name(node));
        let sender = wire.attach(Attach::sender(out, Source::at(node), Target::at(node)))?;
        let receiver = wire.attach(Attach::receiver(back, Source::at(node), Target::at(node)))?;
        wire.engine().add_credit(receiver, 100);
        Ok(Self { what: node, sender, receiver, asked: 0 })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&mut self, wire: &mut Wire, properties: Map, body: Body) -> Result<Message, AmqpError> {
        let sender = self.sender;
        if wire.engine().may_send(sender) == 0 {
            wire.wait("credit", |event| matches!(event, Event::Credit { link, .. } if *link == sender))?;
        }
        let id = Value::Ulong(self.asked);
        self.asked += 1;
        let message = Message {
            properties: Properties { message_id: Some(id.clone()), ..Properties::default() },
            application_properties: properties,
            body,
            ..Message::default()
        };
        let sent = wire.engine().send(sender, &message, true);
        if sent.is_err() {
            return Err(AmqpError::Silent { host: wire.host().to_owned(), what: self.what });
        }
        let receiver = self.receiver;
        let is_answer = |event: &Event| match event {
            Event::Message { link, message, .. } => {
                *link == receiver && message.properties.correlation_id.as_ref() == Some(&id)
            }
            Event::Detached { link, .. } => *link == receiver || *link == sender,
            _ => false,
        };
        let answer = match wire.wait(self.what, is_answer)? {
            Event::Message { message, .. } => *message,
            Event::Detached { error, .. } => return Err(wire.refused(error)),
            _ => return Err(AmqpError::Silent { host: wire.host().to_owned(), what: self.what }),
        };
        wire.engine().add_credit(receiver, 1);
        let of = |name| get(&answer.application_properties, name);
        let status = of("status-code").or_else(|| of("statusCode")).and_then(Value::as_i64).unwrap_or(500);
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let description = of("status-description").and_then(Value::as_str).unwrap_or("it gave no reason");
        let (host, description) = (wire.host().to_owned(), description.to_owned());
        Err(AmqpError::Answered { host, status, what: self.what, description })
    }
}

/// Shows a token for what is at `audience`.
pub(super) fn show(wire: &mut Wire, pair: &mut Pair, audience: &str, token: &str) -> Result<(), AmqpError> {
    let text = |text: &str| Value::String(text.to_owned());
    let properties = vec![
        (text("name"), text(audience)),
        (text("operation"), text("put-token")),
        (text("type"), text("servicebus.windows.net:sastoken")),
    ];
    pair.ask(wire, properties, Body::Value(text(token))).map(drop)
}

/// The same once, by links of its own.
pub(super) fn put_token(wire: &mut Wire, audience: &str, token: &str) -> Result<Pair, AmqpError> {
    let mut pair = Pair::open(wire, "$cbs")?;
    show(wire, &mut pair, audience, token)?;
    Ok(pair)
}
