//! The session of one device: what its packets mean.

use std::{collections::HashMap, sync::Arc};

use chrono::TimeDelta;
use tokio::time::Instant;
use tracker_protocol::{
    hub::MAX_TELEMETRY,
    hub_v5::{
        Channel, DeviceMessage, Direction, Envelope, MAX_PACKET, MAX_SESSION_EXPIRY, Received, TYPE_PROPERTY,
        Topic,
    },
};

use super::{
    admission::{Refused, admit},
    session::FiveSession,
    telemetry::bag,
};
use crate::{
    events::DisconnectReason,
    faults::{FaultKind, Faults, Place},
    hub::{
        Hub,
        broker::{KeptSession, Outbox},
        connection::{Attachment, Push},
    },
    mqtt::{Connect, ConnectAnswer, Five, LinkError, Packet, PacketId, Publish, QoS, reason},
    security::x509::Certificate,
    session::{Exchange, Service, shown},
};

/// PUBLISH packets of `QoS` 1 that a client may have unacknowledged; what the real number is, is not known.
const RECEIVE_MAXIMUM: u16 = 100;

/// Numbers for topics (limits of the broker, of 2023).
const TOPIC_ALIASES: u16 = 10;

/// Lets a device in, or says why not. One that is connected already is taken over.
pub(crate) fn open(
    hub: &Hub,
    connect: Connect,
    presented: &[Arc<Certificate>],
) -> Result<FiveSession, Refused> {
    let (attachment, nonce) = admit(hub, &connect, presented)?;
    let Attachment { connection_id, mailbox, .. } = attachment;
    let options = connect.options.unwrap_or_default();
    let session_expiry = options.session_expiry.min(MAX_SESSION_EXPIRY);
    let kept = hub.take_session(&connect.client_id, connection_id, connect.clean_session, session_expiry > 0);
    let session_present = kept.is_some();
    let KeptSession { filters, messages, .. } = kept.unwrap_or_default();
    Ok(FiveSession {
        hub: hub.clone(),
        device_id: connect.client_id,
        connection_id,
        session_present,
        session_expiry: (session_expiry, options.session_expiry),
        keep_alive: connect.keep_alive,
        maximum_packet: options.maximum_packet,
        will: connect.will,
        nonce,
        is_born: false,
        desired_version: 0,
        filters,
        outbox: Outbox::new(options.receive_maximum.unwrap_or(u16::MAX), messages),
        aliases: HashMap::new(),
        calls: HashMap::new(),
        mailbox,
        ends_with: None,
    })
}

impl Hub {
    /// What is kept for a client, unless it begins anew; from now on its session is kept, or not.
    fn take_session(
        &self,
        device_id: &str,
        connection_id: u64,
        begin_anew: bool,
        keep: bool,
    ) -> Option<KeptSession> {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.lock();
        let entry = registry.connected(device_id, connection_id)?;
        let lives = |kept: &KeptSession| !begin_anew && kept.until.is_none_or(|until| now < until);
        let kept = entry.kept_five.take().filter(lives);
        entry.kept_five = keep.then(|| {
            let filters = kept.as_ref().map(|kept| kept.filters.clone()).unwrap_or_default();
            KeptSession { filters, ..KeptSession::default() }
        });
        kept
    }
}

impl Service for FiveSession {
    type Push = Push;

    const PACKET_LIMIT: usize = MAX_PACKET;

    fn faults(&self) -> &Faults {
        &self.hub.0.faults
    }

    fn place(&self) -> Place<'_> {
        FiveSession::place(self)
    }

    fn session_present(&self) -> bool {
        self.session_present
    }

    fn accepted(&self) -> Packet {
        let (granted, asked) = self.session_expiry;
        let longest = tracker_protocol::hub_v5::MAX_KEEP_ALIVE;
        Packet::Five(Five::ConnAck(Box::new(ConnectAnswer {
            session_present: self.session_present,
            reason: reason::SUCCESS,
            session_expiry: (granted != asked).then_some(granted),
            receive_maximum: Some(RECEIVE_MAXIMUM),
            maximum_packet: Some(MAX_PACKET as u32),
            topic_alias_maximum: Some(TOPIC_ALIASES),
            keep_alive: (self.keep_alive == 0 || self.keep_alive > longest).then_some(longest),
            why: None,
        })))
    }

    fn due(&self, _now: Instant) -> Option<Instant> {
        self.next_end_of_call()
    }

    fn pass_time(&mut self, exchange: &mut Exchange<'_>) {
        self.end_calls(exchange.now);
    }

    fn published(
        &mut self,
        mut publish: Publish,
        exchange: &mut Exchange<'_>,
    ) -> Result<(), DisconnectReason> {
        self.check_fault()?;
        if publish.qos == QoS::ExactlyOnce {
            return Err(self.end(reason::QOS, "a PUBLISH with QoS 2"));
        }
        if publish.retain {
            return Err(self.end(reason::RETAIN, "a PUBLISH to be retained"));
        }
        if publish.packet_id.is_some() && exchange.outstanding() >= RECEIVE_MAXIMUM.into() {
            return Err(self.end(
                reason::RECEIVE_MAXIMUM,
                "more PUBLISH packets unacknowledged than the receive maximum",
            ));
        }
        self.resolve_alias(&mut publish)?;
        if let Some((code, why)) = self.refusal(&publish, exchange) {
            if let Some(packet_id) = publish.packet_id {
                let refusal =
                    Five::PubAck { packet_id, reason: code, why: Some(why), has_user_properties: false };
                exchange.send(&Packet::Five(refusal));
            } else {
                self.ignore(&why);
            }
            return Ok(());
        }
        let Ok(Topic { channel, .. }) = publish.topic.parse() else { return Ok(()) };
        let properties = publish.properties.unwrap_or_default();
        if channel == Channel::Telemetry {
            self.hub.receive(&self.device_id, &publish.payload, bag(&properties), publish.dup);
            exchange.acknowledge(publish.packet_id, &self.hub.0.faults, FiveSession::place(self));
            return Ok(());
        }
        exchange.acknowledge(publish.packet_id, &self.hub.0.faults, FiveSession::place(self));
        let received = Received {
            channel,
            type_name: properties.user_property(TYPE_PROPERTY),
            correlation: properties.correlation.as_deref(),
            payload: &publish.payload,
        };
        match DeviceMessage::read(received) {
            Ok(Some(envelope)) => self.take(envelope, exchange),
            Ok(None) => {
                let kind = received.type_name.map(shown).unwrap_or_default();
                self.ignore(&format!("a message of type \"{kind}\", which {} does not have", publish.topic));
            }
            Err(error) => self.ignore(&error.to_string()),
        }
        Ok(())
    }

    fn acknowledged(&mut self, id: PacketId) {
        self.outbox.acknowledged(id);
    }

    /// SUBSCRIBE and UNSUBSCRIBE of MQTT 5 come by [`Service::five`].
    fn subscribe(&mut self, _filter: &str, _granted: QoS) -> Result<(), DisconnectReason> {
        Ok(())
    }

    fn unsubscribe(&mut self, _filter: &str) {}

    fn five(&mut self, packet: Five, exchange: &mut Exchange<'_>) -> Result<(), DisconnectReason> {
        self.check_fault()?;
        match packet {
            Five::PubAck { has_user_properties: true, .. } => {
                Err(self.end(reason::IMPLEMENTATION_SPECIFIC, "user properties in PUBACK"))
            }
            Five::PubAck { reason: code, .. } if code >= 0x80 => Err(self.end(
                reason::IMPLEMENTATION_SPECIFIC,
                "a PUBACK with an error, which the broker does not take",
            )),
            Five::PubAck { packet_id, .. } => {
                self.outbox.acknowledged(packet_id);
                Ok(())
            }
            Five::Subscribe { packet_id, filters, has_identifier, has_user_properties } => {
                let refused = match (has_identifier, has_user_properties) {
                    (true, _) => {
                        Some((reason::SUBSCRIPTION_IDENTIFIER, "subscription identifiers are not taken"))
                    }
                    (_, true) => {
                        Some((reason::IMPLEMENTATION_SPECIFIC, "user properties in SUBSCRIBE are not taken"))
                    }
                    _ => None,
                };
                self.subscribed(packet_id, &filters, refused, exchange);
                Ok(())
            }
            Five::Unsubscribe { packet_id, filters } => {
                let device_id = &self.device_id;
                let reasons =
                    filters.iter().map(|filter| self.filters.unsubscribe(filter, device_id)).collect();
                self.keep_filters();
                exchange.send(&Packet::Five(Five::UnsubAck { packet_id, reasons }));
                Ok(())
            }
            Five::Disconnect { reason: code, session_expiry, .. } => Err(self.goodbye(code, session_expiry)),
            Five::ConnAck(_) | Five::SubAck { .. } | Five::UnsubAck { .. } => {
                Err(self.end(reason::PROTOCOL_ERROR, "a packet that only servers send"))
            }
        }
    }

    fn broken(&mut self, error: &LinkError) {
        self.ends_with = match error {
            LinkError::Malformed(error) if error.is_too_large() => Some(reason::PACKET_TOO_LARGE),
            LinkError::Malformed(_) => Some(reason::MALFORMED),
            _ => None,
        };
    }

    fn farewell(&self, reason: &DisconnectReason) -> Option<Packet> {
        let code = self.ends_with.or(match reason {
            DisconnectReason::Shutdown => Some(reason::SERVER_SHUTTING_DOWN),
            DisconnectReason::TakenOver => Some(reason::TAKEN_OVER),
            DisconnectReason::KeepAliveTimeout => Some(reason::KEEP_ALIVE),
            DisconnectReason::Backlog => Some(reason::QUOTA),
            // Devices register again.
            DisconnectReason::DeviceDisabled | DisconnectReason::DeviceDeleted => {
                Some(reason::NOT_AUTHORIZED)
            }
            DisconnectReason::ProtocolViolation(_) => Some(reason::PROTOCOL_ERROR),
            _ => None,
        })?;
        let why = Some(reason.to_string());
        Some(Packet::Five(Five::Disconnect {
            reason: code,
            why,
            session_expiry: None,
            has_user_properties: false,
        }))
    }

    fn deliver(&mut self, exchange: &mut Exchange<'_>) {
        while let Some(publish) = self.outbox.next(exchange.now) {
            exchange.send(&Packet::Publish(publish));
        }
    }

    async fn next_push(&mut self) -> Result<Push, DisconnectReason> {
        self.mailbox.next().await
    }

    fn push_at_hand(&mut self) -> Result<Option<Push>, DisconnectReason> {
        self.mailbox.at_hand()
    }

    fn push(&mut self, push: Push, exchange: &mut Exchange<'_>) {
        match push {
            Push::Desired { version, patch } => self.push_desired(version, patch, exchange),
            Push::Method { name, payload, patience, answer } => {
                self.call(name, payload, patience, answer, exchange);
            }
            // There are none on such a hub.
            Push::Messages => {}
        }
    }

    fn ended(mut self, reason: DisconnectReason) {
        if reason != DisconnectReason::Disconnect
            && let Some(will) = self.will.take()
        {
            let properties = tracker_protocol::PropertyBag::new().with("iothub-MessageType", "Will");
            self.hub.receive(&self.device_id, &will.message, properties, false);
        }
        let Self { hub, device_id, connection_id, filters, outbox, session_expiry: (expiry, _), .. } = self;
        let until = hub.0.clock.now() + TimeDelta::seconds(expiry.into());
        if let Some(entry) = hub.0.registry.lock().connected(&device_id, connection_id) {
            entry.kept_five = (expiry > 0).then(|| KeptSession::new(filters, outbox, until)).flatten();
        }
        hub.depart(&device_id, connection_id, reason);
    }
}

impl FiveSession {
    fn take(&mut self, envelope: Envelope<DeviceMessage>, exchange: &mut Exchange<'_>) {
        let Envelope { correlation, message } = envelope;
        match message {
            DeviceMessage::Birth(birth) => self.born(&birth, correlation, exchange),
            DeviceMessage::Get(get) => self.twin_requested(get, correlation, exchange),
            DeviceMessage::ReportedPatch(patch) => self.reported(&patch, correlation, exchange),
            DeviceMessage::ProbeAck(ack) => self.probed(ack, correlation, exchange),
            DeviceMessage::Result(result) => self.answered(result, correlation),
            DeviceMessage::Abandon(abandon) => self.abandoned(&abandon, correlation),
        }
    }

    /// The end of the connection, if a fault asks for one in words.
    fn check_fault(&mut self) -> Result<(), DisconnectReason> {
        let code = self.faults().take(self.place(), |kind| match kind {
            FaultKind::Disconnect { code } => Some(*code),
            _ => None,
        });
        match code {
            Some(code) => {
                self.ends_with = Some(code);
                Err(DisconnectReason::Fault)
            }
            None => Ok(()),
        }
    }

    fn resolve_alias(&mut self, publish: &mut Publish) -> Result<(), DisconnectReason> {
        let Some(alias) = publish.properties.as_ref().and_then(|properties| properties.topic_alias) else {
            return Ok(());
        };
        if alias > TOPIC_ALIASES {
            return Err(self.end(reason::TOPIC_ALIAS, "a topic alias above the maximum"));
        }
        if !publish.topic.is_empty() {
            self.aliases.insert(alias, publish.topic.clone());
        } else if let Some(topic) = self.aliases.get(&alias) {
            publish.topic.clone_from(topic);
        } else {
            return Err(self.end(reason::PROTOCOL_ERROR, "a topic alias that stands for no topic"));
        }
        Ok(())
    }

    /// Why a PUBLISH comes to nothing, as reason code and words; the connection goes on.
    fn refusal(&mut self, publish: &Publish, exchange: &mut Exchange<'_>) -> Option<(u8, String)> {
        let code = self.faults().take(self.place(), |kind| match kind {
            FaultKind::RefusePublish { code } => Some(*code),
            _ => None,
        });
        if let Some(code) = code {
            return Some((code, "a fault was asked for".into()));
        }
        if exchange.is_throttled(self.faults(), self.place()) {
            return Some((reason::QUOTA, "too many in a second".into()));
        }
        let topic = match publish.topic.parse::<Topic>() {
            Ok(topic) => topic,
            Err(_) if publish.topic.starts_with("$iothub/credentials") => {
                return Some((
                    reason::NOT_AUTHORIZED,
                    "a hub of MQTT 5 renews no certificates; DPS issues them".into(),
                ));
            }
            Err(error) => return Some((reason::NOT_AUTHORIZED, error.to_string())),
        };
        if topic.direction != Direction::ToService || topic.device_id != self.device_id {
            let why = format!("\"{}\" is not a topic that this device publishes on", shown(&publish.topic));
            return Some((reason::NOT_AUTHORIZED, why));
        }
        if topic.channel == Channel::Telemetry {
            let properties = publish.properties.as_deref().map(bag).unwrap_or_default();
            let size = publish.payload.len() + properties.metered_len();
            if size > MAX_TELEMETRY {
                let why = format!("a message of {size} bytes; the limit is {MAX_TELEMETRY}");
                return Some((reason::PAYLOAD_FORMAT, why));
            }
        }
        None
    }

    fn subscribed(
        &mut self,
        packet_id: PacketId,
        filters: &[(String, QoS)],
        refused: Option<(u8, &str)>,
        exchange: &mut Exchange<'_>,
    ) {
        let injected = self.faults().take(self.place(), |kind| match kind {
            FaultKind::RefuseSubscribe { code } => Some((*code, "a fault was asked for")),
            _ => None,
        });
        let mut why = None;
        let mut reasons = Vec::with_capacity(filters.len());
        for (filter, asked) in filters {
            let (code, words) = match injected.or(refused) {
                Some((code, words)) => (code, Some(words.to_owned())),
                None => self.filters.subscribe(filter, *asked, &self.device_id),
            };
            reasons.push(code);
            why = why.or(words);
        }
        self.keep_filters();
        exchange.send(&Packet::Five(Five::SubAck { packet_id, reasons, why }));
        self.hub.announce_arrival();
    }

    /// For a connection that takes this one over.
    fn keep_filters(&self) {
        let mut registry = self.hub.0.registry.lock();
        let entry = registry.connected(&self.device_id, self.connection_id);
        if let Some(kept) = entry.and_then(|entry| entry.kept_five.as_mut()) {
            kept.filters.clone_from(&self.filters);
        }
    }

    /// The client ends the connection in order; with reason 4, it wants its will to be published.
    fn goodbye(&mut self, code: u8, session_expiry: Option<u32>) -> DisconnectReason {
        if let Some(expiry) = session_expiry {
            if self.session_expiry.1 == 0 && expiry > 0 {
                return self
                    .end(reason::PROTOCOL_ERROR, "a session expiry in DISCONNECT where CONNECT had none");
            }
            self.session_expiry.0 = expiry.min(MAX_SESSION_EXPIRY);
        }
        if code == reason::SUCCESS {
            self.will = None;
        } else if code == reason::DISCONNECT_WITH_WILL {
            self.ends_with = None;
        }
        if self.will.is_some() {
            return DisconnectReason::ConnectionLost(format!(
                "the client said goodbye with reason {code:#04x}"
            ));
        }
        DisconnectReason::Disconnect
    }
}
