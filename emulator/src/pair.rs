//! The services driven by hand, for tests that let a device and its cloud live through days in a moment: no sockets, no
//! runtime, and no time but that of a [`ManualClock`]. No part of the API.
//!
//! ```
//! # use tracker_emulator::{AttestationMechanism, EnrollmentGroup, pair::{Cloud, Dial, Received}, pki};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let root = pki::CertificateAuthority::root("lab root", pki::Validity::always())?;
//! # let device = root.device("d1", pki::Validity::always())?;
//! let cloud = Cloud::new(chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000))?;
//! # cloud.dps().certificates().upload_verified("root", &root.certificate_pem())?;
//! # let attestation = AttestationMechanism::ca_reference("root");
//! cloud.dps().groups().create(EnrollmentGroup::new("trackers", attestation))?;
//! let mut client = cloud.connect(&Dial::to_dps(&cloud, "d1", &device.chain_pem))?;
//! client.subscribe("$dps/registrations/res/#")?;
//! client.publish("$dps/registrations/PUT/iotdps-register/?$rid=1", br#"{"registrationId":"d1"}"#)?;
//! let received = client.receive()?;
//! assert!(received.iter().any(|item| matches!(item, Received::Message { .. })));
//! cloud.clock().advance(chrono::TimeDelta::hours(6));
//! # Ok(())
//! # }
//! ```

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use thiserror::Error;
use tokio::time::Instant;

use crate::{
    clock::{Clock as _, ManualClock},
    dps::{Dps, RegistrationSession},
    events::{DisconnectReason, Event, EventBus},
    faults::Faults,
    front::{self, open},
    hub::{DeviceSession, DirectMethod, Hub, HubError, MethodCall as Call, MethodResult},
    mqtt::{Connect, Packet, PacketId, Publish, QoS},
    options::EmulatorOptions,
    services::{Services, StartError},
    session::{Service, Session},
    state::Kept,
    subscription::Subscription,
};

/// DPS and its hubs without ports. It does nothing by itself: clients are driven by their owner, time by its clock.
pub struct Cloud {
    clock: Arc<ManualClock>,
    /// The moment and the time of the clock at which it was made: other moments are told by the difference.
    base: (Instant, DateTime<Utc>),
    dps: Dps,
    events: EventBus,
    faults: Faults,
}

/// A connection was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("CONNACK {code}: {reason}")]
pub struct ConnectRefused {
    /// The return code of the CONNACK.
    pub code: u8,
    /// For the operator.
    pub reason: String,
}

/// The connection is over.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("disconnected: {0}")]
pub struct Disconnected(pub DisconnectReason);

/// What a client connects with.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The client identifier.
    pub client_id: String,
    /// As DPS or a hub wants it.
    pub user_name: String,
    /// A shared access signature, of devices with symmetric keys.
    pub password: Option<String>,
    /// The certificates presented, leaf first; the key is taken to be there.
    pub chain_pem: String,
    /// False keeps subscriptions for the next connection.
    pub clean_session: bool,
}

impl Dial {
    /// To DPS, with a certificate.
    pub fn to_dps(cloud: &Cloud, registration_id: &str, chain_pem: &str) -> Self {
        let scope = cloud.dps.id_scope();
        Self {
            client_id: registration_id.to_owned(),
            user_name: format!("{scope}/registrations/{registration_id}/api-version=2019-03-31"),
            password: None,
            chain_pem: chain_pem.to_owned(),
            clean_session: true,
        }
    }

    /// To a hub, by its host name in full, with a certificate.
    pub fn to_hub(hub: &str, device_id: &str, chain_pem: &str) -> Self {
        Self {
            client_id: device_id.to_owned(),
            user_name: format!("{hub}/{device_id}/?api-version=2021-04-12"),
            password: None,
            chain_pem: chain_pem.to_owned(),
            clean_session: true,
        }
    }
}

impl Cloud {
    /// A DPS and one hub, `hub-1`, at this time. DPS assigns at once and asks for a second between polls.
    pub fn new(now: DateTime<Utc>) -> Result<Self, StartError> {
        let options = EmulatorOptions {
            retry_after: Duration::from_secs(1),
            assigning_time: Duration::ZERO,
            ..EmulatorOptions::default()
        };
        Self::with(now, &options)
    }

    /// The services of these options at this time; ports and directories do not count.
    pub fn with(now: DateTime<Utc>, options: &EmulatorOptions) -> Result<Self, StartError> {
        let clock = Arc::new(ManualClock::new(now));
        let Services { dps, events, faults, .. } =
            Services::new(options, Arc::clone(&clock) as _, Kept::default())?;
        Ok(Self { clock, base: (Instant::now(), now), dps, events, faults })
    }

    /// The time of it all: certificates, records, and the waits of the protocols.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The service side of DPS.
    pub fn dps(&self) -> &Dps {
        &self.dps
    }

    /// The service side of a hub, by its host name or the first label of it.
    pub fn hub(&self, name: &str) -> Option<Hub> {
        self.dps.hub(name)
    }

    /// Misbehaviour on request.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What happens from now on.
    pub fn events(&self) -> Subscription<Event> {
        self.events.subscribe()
    }

    /// Lets a client connect.
    pub fn connect(&self, dial: &Dial) -> Result<Client, ConnectRefused> {
        let presented: Vec<_> =
            CertificateDer::pem_slice_iter(dial.chain_pem.as_bytes()).filter_map(Result::ok).collect();
        let connect = Connect {
            protocol_level: 4,
            clean_session: dial.clean_session,
            keep_alive: 0,
            client_id: dial.client_id.clone(),
            will: None,
            user_name: Some(dial.user_name.clone()),
            password: dial.password.clone().map(Into::into),
            options: None,
        };
        match open(&self.dps, connect, &presented) {
            Ok(client) => Ok(Client {
                clock: Arc::clone(&self.clock),
                base: self.base,
                link: Some(match client {
                    front::Client::Dps(service) => Link::Dps(Session::new(service)),
                    front::Client::Hub(service) => Link::Hub(Session::new(service)),
                }),
                packets: Vec::new(),
                last_id: 0,
            }),
            Err(refused) => {
                let (code, reason) = (refused.code as u8, refused.reason.clone());
                self.events.tell(refused.event());
                Err(ConnectRefused { code, reason })
            }
        }
    }
}

/// Calls a method of a connected device; its client finds the call among what it receives.
pub fn call_method(hub: &Hub, device_id: &str, method: &DirectMethod) -> Result<MethodCall, HubError> {
    hub.begin_call(device_id, method).map(MethodCall)
}

/// A method call under way.
#[derive(Debug)]
pub struct MethodCall(Call);

impl MethodCall {
    /// What came of it, once; `None` while the device has not answered. There is no timeout.
    pub fn outcome(&mut self) -> Option<Result<MethodResult, HubError>> {
        self.0.outcome()
    }
}

/// What a client gets from its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A PUBLISH; one of `QoS` 1 is acknowledged by being handed out.
    Message {
        /// Its topic.
        topic: String,
        /// Its body.
        payload: Vec<u8>,
    },
    /// The PUBLISH of this packet identifier is acknowledged.
    Acknowledged(u16),
}

enum Link {
    Dps(Session<RegistrationSession>),
    Hub(Session<DeviceSession>),
}

/// A connected client. Dropping it loses the connection.
pub struct Client {
    clock: Arc<ManualClock>,
    base: (Instant, DateTime<Utc>),
    link: Option<Link>,
    /// From the service, not yet received.
    packets: Vec<Packet>,
    last_id: u16,
}

impl Client {
    /// Subscribes at `QoS` 1.
    pub fn subscribe(&mut self, filter: &str) -> Result<(), Disconnected> {
        let packet_id = self.next_id();
        self.send(Packet::Subscribe { packet_id, filters: vec![(filter.to_owned(), QoS::AtLeastOnce)] })
    }

    /// Publishes at `QoS` 1; gives the packet identifier.
    pub fn publish(&mut self, topic: &str, payload: &[u8]) -> Result<u16, Disconnected> {
        let packet_id = self.next_id();
        let publish = Publish {
            qos: QoS::AtLeastOnce,
            packet_id: Some(packet_id),
            ..Publish::new(topic, payload.to_vec())
        };
        self.send(Packet::Publish(publish)).map(|()| packet_id.get())
    }

    /// What the service has sent until now, in order.
    pub fn receive(&mut self) -> Result<Vec<Received>, Disconnected> {
        self.drive(None)?;
        let mut received = Vec::new();
        for packet in std::mem::take(&mut self.packets) {
            match packet {
                Packet::Publish(publish) => {
                    let Publish { topic, payload, packet_id, .. } = publish;
                    received.push(Received::Message { topic, payload: payload.into() });
                    if let Some(id) = packet_id {
                        self.send(Packet::PubAck(id))?;
                    }
                }
                Packet::PubAck(id) => received.push(Received::Acknowledged(id.get())),
                _ => {}
            }
        }
        Ok(received)
    }

    /// When something comes of time alone: a packet or an acknowledgement that a fault delays.
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        let now = self.now();
        let due = match self.link.as_ref()? {
            Link::Dps(session) => session.due(now),
            Link::Hub(session) => session.due(now),
        }?;
        let (moment, time) = self.base;
        Some(time + due.saturating_duration_since(moment))
    }

    /// Says goodbye.
    pub fn disconnect(mut self) {
        self.end(DisconnectReason::Disconnect);
    }

    fn send(&mut self, packet: Packet) -> Result<(), Disconnected> {
        self.drive(Some(packet))
    }

    fn drive(&mut self, packet: Option<Packet>) -> Result<(), Disconnected> {
        let now = self.now();
        let went_on = match &mut self.link {
            Some(Link::Dps(session)) => drive(session, now, packet, &mut self.packets),
            Some(Link::Hub(session)) => drive(session, now, packet, &mut self.packets),
            None => Err(DisconnectReason::ConnectionLost("it is over".into())),
        };
        went_on.map_err(|reason| {
            self.end(reason.clone());
            Disconnected(reason)
        })
    }

    fn end(&mut self, reason: DisconnectReason) {
        match self.link.take() {
            Some(Link::Dps(session)) => session.service.ended(reason),
            Some(Link::Hub(session)) => session.service.ended(reason),
            None => {}
        }
    }

    fn now(&self) -> Instant {
        let (moment, time) = self.base;
        moment + (self.clock.now() - time).to_std().unwrap_or_default()
    }

    fn next_id(&mut self) -> PacketId {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        PacketId::new(self.last_id).unwrap_or(PacketId::MIN)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end(DisconnectReason::ConnectionLost("the client is gone".into()));
    }
}

/// One turn of the session loop, without waiting.
fn drive<V: Service>(
    session: &mut Session<V>,
    now: Instant,
    packet: Option<Packet>,
    out: &mut Vec<Packet>,
) -> Result<(), DisconnectReason> {
    while session.due(now).is_some_and(|due| due <= now) {
        session.pass_time(now, out)?;
    }
    while let Some(push) = session.service.push_at_hand()? {
        session.push(now, push, out);
    }
    if let Some(packet) = packet {
        session.receive(now, packet, out)?;
    }
    session.deliver(now, out);
    Ok(())
}
