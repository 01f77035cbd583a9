//! The cloud's end: the emulator's services without sockets, with a client for every connection.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use tracker_emulator::pair::{Client, Cloud, Dial, Received};
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_emulator::{
    AttestationMechanism, EmulatorOptions, EnrollmentGroup, Fault, FaultKind, FaultyService, Hub,
};
use tracker_protocol::Publish;
use tracker_protocol::hub::without_dollar;

use super::wire::{ConnectionId, Packet, Peer};

/// Registration and device ID.
pub const DEVICE: &str = "tracker-1";
/// The enrollment group that the device is in.
pub const GROUP: &str = "trackers";

/// The cloud's end of all connections.
pub struct CloudEnd {
    /// The services.
    pub services: Cloud,
    /// What is to be sent.
    pub outbox: Vec<(ConnectionId, Packet)>,
    began: DateTime<Utc>,
    chain: String,
    clients: BTreeMap<ConnectionId, Client>,
    injected: u32,
}

/// The root's and the device's certificates; they are made once, because nothing here depends on them.
fn certificates() -> &'static (String, String) {
    static MADE: OnceLock<(String, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let root = CertificateAuthority::root("root", Validity::always()).unwrap();
        (root.certificate_pem(), root.device(DEVICE, Validity::always()).unwrap().chain_pem)
    })
}

impl CloudEnd {
    /// A DPS with a hub and an enrollment group for the device.
    pub fn new(options: &EmulatorOptions) -> Self {
        let began = "2026-03-01T00:00:00Z".parse().unwrap();
        let services = Cloud::with(began, options).unwrap();
        let (root, chain) = certificates().clone();
        services.dps().certificates().upload_verified("root", &root).unwrap();
        let group = EnrollmentGroup::new(GROUP, AttestationMechanism::ca_reference("root"));
        services.dps().groups().create(group).unwrap();
        Self { services, outbox: Vec::new(), began, chain, clients: BTreeMap::new(), injected: 0 }
    }

    /// Sets the clock.
    pub fn set_time(&self, now: Duration) {
        self.services.clock().set(self.began + TimeDelta::from_std(now).unwrap());
    }

    /// A packet has arrived.
    pub fn receive(&mut self, connection: ConnectionId, packet: Packet) {
        let went_on = match (packet, self.clients.get_mut(&connection)) {
            (Packet::Connect(peer), None) => return self.connect(connection, peer),
            (Packet::Subscribe(filters), Some(client)) => {
                let subscribed = filters.iter().try_for_each(|filter| client.subscribe(filter));
                self.outbox.push((connection, Packet::Subscribed));
                subscribed
            }
            (Packet::Publish(publish), Some(client)) => {
                client.publish(&publish.topic, &publish.payload).map(|_| ())
            }
            (Packet::Close, Some(_)) => {
                self.clients.remove(&connection).unwrap().disconnect();
                return;
            }
            // For a connection that is over.
            (_, None) => return,
            (other, Some(_)) => panic!("a device that sends {other:?}"),
        };
        if went_on.is_err() {
            self.close(connection);
        }
    }

    fn connect(&mut self, connection: ConnectionId, peer: Peer) {
        let dial = match peer {
            Peer::Dps => Dial::to_dps(&self.services, DEVICE, &self.chain),
            Peer::Hub(host) => Dial::to_hub(&host, DEVICE, &self.chain),
        };
        let answer = match self.services.connect(&dial) {
            Ok(client) => {
                self.clients.insert(connection, client);
                Packet::Accepted
            }
            Err(refused) => Packet::Refused(refused.code),
        };
        self.outbox.push((connection, answer));
    }

    fn close(&mut self, connection: ConnectionId) {
        self.clients.remove(&connection);
        self.outbox.push((connection, Packet::Close));
    }

    /// The cloud finds that a connection is dead.
    pub fn lose(&mut self, connection: ConnectionId) {
        self.clients.remove(&connection);
    }

    /// Takes from the services what they have to say.
    pub fn poll(&mut self) {
        let mut ended = Vec::new();
        for (connection, client) in &mut self.clients {
            let Ok(received) = client.receive() else {
                ended.push(*connection);
                continue;
            };
            for item in received {
                if let Received::Message { topic, payload } = item {
                    self.outbox.push((*connection, Packet::Publish(Publish { topic, payload })));
                }
            }
        }
        for connection in ended {
            self.close(connection);
        }
    }

    /// The connections that the cloud believes in.
    pub fn connections(&self) -> Vec<ConnectionId> {
        self.clients.keys().copied().collect()
    }

    /// The hub that has the device and lets it in, or has it at least.
    pub fn home(&self) -> Option<Hub> {
        self.services.dps().hubs().into_iter().find(|hub| hub.device(DEVICE).is_ok())
    }

    /// Version and content of the desired properties, and the reported ones.
    pub fn twin(&self) -> (u64, Map<String, Value>, Map<String, Value>) {
        let twin = self.home().expect("the device is at a hub").twin(DEVICE).unwrap();
        let version = twin.desired_version();
        (version, without_dollar(twin.properties.desired), without_dollar(twin.properties.reported))
    }

    /// Has the operator merge a change into the desired properties.
    pub fn desire(&self, patch: Value) -> u64 {
        self.home().expect("the device is at a hub").update_twin_desired(DEVICE, patch).unwrap()
    }

    /// Misbehaviour, so many times.
    pub fn inject(&mut self, service: FaultyService, kind: FaultKind, times: u32) {
        self.injected += times;
        self.services.faults().inject(Fault { service, device: None, kind, times: Some(times) });
    }

    /// A hub takes the device no more, so that it asks DPS where it belongs; every other hub does again. The operator does not
    /// disable it: it would stay so wherever it went.
    pub fn turn_away(&self, hub: &Hub) {
        let faults = self.services.faults();
        for (id, _) in faults.list().into_iter().filter(|(_, fault)| fault.times.is_none()) {
            faults.clear(id);
        }
        let service = FaultyService::Hub(hub.name().into());
        let kind = FaultKind::RefuseConnect { code: 5 };
        faults.inject(Fault { service, device: None, kind, times: None });
        hub.drop_connection(DEVICE).unwrap();
    }

    /// How often the faults in force will still strike.
    pub fn faults_left(&self) -> u32 {
        self.services.faults().list().iter().filter_map(|(_, fault)| fault.times).sum()
    }

    /// How often faults have struck.
    pub fn faults_struck(&self) -> u32 {
        self.injected - self.faults_left()
    }
}
