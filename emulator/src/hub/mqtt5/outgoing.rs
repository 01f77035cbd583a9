//! What the hub sends to the device, in its envelope.

use bytes::Bytes;
use tracker_protocol::hub_v5::{CONTENT_TYPE, CloudMessage, Correlation, Direction, TYPE_PROPERTY, Topic};

use super::session::FiveSession;
use crate::{
    faults::FaultKind,
    mqtt::{MessageProperties, Packet, Publish, QoS},
    session::Exchange,
};

/// Bytes of a packet beside topic and body: header, identifier and the properties of an envelope.
const ENVELOPE: usize = 128;

impl FiveSession {
    /// Sends a message, if the device is subscribed to its topic. `expiry`: seconds.
    pub(super) fn send(
        &mut self,
        message: &CloudMessage,
        correlation: Correlation,
        expiry: Option<u32>,
        exchange: &mut Exchange<'_>,
    ) {
        let channel = message.channel();
        let Some(granted) = self.filters.granted(channel) else {
            return self.ignore(&format!("{} is for nobody: no subscription takes it", message.type_name()));
        };
        let qos = granted.min(if channel.qos() == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce });
        let garbage = self.hub.0.faults.strikes(self.place(), &FaultKind::GarbageBody);
        let payload = if garbage { b"<html>".to_vec() } else { message.payload() };
        let topic = Topic { device_id: self.device_id.clone(), direction: Direction::ToDevice, channel };
        let properties = MessageProperties {
            expiry,
            correlation: Some(Bytes::copy_from_slice(&correlation.0)),
            user: vec![(TYPE_PROPERTY.into(), message.type_name().into())],
            content_type: Some(CONTENT_TYPE.into()),
            ..MessageProperties::default()
        };
        let publish = Publish {
            qos,
            properties: Some(Box::new(properties)),
            ..Publish::new(topic.to_string(), payload)
        };
        let size = publish.topic.len() + publish.payload.len() + ENVELOPE;
        if self.maximum_packet.is_some_and(|limit| size > limit as usize) {
            // As the standard has it (section 3.1.2.11.4).
            return self.ignore("a message that is larger than the client takes is dropped");
        }
        let is_doubled =
            matches!(message, CloudMessage::DesiredPatch(_) | CloudMessage::Probe(_) | CloudMessage::Exec(_))
                && self.hub.0.faults.strikes(self.place(), &FaultKind::DuplicateDelivery);
        for _ in 0..=usize::from(is_doubled) {
            if qos == QoS::AtMostOnce {
                exchange.send(&Packet::Publish(publish.clone()));
            } else {
                self.outbox.put(exchange.now, publish.clone());
            }
        }
    }
}
