//! The session of one device connected to its hub.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::oneshot, time::Instant};
use tracker_protocol::{
    dps::ConnectionProfile,
    hub::{DeviceTopic, HubUsername, MAX_TELEMETRY},
};

use super::{
    Hub, HubError,
    admission::{Joining, NotAdmitted, Shown, client_id},
    connection::{Attachment, Filter, Mailbox, MethodAnswer, Push, Subscriptions},
    method_rules::PAYLOAD_LIMIT,
    module_id::module_address,
    renewal::renews,
};
use crate::{
    events::DisconnectReason,
    faults::{Faults, Place},
    mqtt::{Connect, ConnectCode, PacketId, Publish, QoS, Will},
    security::x509::Certificate,
    session::{Exchange, Refused, Service, connect_fault, shown, violation},
};

/// How long a connection goes on when the token that let it in has expired. Azure ends it some five to ten minutes after.
const TOKEN_GRACE: TimeDelta = TimeDelta::seconds(450);

/// A hub as it serves one device, or one module.
pub(crate) struct DeviceSession {
    pub(super) hub: Hub,
    /// Or the address of the module.
    pub(super) device_id: String,
    pub(super) connection_id: u64,
    pub(super) has_api_version: bool,
    /// Whether the API version knows of renewal.
    pub(super) renews: bool,
    /// When certificates that were asked for are there.
    pub(super) renewal_due: Option<DateTime<Utc>>,
    session_present: bool,
    token_expiry: Option<DateTime<Utc>>,
    pub(super) subscriptions: Subscriptions,
    will: Option<Will>,
    mailbox: Mailbox,
    pub(super) methods: HashMap<String, oneshot::Sender<Result<MethodAnswer, HubError>>>,
    /// Messages under way to the device, by packet identifier.
    pub(super) deliveries: HashMap<PacketId, u64>,
    /// The last packet identifier that was given.
    pub(super) packet_id: u16,
    /// Calls of methods so far. Each is known to the device by its number, from 1 on, as at Azure.
    pub(super) called_methods: u64,
}

/// Lets a device in, or says why not. One that is connected already is taken over.
pub(crate) fn open(
    hub: &Hub,
    connect: Connect,
    user_name: &HubUsername,
    presented: &[Arc<Certificate>],
) -> Result<DeviceSession, Refused> {
    let address = match &user_name.module_id {
        Some(module_id) => module_address(&user_name.device_id, module_id),
        None => user_name.device_id.clone(),
    };
    let attachment = match admit(hub, &connect, user_name, &address, presented) {
        Ok(attachment) => attachment,
        Err((code, reason)) => {
            let service = hub.0.name.clone();
            return Err(Refused { service, client_id: connect.client_id, code, reason });
        }
    };
    let Attachment { connection_id, mailbox, subscriptions, session_present, token_expiry, renewal_due } =
        attachment;
    Ok(DeviceSession {
        hub: hub.clone(),
        device_id: address,
        connection_id,
        has_api_version: user_name.api_version.is_some(),
        renews: renews(user_name.api_version.as_deref()),
        renewal_due,
        session_present,
        token_expiry,
        subscriptions,
        will: connect.will,
        mailbox,
        methods: HashMap::new(),
        deliveries: HashMap::new(),
        packet_id: 0,
        called_methods: 0,
    })
}

fn admit(
    hub: &Hub,
    connect: &Connect,
    user_name: &HubUsername,
    device_id: &str,
    presented: &[Arc<Certificate>],
) -> Result<Attachment, (ConnectCode, String)> {
    if hub.0.profile == ConnectionProfile::MqttV5 {
        let why = "MQTT 3.1.1 at a hub of MQTT 5 (connectionProfile mqttV5)";
        return Err((ConnectCode::UnacceptableProtocolVersion, why.into()));
    }
    let place = Place { hub: Some(&hub.0.name), device: device_id };
    if let Some(faulty) = connect_fault(&hub.0.faults, place) {
        return Err(faulty);
    }
    let refused = |refusal: NotAdmitted| (ConnectCode::NotAuthorized, refusal.to_string());
    if let Some(will) = &connect.will
        && !matches!(will.topic.parse(), Ok(DeviceTopic::Telemetry { device_id: of, .. }) if of == device_id)
    {
        return Err(refused(NotAdmitted::Will(will.topic.clone())));
    }
    if connect.client_id != client_id(device_id) {
        let (client_id, device_id) = (connect.client_id.clone(), device_id.to_owned());
        return Err(refused(NotAdmitted::ClientId { client_id, device_id }));
    }
    let shown = Shown { token: connect.password.as_deref(), certificates: presented };
    let joining = Joining { clean_session: connect.clean_session, model_id: user_name.model_id.as_deref() };
    hub.admit(device_id, shown, joining).map_err(refused)
}

impl Service for DeviceSession {
    type Push = Push;

    /// A message of 256 KB, and a topic whose property bag is percent-encoded.
    const PACKET_LIMIT: usize = MAX_TELEMETRY + 128 * 1024;

    fn faults(&self) -> &Faults {
        &self.hub.0.faults
    }

    fn place(&self) -> Place<'_> {
        Place { hub: Some(&self.hub.0.name), device: &self.device_id }
    }

    fn session_present(&self) -> bool {
        self.session_present
    }

    fn ends(&self, now: Instant) -> Option<Instant> {
        let end = self.token_expiry?.checked_add_signed(TOKEN_GRACE)?;
        let left = end - self.hub.0.clock.now();
        now.checked_add(left.to_std().unwrap_or_default())
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let due = self.renewal_due.filter(|_| self.subscriptions.contains_key(&Filter::Credentials))?;
        let left = due - self.hub.0.clock.now();
        now.checked_add(left.to_std().unwrap_or_default())
    }

    fn published(&mut self, publish: Publish, exchange: &mut Exchange<'_>) -> Result<(), DisconnectReason> {
        let is_throttled = exchange.is_throttled(self.faults(), self.place());
        let topic = publish.topic.parse::<DeviceTopic>();
        if is_throttled && !matches!(topic, Ok(DeviceTopic::IssueCertificate { .. })) {
            return Err(DisconnectReason::Fault);
        }
        let topic = topic.map_err(|error| violation(format!("{error}")))?;
        if let DeviceTopic::Telemetry { device_id, properties } = topic {
            if device_id != self.device_id {
                return Err(violation(format!("telemetry in the name of \"{}\"", shown(&device_id))));
            }
            let size = publish.payload.len() + properties.metered_len();
            if size > MAX_TELEMETRY {
                return Err(violation(format!("a message of {size} bytes; the limit is {MAX_TELEMETRY}")));
            }
            let mut properties = properties;
            if publish.retain {
                properties.insert("mqtt-retain", Some("true".into()));
            }
            self.hub.receive(&self.device_id, &publish.payload, properties, publish.dup);
            exchange.acknowledge(publish.packet_id, self.faults(), self.place());
            return Ok(());
        }
        exchange.acknowledge(publish.packet_id, self.faults(), self.place());
        match topic {
            DeviceTopic::Telemetry { .. } => {}
            DeviceTopic::IssueCertificate { request_id } => {
                self.certificate_requested(&request_id, &publish.payload, is_throttled, exchange);
            }
            DeviceTopic::TwinGet { request_id } => self.twin_requested(request_id, exchange),
            DeviceTopic::ReportedPatch { request_id } => {
                self.reported(request_id, &publish.payload, exchange);
            }
            DeviceTopic::MethodResponse { status, request_id } => {
                if publish.payload.len() > PAYLOAD_LIMIT {
                    return Err(violation(format!(
                        "a method answer of {} bytes; the limit is {PAYLOAD_LIMIT}",
                        publish.payload.len()
                    )));
                }
                // An answer nobody waits for, or not any more, is passed over.
                if let Some(answer) = self.methods.remove(&request_id) {
                    let _ = answer.send(Ok(MethodAnswer { status, body: publish.payload.into() }));
                }
            }
        }
        Ok(())
    }

    fn acknowledged(&mut self, id: PacketId) {
        if let Some(number) = self.deliveries.remove(&id) {
            self.complete(number);
        }
    }

    fn subscribe(&mut self, filter: &str, granted: QoS) -> Result<(), DisconnectReason> {
        let known = Filter::parse(filter, &self.device_id).ok_or_else(|| {
            violation(format!(
                "a subscription to \"{}\", which is not one of the hub's topics",
                shown(filter)
            ))
        })?;
        self.subscriptions.insert(known, granted);
        Ok(())
    }

    fn unsubscribe(&mut self, filter: &str) {
        if let Some(filter) = Filter::parse(filter, &self.device_id) {
            self.subscriptions.remove(&filter);
        }
    }

    fn subscriptions_changed(&mut self) {
        self.hub.keep_session(&self.device_id, self.connection_id, &self.subscriptions);
        self.hub.announce_arrival();
    }

    fn deliver(&mut self, exchange: &mut Exchange<'_>) {
        self.deliver_messages(exchange);
        self.deliver_certificates(exchange);
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
            Push::Method { name, payload, answer, patience: _ } => {
                self.call_method(name, payload, answer, exchange);
            }
            // The session delivers them before it waits again.
            Push::Messages => {}
        }
    }

    fn ended(self, reason: DisconnectReason) {
        let Self { hub, device_id, connection_id, will, .. } = self;
        if reason != DisconnectReason::Disconnect
            && let Some(will) = will
            && let Ok(DeviceTopic::Telemetry { mut properties, .. }) = will.topic.parse()
        {
            properties.insert("iothub-MessageType", Some("Will".into()));
            hub.receive(&device_id, &will.message, properties, false);
        }
        hub.depart(&device_id, connection_id, reason);
    }
}
