//! The session of one device connected to its hub.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{oneshot, watch},
    time::{Instant, sleep_until},
};
use tracker_protocol::{
    PropertyBag,
    hub::{CloudTopic, DeviceTopic, HubUsername, MAX_TELEMETRY},
};

use super::{
    Hub, HubError, TelemetryMessage,
    connection::{Filter, MethodAnswer, Order, Orders, Subscriptions},
    method::PAYLOAD_LIMIT,
};
use crate::{
    clock::wire_time,
    events::{DisconnectReason, EventKind},
    faults::{FaultKind, Place},
    id::guid,
    mqtt::{Connect, ConnectCode, Link, Packet, PacketId, Publish, QoS, SubscribeCode},
    security::x509::Certificate,
    session::{Acknowledger, SlowLine, Throttle, how_it_ended, shown, silence_allowed},
};

/// The largest PUBLISH: a message of 256 KB, and a topic whose property bag is percent-encoded.
const PACKET_LIMIT: usize = MAX_TELEMETRY + 128 * 1024;

/// Method calls a device may leave unanswered; those beyond are refused as for a device that is not there.
const MAX_PENDING_METHODS: usize = 1024;

/// Queued bytes beyond which a device counts as not reading.
const BACKLOG_LIMIT: usize = 4 * 1024 * 1024;

/// Serves a device from its CONNECT to its end.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite>(
    hub: &Hub,
    link: &mut Link<S>,
    connect: Connect,
    user_name: HubUsername,
    leaf: Option<&Arc<Certificate>>,
    mut shutdown: watch::Receiver<bool>,
) {
    let device_id = user_name.device_id.clone();
    let refuse = |link: &mut Link<S>, code: ConnectCode, reason: String| {
        link.queue(&Packet::ConnAck { session_present: false, code });
        hub.0.events.tell(EventKind::ConnectionRefused {
            service: hub.0.name.clone(),
            client_id: connect.client_id.clone(),
            code: Some(code as u8),
            reason,
        });
    };
    let place = Place { hub: Some(&hub.0.name), device: &device_id };
    let faulty = hub.0.faults.take(place, |kind| match kind {
        FaultKind::RefuseConnect(code) => ConnectCode::refusal(*code),
        _ => None,
    });
    if let Some(code) = faulty {
        return refuse(link, code, "a fault was asked for".into());
    }
    if let Some(will) = &connect.will
        && !matches!(will.topic.parse(), Ok(DeviceTopic::Telemetry { device_id: of, .. }) if of == device_id)
    {
        let refusal = super::admission::Refusal::Will(will.topic.clone());
        return refuse(link, ConnectCode::NotAuthorized, refusal.to_string());
    }
    let orders = match hub.admit(&connect, &user_name, leaf.map(AsRef::as_ref)) {
        Ok(orders) => orders,
        Err(refusal) => return refuse(link, ConnectCode::NotAuthorized, refusal.to_string()),
    };
    link.queue(&Packet::ConnAck { session_present: orders.session_present, code: ConnectCode::Accepted });
    link.set_limits(PACKET_LIMIT, Some(silence_allowed(connect.keep_alive)));
    let Orders { connection_id, mut orders, mut close, subscriptions, .. } = orders;
    let mut session = Session {
        hub,
        link,
        device_id: &device_id,
        connection_id,
        has_api_version: user_name.api_version.is_some(),
        subscriptions,
        acknowledger: Acknowledger::default(),
        throttle: Throttle::default(),
        methods: HashMap::new(),
        deliveries: HashMap::new(),
        next_id: 0,
    };
    let mut line = SlowLine::default();
    let reason = loop {
        session.deliver_messages();
        let acks_due = session.acknowledger.due();
        let due = line.due();
        tokio::select! {
            biased;
            _ = close.changed() => {
                break close.borrow().clone().unwrap_or(DisconnectReason::Shutdown);
            }
            _ = shutdown.changed() => break DisconnectReason::Shutdown,
            () = sleep_until(acks_due.unwrap_or_else(Instant::now)), if acks_due.is_some() => {
                session.acknowledger.release(session.link);
            }
            Some(order) = orders.recv() => session.carry_out(order),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some(packet) = line.arrived()
                    && let Err(reason) = session.take(packet)
                {
                    break reason;
                }
            }
            packet = session.link.next(), if line.has_room() => match packet {
                Ok(packet) => {
                    let faults = hub.0.faults.clone();
                    if let Some(packet) = line.send(packet, &faults, session.place())
                        && let Err(reason) = session.take(packet)
                    {
                        break reason;
                    }
                }
                Err(error) => break how_it_ended(&error),
            }
        }
        if session.link.backlog() > BACKLOG_LIMIT {
            break DisconnectReason::Backlog;
        }
    };
    drop(session);
    if reason != DisconnectReason::Disconnect
        && let Some(will) = connect.will
        && let Ok(DeviceTopic::Telemetry { mut properties, .. }) = will.topic.parse()
    {
        properties.insert("iothub-MessageType", Some("Will".into()));
        hub.receive(&device_id, &will.message, properties, false);
    }
    hub.depart(&device_id, connection_id, reason);
}

struct Session<'a, S> {
    hub: &'a Hub,
    link: &'a mut Link<S>,
    device_id: &'a str,
    connection_id: u64,
    has_api_version: bool,
    subscriptions: Subscriptions,
    acknowledger: Acknowledger,
    throttle: Throttle,
    methods: HashMap<String, oneshot::Sender<Result<MethodAnswer, HubError>>>,
    /// Messages under way to the device, by packet identifier.
    deliveries: HashMap<PacketId, u64>,
    next_id: u32,
}

impl<'a, S: AsyncRead + AsyncWrite> Session<'a, S> {
    fn take(&mut self, packet: Packet) -> Result<(), DisconnectReason> {
        let violation = |what: &str| Err(DisconnectReason::ProtocolViolation(what.to_owned()));
        let faults = self.hub.0.faults.clone();
        if faults.strikes(self.place(), &FaultKind::DropConnection) {
            return Err(DisconnectReason::Fault);
        }
        if faults.strikes(self.place(), &FaultKind::BlackHole) {
            return Ok(());
        }
        match packet {
            Packet::Publish(publish) => self.published(publish)?,
            Packet::PubAck(id) => {
                if let Some(number) = self.deliveries.remove(&id) {
                    self.complete(number);
                }
            }
            Packet::Subscribe { packet_id, filters } => self.subscribed(packet_id, &filters)?,
            Packet::Unsubscribe { packet_id, filters } => {
                for filter in filters {
                    if let Some(filter) = Filter::parse(&filter, self.device_id) {
                        self.subscriptions.remove(&filter);
                    }
                }
                self.hub.keep_session(self.device_id, self.connection_id, &self.subscriptions);
                self.link.queue(&Packet::UnsubAck(packet_id));
            }
            Packet::PingReq => self.link.queue(&Packet::PingResp),
            Packet::Disconnect => return Err(DisconnectReason::Disconnect),
            Packet::Connect(_) => return violation("a second CONNECT"),
            Packet::ConnAck { .. } | Packet::SubAck { .. } | Packet::UnsubAck(_) | Packet::PingResp => {
                return violation("a packet that only servers send");
            }
        }
        Ok(())
    }

    fn subscribed(&mut self, packet_id: PacketId, filters: &[(String, QoS)]) -> Result<(), DisconnectReason> {
        let mut codes = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            let Some(known) = Filter::parse(filter, self.device_id) else {
                let what =
                    format!("a subscription to \"{}\", which is not one of the hub's topics", shown(filter));
                return Err(DisconnectReason::ProtocolViolation(what));
            };
            let granted = (*qos).min(QoS::AtLeastOnce);
            self.subscriptions.insert(known, granted);
            codes.push(SubscribeCode::Granted(granted));
        }
        self.hub.keep_session(self.device_id, self.connection_id, &self.subscriptions);
        self.link.queue(&Packet::SubAck { packet_id, codes });
        self.hub.announce_arrival();
        Ok(())
    }

    fn published(&mut self, publish: Publish) -> Result<(), DisconnectReason> {
        let violation = |what: String| Err(DisconnectReason::ProtocolViolation(what));
        if self.throttle.exceeded(&self.hub.0.faults, self.place()) {
            return Err(DisconnectReason::Fault);
        }
        if publish.qos == QoS::ExactlyOnce {
            return violation("a PUBLISH with QoS 2".into());
        }
        let topic: DeviceTopic = match publish.topic.parse() {
            Ok(topic) => topic,
            Err(error) => return violation(error.to_string()),
        };
        match topic {
            DeviceTopic::Telemetry { device_id, mut properties } => {
                if device_id != self.device_id {
                    return violation(format!("telemetry in the name of \"{}\"", shown(&device_id)));
                }
                let size = publish.payload.len() + properties.metered_len();
                if size > MAX_TELEMETRY {
                    return violation(format!("a message of {size} bytes; the limit is {MAX_TELEMETRY}"));
                }
                if publish.retain {
                    properties.insert("mqtt-retain", Some("true".into()));
                }
                self.hub.receive(self.device_id, &publish.payload, properties, publish.dup);
                self.acknowledge(publish.packet_id);
            }
            DeviceTopic::TwinGet { request_id } => {
                self.acknowledge(publish.packet_id);
                self.twin_requested(request_id);
            }
            DeviceTopic::ReportedPatch { request_id } => {
                self.acknowledge(publish.packet_id);
                self.reported(request_id, &publish.payload);
            }
            DeviceTopic::MethodResponse { status, request_id } => {
                self.acknowledge(publish.packet_id);
                if publish.payload.len() > PAYLOAD_LIMIT {
                    return violation(format!(
                        "a method answer of {} bytes; the limit is {PAYLOAD_LIMIT}",
                        publish.payload.len()
                    ));
                }
                // An answer nobody waits for, or not any more, is passed over.
                if let Some(answer) = self.methods.remove(&request_id) {
                    let _ = answer.send(Ok(MethodAnswer { status, body: publish.payload.into() }));
                }
            }
        }
        Ok(())
    }

    fn acknowledge(&mut self, packet_id: Option<PacketId>) {
        if let Some(id) = packet_id {
            let place = Place { hub: Some(&self.hub.0.name), device: self.device_id };
            self.acknowledger.acknowledge(self.link, id, &self.hub.0.faults, place);
        }
    }

    fn twin_requested(&mut self, request_id: String) {
        if let Some((status, why)) = self.twin_barred() {
            return self.twin_refused(status, request_id, why);
        }
        match self.hub.twin_for_device(self.device_id) {
            Ok(twin) => self.answer_twin(200, request_id, None, twin.to_string()),
            Err(error) => self.twin_refused(400, request_id, &error.to_string()),
        }
    }

    /// Why this connection can make no twin requests at all.
    fn twin_barred(&self) -> Option<(u16, &'static str)> {
        if !self.has_api_version {
            return Some((400, "the user name of this connection has no api-version"));
        }
        let injected = |kind: &FaultKind| match kind {
            FaultKind::TwinError { status } => Some((*status, "a fault was asked for")),
            _ => None,
        };
        self.hub.0.faults.take(self.place(), injected)
    }

    fn reported(&mut self, request_id: String, payload: &[u8]) {
        if let Some((status, why)) = self.twin_barred() {
            return self.twin_refused(status, request_id, why);
        }
        let Ok(Value::Object(patch)) = serde_json::from_slice(payload) else {
            return self.twin_refused(400, request_id, "the body is not a JSON object");
        };
        match self.hub.patch_reported(self.device_id, &patch) {
            Ok(version) => self.answer_twin(204, request_id, Some(version), String::new()),
            Err(error) => self.twin_refused(400, request_id, &error.to_string()),
        }
    }

    fn twin_refused(&mut self, status: u16, request_id: String, why: &str) {
        let body = json!({
            "errorCode": if status == 400 { 400_004 } else { u32::from(status) * 1000 + 1 },
            "trackingId": guid(),
            "message": why,
            "timestampUtc": wire_time::print(self.hub.0.clock.now()),
        });
        self.answer_twin(status, request_id, None, body.to_string());
    }

    fn answer_twin(&mut self, status: u16, request_id: String, version: Option<u64>, body: String) {
        if !self.subscriptions.contains_key(&Filter::TwinResponses) {
            return;
        }
        let garbage = self.hub.0.faults.strikes(self.place(), &FaultKind::GarbageBody);
        let body = if garbage { "<html>".to_owned() } else { body };
        let topic = CloudTopic::TwinResponse { status, request_id, version };
        self.link.queue(&Packet::Publish(Publish::new(topic.to_string(), body)));
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Desired { version, mut patch } => {
                if self.subscriptions.contains_key(&Filter::DesiredChanges) {
                    patch.insert("$version".into(), version.into());
                    let topic = CloudTopic::DesiredPatch { version };
                    let body = Value::Object(patch).to_string();
                    self.deliver(&Packet::Publish(Publish::new(topic.to_string(), body)));
                }
            }
            Order::Method { name, payload, answer } => {
                self.methods.retain(|_, waiting| !waiting.is_closed());
                if !self.subscriptions.contains_key(&Filter::Methods)
                    || self.methods.len() >= MAX_PENDING_METHODS
                {
                    let device_id = self.device_id.to_owned();
                    // The caller may have given up.
                    let _ = answer.send(Err(HubError::DeviceNotOnline { device_id, waited: Duration::ZERO }));
                    return;
                }
                self.next_id = self.next_id.wrapping_add(1);
                let request_id = format!("{:x}", self.next_id);
                let topic = CloudTopic::MethodRequest { name, request_id: request_id.clone() };
                self.deliver(&Packet::Publish(Publish::new(topic.to_string(), payload)));
                self.methods.insert(request_id, answer);
            }
            // Delivered at the head of the loop.
            Order::Messages => {}
        }
    }

    /// A message from the cloud has arrived.
    fn complete(&self, number: u64) {
        if let Some(entry) = self.hub.0.registry.change().find(self.device_id) {
            entry.queue.complete(number);
        }
    }

    /// Sends the messages that wait for the device, if it is subscribed to them.
    fn deliver_messages(&mut self) {
        let Some(&qos) = self.subscriptions.get(&Filter::DeviceBound) else {
            return;
        };
        let now = self.hub.0.clock.now();
        loop {
            let mut registry = self.hub.0.registry.lock();
            let Some(entry) = registry.find(self.device_id) else {
                return;
            };
            let Some(delivery) = entry.queue.next(self.device_id, self.connection_id, now) else {
                return;
            };
            drop(registry);
            if qos == QoS::AtMostOnce {
                self.complete(delivery.number);
            }
            let topic = CloudTopic::DeviceBound {
                device_id: self.device_id.to_owned(),
                properties: delivery.properties,
            };
            let packet_id = (qos == QoS::AtLeastOnce).then(|| self.free_packet_id());
            if let Some(id) = packet_id {
                self.deliveries.insert(id, delivery.number);
            }
            let publish = Publish { qos, packet_id, ..Publish::new(topic.to_string(), delivery.body) };
            self.deliver(&Packet::Publish(publish));
        }
    }

    /// Sends what the cloud has for the device; twice, when that is asked for.
    fn deliver(&mut self, packet: &Packet) {
        if self.hub.0.faults.strikes(self.place(), &FaultKind::DuplicateDelivery) {
            self.link.queue(packet);
        }
        self.link.queue(packet);
    }

    /// Fifty messages can be under way, so there is always a free one.
    fn free_packet_id(&mut self) -> PacketId {
        loop {
            self.next_id = self.next_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.next_id as u16)
                && !self.deliveries.contains_key(&id)
            {
                return id;
            }
        }
    }

    fn place(&self) -> Place<'a> {
        Place { hub: Some(&self.hub.0.name), device: self.device_id }
    }
}

impl Hub {
    /// Takes a message in: it counts as received from here on.
    fn receive(&self, device_id: &str, body: &[u8], properties: PropertyBag, marked_duplicate: bool) {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.lock();
        let sequence_number = registry.next_sequence_number();
        // A device deleted in this moment has no counters any more; its message is here all the same.
        let repeated_message_id = registry.find(device_id).is_some_and(|entry| {
            entry.last_activity = now;
            entry.tally.count(properties.get(PropertyBag::MESSAGE_ID))
        });
        let message = TelemetryMessage {
            hub: self.0.name.clone(),
            device_id: device_id.to_owned(),
            enqueued_time: now,
            sequence_number,
            // A copy: the bytes received share their memory with the packets around them.
            body: Bytes::copy_from_slice(body),
            properties,
            marked_duplicate,
            repeated_message_id,
        };
        // Sent under the lock, so that subscribers see the sequence in order. Nobody listening is no fault.
        let message = Arc::new(message);
        registry.history.remember(Arc::clone(&message));
        let _ = self.0.telemetry.send(message);
    }
}
