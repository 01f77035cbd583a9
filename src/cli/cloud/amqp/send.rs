//! A message to a device, and what became of it.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracker_amqp::{
    Attach, Body, Event, LinkId, Message, Outcome, Properties, ReceiverSettleMode, Source, Target, Value,
};

use super::wire::Wire;
use super::{AmqpError, Caller};

/// A message to be sent.
#[derive(Debug, Default)]
pub(in crate::cli) struct Outgoing {
    pub device_id: String,
    pub body: Vec<u8>,
    pub message_id: Option<String>,
    pub correlation_id: Option<String>,
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    pub expiry: Option<DateTime<Utc>>,
    /// `none`, `positive`, `negative` or `full`.
    pub ack: Option<String>,
    pub properties: Vec<(String, String)>,
}

/// What the hub tells of a message.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct Feedback {
    pub original_message_id: String,
    pub device_id: String,
    #[serde(default)]
    pub enqueued_time_utc: Option<String>,
    pub status_code: String,
    #[serde(default)]
    pub description: Option<String>,
}

/// Sends a message to a device; with `patience` waits so long for what the hub tells of it, which is then not `None`.
pub(in crate::cli) fn send(
    caller: &Caller,
    outgoing: Outgoing,
    patience: Option<Duration>,
) -> Result<Option<Feedback>, AmqpError> {
    let mut wire = caller.at_hub()?;
    let host = wire.host().to_owned();
    // Before it is sent, or the answer might be there first.
    let feedback = match patience {
        Some(_) => Some(listen(&mut wire, &host)?),
        None => None,
    };
    let id = outgoing.message_id.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
    let name = wire.name("messages");
    let target = Target::at(format!("amqps://{host}/messages/devicebound"));
    let link = wire.attach(Attach {
        rcv_settle_mode: ReceiverSettleMode::Second,
        ..Attach::sender(name.clone(), Source::at(name), target)
    })?;
    if wire.engine().may_send(link) == 0 {
        wire.wait("credit", |event| matches!(event, Event::Credit { link: of, .. } if *of == link))?;
    }
    let sent = wire.engine().send(link, &message(outgoing, id.clone()), false);
    let delivery = sent.map_err(|_| AmqpError::Silent { host: host.clone(), what: "a message" })?;
    let outcome = wire.wait("a message", |event| match event {
        Event::Settled { link: of, delivery: which, .. } => *of == link && *which == delivery,
        Event::Detached { link: of, .. } => *of == link,
        _ => false,
    })?;
    match outcome {
        Event::Settled { outcome: None | Some(Outcome::Accepted), .. } => {}
        Event::Settled { outcome: Some(Outcome::Rejected(error)), .. } | Event::Detached { error, .. } => {
            return Err(wire.refused(error));
        }
        _ => return Err(wire.refused(None)),
    }
    match (feedback, patience) {
        (Some(link), Some(patience)) => wait_for(&mut wire, link, &id, patience).map(Some),
        _ => Ok(None),
    }
}

fn message(outgoing: Outgoing, id: String) -> Message {
    let mut properties: Vec<_> =
        outgoing.properties.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    properties.extend(outgoing.ack.map(|ack| (Value::from("iothub-ack"), Value::String(ack))));
    Message {
        properties: Properties {
            message_id: Some(Value::String(id)),
            to: Some(format!("/devices/{}/messages/devicebound", outgoing.device_id)),
            correlation_id: outgoing.correlation_id.map(Value::String),
            content_type: outgoing.content_type,
            content_encoding: outgoing.content_encoding,
            absolute_expiry_time: outgoing.expiry.map(|time| time.timestamp_millis()),
            ..Properties::default()
        },
        application_properties: properties,
        body: Body::data(outgoing.body),
        ..Message::default()
    }
}

fn listen(wire: &mut Wire, host: &str) -> Result<LinkId, AmqpError> {
    let name = wire.name("feedback");
    let source = Source::at(format!("amqps://{host}/messages/servicebound/feedback"));
    let link = wire.attach(Attach::receiver(name.clone(), source, Target::at(name)))?;
    wire.engine().add_credit(link, 100);
    Ok(link)
}

/// Waits for the feedback on one message. What is told of others stays for those who wait for that.
fn wait_for(wire: &mut Wire, link: LinkId, id: &str, patience: Duration) -> Result<Feedback, AmqpError> {
    let until = Instant::now() + patience;
    while let Some(event) = wire.next(until)? {
        match event {
            Event::Message { link: of, delivery, message, .. } if of == link => {
                let bytes = message.body.to_bytes().unwrap_or_default();
                let told: Vec<Feedback> = serde_json::from_slice(&bytes).unwrap_or_default();
                let Some(found) = told.into_iter().find(|record| record.original_message_id == id) else {
                    continue;
                };
                wire.engine().settle(link, delivery, Outcome::Accepted);
                wire.flush()?;
                return Ok(found);
            }
            Event::Detached { link: of, error, .. } if of == link => return Err(wire.refused(error)),
            _ => {}
        }
    }
    Err(AmqpError::Silent { host: wire.host().to_owned(), what: "the wait for the device's word" })
}
