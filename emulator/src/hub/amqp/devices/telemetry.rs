//! `devices/{id}/messages/events`: telemetry.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tracker_amqp::{Body, Error, Message, Outcome, condition};
use tracker_protocol::hub::MAX_TELEMETRY;

use super::{
    incoming::Incoming,
    presence::{Berth, Presence},
    read::read,
};
use crate::amqp::{Act, Guest, Node, Verdict};

/// Azure's word for a device that sends too often.
const THROTTLED: &str = "com.microsoft:device-container-throttled";

/// Takes in the telemetry of one device.
pub(super) struct TelemetryNode {
    /// What comes as one message may be a batch.
    incoming: Incoming<Vec<Message>>,
    guest: Arc<Guest>,
}

impl TelemetryNode {
    pub(super) fn new(berth: Berth, guest: Arc<Guest>) -> Self {
        Self { incoming: Incoming::new(berth), guest }
    }

    fn judge(&mut self, number: u64, messages: Vec<Message>) -> Verdict {
        match self.incoming.intake.take(number, messages) {
            Some(messages) => judge(&mut self.incoming, number, &messages),
            None => Verdict::Later,
        }
    }
}

impl Node for TelemetryNode {
    fn receive(&mut self, number: u64, message: Message) -> Verdict {
        self.judge(number, vec![message])
    }

    fn receive_batch(&mut self, number: u64, batch: Message) -> Verdict {
        match read_batch(&batch) {
            Ok(messages) => self.judge(number, messages),
            Err(error) => Verdict::Now(Outcome::Rejected(Some(error))),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, _credit: u32) -> Poll<Act> {
        self.incoming.poll(context, |incoming, number, messages| judge(incoming, number, &messages))
    }

    fn check(&mut self) -> Result<(), Error> {
        self.incoming.berth.presence.check(&self.guest)
    }
}

/// The messages of a batch: each of its sections is one.
fn read_batch(batch: &Message) -> Result<Vec<Message>, Error> {
    let invalid = |what: &str| Error::new(condition::DECODE_ERROR, what);
    let Body::Data(sections) = &batch.body else {
        return Err(invalid("the body of a batch has to be data, each section of it a message."));
    };
    let read = |section: &Bytes| {
        Message::decode(section).map_err(|_| invalid("a section of the batch is not a message."))
    };
    sections.iter().map(read).collect()
}

fn judge(incoming: &mut Incoming<Vec<Message>>, number: u64, messages: &[Message]) -> Verdict {
    if let Some(farewell) = incoming.berth.presence.farewell() {
        return Verdict::Detach(farewell);
    }
    match take(&incoming.berth.presence, messages) {
        Ok(()) => incoming.intake.verdict(number, Outcome::Accepted),
        Err(error) => Verdict::Now(Outcome::Rejected(Some(error))),
    }
}

/// Takes all messages of a batch, or none.
fn take(presence: &Presence, messages: &[Message]) -> Result<(), Error> {
    if presence.is_throttled() {
        return Err(Error::new(THROTTLED, "a fault was asked for: too many messages in a second."));
    }
    let messages = messages.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let size: usize = messages.iter().map(|(body, properties)| body.len() + properties.metered_len()).sum();
    if size > MAX_TELEMETRY {
        let sentence = format!("a message, or batch of them, of {size} bytes; the limit is {MAX_TELEMETRY}.");
        return Err(Error::new(condition::MESSAGE_SIZE_EXCEEDED, sentence));
    }
    for (body, properties) in messages {
        presence.hub.receive(&presence.device_id, &body, properties, false);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_messages_in_sections() {
        let one = Message { body: Body::data("1"), ..Message::default() };
        let batch =
            |sections: Vec<Bytes>| read_batch(&Message { body: Body::Data(sections), ..Message::default() });
        assert_eq!(batch(vec![one.encode(), one.encode()]), Ok(vec![one.clone(), one]));
        assert!(batch(vec![Bytes::from_static(b"\xff")]).is_err());
        assert!(read_batch(&Message::default()).is_err());
    }
}
