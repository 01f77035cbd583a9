//! `devices/{id}/messages/devicebound`: messages to a device, each locked until the device has settled it.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
};

use tracker_amqp::{Attach, Body, Error, Header, Message, Outcome, Properties, SenderSettleMode, Value};

use super::presence::Berth;
use crate::{
    amqp::{Act, Guest, Node},
    hub::{Acknowledgement, CloudToDeviceMessage, ReceivedMessage},
};

/// Gives a device its messages.
pub(super) struct MessageNode {
    berth: Berth,
    guest: Arc<Guest>,
    /// Whether a message that is sent is done with.
    is_settled: bool,
    /// The locks of messages under way, by key.
    under_way: HashMap<u64, String>,
    keys: u64,
    /// One that is sent a second time, as a fault asks for it.
    again: Option<Message>,
}

impl MessageNode {
    pub(super) fn new(berth: Berth, guest: Arc<Guest>, asked: &Attach) -> Self {
        let is_settled = asked.snd_settle_mode == SenderSettleMode::Settled;
        Self { berth, guest, is_settled, under_way: HashMap::new(), keys: 0, again: None }
    }

    fn next(&mut self) -> Option<Act> {
        let presence = &self.berth.presence;
        if let Some(message) = self.again.take() {
            return Some(Act::Send { message: Box::new(message), settled: self.is_settled, key: self.keys });
        }
        // A device that was deleted in this moment hears of it elsewhere.
        let received =
            presence.hub.receive_message(&presence.device_id, Some(presence.connection_id)).ok().flatten()?;
        let message = written(&received, &presence.device_id);
        if presence.times() > 1 {
            self.again = Some(message.clone());
        }
        self.keys += 1;
        if self.is_settled {
            // The lock is its own, and new.
            let _ = presence.hub.complete_message(&presence.device_id, &received.lock_token);
        } else {
            self.under_way.insert(self.keys, received.lock_token);
        }
        Some(Act::Send { message: Box::new(message), settled: self.is_settled, key: self.keys })
    }
}

impl Node for MessageNode {
    fn settled(&mut self, key: u64, outcome: &Outcome) {
        let Some(lock_token) = self.under_way.remove(&key) else { return };
        let (hub, device_id) = (&self.berth.presence.hub, &self.berth.presence.device_id);
        let settled = match outcome {
            Outcome::Accepted => hub.complete_message(device_id, &lock_token),
            Outcome::Rejected(_) | Outcome::Modified { undeliverable_here: true, .. } => {
                hub.reject_message(device_id, &lock_token)
            }
            _ => hub.abandon_message(device_id, &lock_token),
        };
        if let Err(error) = settled {
            tracing::debug!(device_id, %error, "a message to a device was settled too late");
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        if let Err(farewell) = self.berth.listen(context) {
            return Poll::Ready(farewell);
        }
        if credit == 0 {
            return Poll::Pending;
        }
        self.next().map_or(Poll::Pending, Poll::Ready)
    }

    fn check(&mut self) -> Result<(), Error> {
        self.berth.presence.check(&self.guest)
    }
}

impl Drop for MessageNode {
    /// What the device has not settled is delivered anew.
    fn drop(&mut self) {
        let presence = &self.berth.presence;
        for (_, lock_token) in self.under_way.drain() {
            let _ = presence.hub.abandon_message(&presence.device_id, &lock_token);
        }
    }
}

/// A message as it goes out.
fn written(received: &ReceivedMessage, device_id: &str) -> Message {
    let ReceivedMessage { lock_token, sequence_number, enqueued, deliveries, message } = received;
    let CloudToDeviceMessage { properties, ack, .. } = message;
    let text = |text: &String| Value::String(text.clone());
    let ack = (*ack != Acknowledgement::None).then(|| ("iothub-ack".into(), ack.name().into()));
    let own = properties.iter().map(|(key, value)| (text(key), text(value)));
    Message {
        header: Some(Header { delivery_count: deliveries.saturating_sub(1), ..Header::default() }),
        message_annotations: vec![
            (Value::symbol("iothub-enqueuedtime"), Value::Timestamp(enqueued.timestamp_millis())),
            (
                Value::symbol("iothub-deliverycount"),
                Value::Ubyte(u8::try_from(*deliveries).unwrap_or(u8::MAX)),
            ),
            (Value::symbol("x-opt-sequence-number"), Value::Ulong(*sequence_number)),
            (Value::symbol("x-opt-lock-token"), text(lock_token)),
        ],
        properties: Properties {
            message_id: message.message_id.as_ref().map(text),
            correlation_id: message.correlation_id.as_ref().map(text),
            user_id: message.user_id.as_ref().map(|id| id.clone().into()),
            to: Some(CloudToDeviceMessage::to(device_id)),
            content_type: message.content_type.clone(),
            content_encoding: message.content_encoding.clone(),
            absolute_expiry_time: message.expiry_time.map(|time| time.timestamp_millis()),
            ..Properties::default()
        },
        application_properties: own.chain(ack).collect(),
        body: Body::data(message.body.clone()),
        ..Message::default()
    }
}
