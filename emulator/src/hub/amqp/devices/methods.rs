//! `devices/{id}/methods/devicebound`: calls of direct methods go out by one link, the answers come by another.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tracker_amqp::{Attach, Body, Error, Message, Outcome, SenderSettleMode, Value, condition, get};

use super::{incoming::Incoming, presence::Berth};
use crate::{
    amqp::{Act, Guest, Node, Verdict},
    hub::{MethodAnswer, method_rules::PAYLOAD_LIMIT},
};

/// Sends calls.
pub(super) struct CallNode {
    berth: Berth,
    guest: Arc<Guest>,
    is_settled: bool,
}

impl CallNode {
    pub(super) fn new(berth: Berth, guest: Arc<Guest>, asked: &Attach) -> Self {
        berth.presence.change(|state| state.calls.receivers += 1);
        // Those who wait for the device to take calls look again.
        berth.presence.hub.announce_arrival();
        Self { berth, guest, is_settled: asked.snd_settle_mode != SenderSettleMode::Unsettled }
    }
}

impl Node for CallNode {
    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        if let Err(farewell) = self.berth.listen(context) {
            return Poll::Ready(farewell);
        }
        if credit == 0 {
            return Poll::Pending;
        }
        match self.berth.presence.take(|state| state.calls.next()) {
            Some(message) => {
                Poll::Ready(Act::Send { message: Box::new(message), settled: self.is_settled, key: 0 })
            }
            None => Poll::Pending,
        }
    }

    fn check(&mut self) -> Result<(), Error> {
        self.berth.presence.check(&self.guest)
    }
}

impl Drop for CallNode {
    fn drop(&mut self) {
        let presence = &self.berth.presence;
        presence.change(|state| state.calls.receiver_left(&presence.device_id));
    }
}

/// Takes answers.
pub(super) struct AnswerNode {
    incoming: Incoming,
    guest: Arc<Guest>,
}

impl AnswerNode {
    pub(super) fn new(berth: Berth, guest: Arc<Guest>) -> Self {
        Self { incoming: Incoming::new(berth), guest }
    }
}

impl Node for AnswerNode {
    fn receive(&mut self, number: u64, message: Message) -> Verdict {
        match self.incoming.intake.take(number, message) {
            Some(message) => judge(&self.incoming, message),
            None => Verdict::Later,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, _credit: u32) -> Poll<Act> {
        self.incoming.poll(context, |incoming, _, message| judge(incoming, message))
    }

    fn check(&mut self) -> Result<(), Error> {
        self.incoming.berth.presence.check(&self.guest)
    }
}

fn judge(incoming: &Incoming, message: Message) -> Verdict {
    Verdict::Now(match read(message) {
        Ok((correlation, answer)) => {
            incoming.berth.presence.change(|state| state.calls.answered(&correlation, answer));
            Outcome::Accepted
        }
        Err(error) => Outcome::Rejected(Some(error)),
    })
}

fn read(message: Message) -> Result<(Value, MethodAnswer), Error> {
    let invalid = |what: &str| Error::new(condition::INVALID_FIELD, what);
    let status = get(&message.application_properties, "IoThub-status");
    let status = status.and_then(|status| status.as_i64().or_else(|| status.as_str()?.trim().parse().ok()));
    let status = status.and_then(|status| i32::try_from(status).ok()).ok_or_else(|| {
        invalid(
            "the answer to a method needs its status, a number, in the application property 'IoThub-status'.",
        )
    })?;
    let correlation = message
        .properties
        .correlation_id
        .ok_or_else(|| invalid("the answer to a method needs the correlation ID of the call."))?;
    let body = match &message.body {
        Body::Empty | Body::Value(Value::Null) => bytes::Bytes::new(),
        body => body.to_bytes().ok_or_else(|| invalid("the body of an answer has to be data."))?,
    };
    if body.len() > PAYLOAD_LIMIT {
        let sentence = format!("a method answer of {} bytes; the limit is {PAYLOAD_LIMIT}.", body.len());
        return Err(Error::new(condition::MESSAGE_SIZE_EXCEEDED, sentence));
    }
    Ok((correlation, MethodAnswer { status, body: body.into() }))
}

#[cfg(test)]
mod tests {
    use tracker_amqp::Properties;

    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_call() {
        let message = |status: Option<Value>, correlation: Option<Value>| Message {
            properties: Properties { correlation_id: correlation, ..Properties::default() },
            application_properties: status
                .map(|status| ("IoThub-status".into(), status))
                .into_iter()
                .collect(),
            body: Body::data("{}"),
            ..Message::default()
        };
        for status in [Value::Int(200), Value::Long(200), "200".into()] {
            let (_, answer) = read(message(Some(status), Some("c".into()))).expect("an answer");
            assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
        }
        for bad in [message(None, Some("c".into())), message(Some(Value::Int(200)), None)] {
            assert_eq!(
                read(bad).map(drop).map_err(|error| error.condition),
                Err(condition::INVALID_FIELD.into())
            );
        }
    }
}
