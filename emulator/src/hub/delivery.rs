//! What the cloud sends to a connected device: changes of desired properties, method calls, messages.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tracker_protocol::hub::CloudTopic;

use super::{
    HubError,
    connection::{Filter, MethodAnswer},
    session::DeviceSession,
};
use crate::{
    faults::FaultKind,
    mqtt::{Packet, PacketId, Publish, QoS},
    session::{Exchange, Service as _},
};

/// Method calls a device may leave unanswered; those beyond are refused as for a device that is not there.
const MAX_PENDING_METHODS: usize = 1024;

impl DeviceSession {
    pub(super) fn push_desired(
        &self,
        version: u64,
        mut patch: Map<String, Value>,
        exchange: &mut Exchange<'_>,
    ) {
        if self.subscriptions.contains_key(&Filter::DesiredChanges) {
            patch.insert("$version".into(), version.into());
            let topic = CloudTopic::DesiredPatch { version };
            let body = Value::Object(patch).to_string();
            self.send(&Packet::Publish(Publish::new(topic.to_string(), body)), exchange);
        }
    }

    pub(super) fn call_method(
        &mut self,
        name: String,
        payload: Vec<u8>,
        answer: oneshot::Sender<Result<MethodAnswer, HubError>>,
        exchange: &mut Exchange<'_>,
    ) {
        self.methods.retain(|_, waiting| !waiting.is_closed());
        if !self.subscriptions.contains_key(&Filter::Methods) || self.methods.len() >= MAX_PENDING_METHODS {
            let device_id = self.device_id.clone();
            // The caller may have given up.
            let _ = answer.send(Err(HubError::DeviceNotOnline { device_id, waited: Duration::ZERO }));
            return;
        }
        self.called_methods += 1;
        let request_id = format!("{:x}", self.called_methods);
        let topic = CloudTopic::MethodRequest { name, request_id: request_id.clone() };
        self.send(&Packet::Publish(Publish::new(topic.to_string(), payload)), exchange);
        self.methods.insert(request_id, answer);
    }

    /// A message from the cloud has arrived.
    pub(super) fn complete(&self, number: u64) {
        self.hub.complete_number(&self.device_id, number);
    }

    /// Sends the messages that wait for the device, if it is subscribed to them.
    pub(super) fn deliver_messages(&mut self, exchange: &mut Exchange<'_>) {
        let Some(&qos) = self.subscriptions.get(&Filter::DeviceBound) else {
            return;
        };
        let now = self.hub.0.clock.now();
        loop {
            let mut registry = self.hub.0.registry.lock();
            let Some(entry) = registry.find(&self.device_id) else {
                return;
            };
            let delivery = entry.queue.next(&self.device_id, self.connection_id, now);
            registry.settle_messages(&self.device_id, now);
            drop(registry);
            let Some(delivery) = delivery else {
                return;
            };
            if qos == QoS::AtMostOnce {
                self.complete(delivery.number);
            }
            let topic = CloudTopic::DeviceBound {
                device_id: self.device_id.clone(),
                properties: delivery.properties,
            };
            let packet_id = (qos == QoS::AtLeastOnce).then(|| self.free_packet_id());
            if let Some(id) = packet_id {
                self.deliveries.insert(id, delivery.number);
            }
            let publish = Publish { qos, packet_id, ..Publish::new(topic.to_string(), delivery.body) };
            self.send(&Packet::Publish(publish), exchange);
        }
    }

    /// Sends what the cloud has for the device; twice, when that is asked for.
    fn send(&self, packet: &Packet, exchange: &mut Exchange<'_>) {
        if self.faults().strikes(self.place(), &FaultKind::DuplicateDelivery) {
            exchange.send(packet);
        }
        exchange.send(packet);
    }

    /// Fifty messages can be under way, so there is always a free one.
    fn free_packet_id(&mut self) -> PacketId {
        loop {
            self.packet_id = self.packet_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.packet_id)
                && !self.deliveries.contains_key(&id)
            {
                return id;
            }
        }
    }
}
