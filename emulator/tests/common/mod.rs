//! A device made of a real MQTT client, and a lab with everything it needs.
#![allow(dead_code, unreachable_pub, reason = "every test file uses its own part")]
#![allow(clippy::panic, reason = "helpers of tests are not marked as tests")]

pub mod amqp;
pub mod issuing;
pub mod five;
pub mod https;
pub mod receiver;
pub mod sasl;
pub mod service;
pub mod tpm;
pub mod websocket;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, Incoming, LastWill, MqttOptions,
    NetworkOptions, Outgoing, QoS, TlsConfiguration, Transport,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SingleCertAndKey},
};
use serde_json::{Value, json};
use tracker_emulator::{
    AttestationMechanism, DisconnectReason, Emulator, EnrollmentGroup, EventKind, InitialTwin, Subscription,
    pki::{CertificateAuthority, DeviceCredentials, Validity},
};

/// Nothing on loopback takes longer unless it never comes.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const HUB: &str = "hub-1.azure-devices.net";

/// An emulator with a PKI and a group on the intermediate CA, below a verified root.
pub struct Lab {
    pub emulator: Emulator,
    pub root: CertificateAuthority,
    pub factory: CertificateAuthority,
}

impl Lab {
    pub async fn start() -> Self {
        Self::with(
            Emulator::builder().dps_timing(Duration::ZERO, Duration::ZERO).start().await.expect("it starts"),
        )
    }

    pub fn with(emulator: Emulator) -> Self {
        let root = CertificateAuthority::root("lab root", Validity::always()).expect("a root");
        let factory = root.intermediate("lab factory", Validity::always()).expect("an intermediate");
        let dps = emulator.dps();
        dps.certificates().upload_verified("lab-root", &root.certificate_pem()).expect("a CA certificate");
        let attestation = AttestationMechanism::signing_certificate(factory.certificate_pem());
        let mut group = EnrollmentGroup::new("trackers", attestation);
        group.terms.initial_twin = Some(InitialTwin::new(
            json!({"environment": "lab"}),
            json!({"telemetryInterval": 5, "firmware": "1.0.0"}),
        ));
        dps.groups().create(group).expect("a group");
        Self { emulator, root, factory }
    }

    pub fn credentials(&self, registration_id: &str) -> DeviceCredentials {
        self.factory.device(registration_id, Validity::always()).expect("a leaf")
    }

    /// The parameters of a connection of this device to DPS.
    pub fn to_dps(&self, registration_id: &str, credentials: &DeviceCredentials) -> Dial {
        let scope = self.emulator.id_scope();
        Dial {
            client_id: registration_id.to_owned(),
            user_name: Some(format!("{scope}/registrations/{registration_id}/api-version=2019-03-31")),
            ..Dial::new(&self.emulator, Some(credentials))
        }
    }

    /// The parameters of a connection of this device to its hub.
    pub fn to_hub(&self, device_id: &str, credentials: &DeviceCredentials) -> Dial {
        Dial {
            client_id: device_id.to_owned(),
            user_name: Some(format!("{HUB}/{device_id}/?api-version=2021-04-12")),
            ..Dial::new(&self.emulator, Some(credentials))
        }
    }

    /// Registers a device and gives the last answer of DPS: status and body.
    pub async fn register(&self, registration_id: &str, credentials: &DeviceCredentials) -> (u16, Value) {
        let mut client = self.to_dps(registration_id, credentials).connect().await.expect("DPS lets in");
        let answer = register_on(&mut client, registration_id).await;
        client.disconnect().await;
        answer
    }

    /// Registers a device, which has to be assigned, and connects it to its hub.
    pub async fn online(&self, device_id: &str) -> Client {
        let credentials = self.credentials(device_id);
        let (status, body) = self.register(device_id, &credentials).await;
        assert_eq!((status, &body["status"]), (200, &json!("assigned")), "{body}");
        self.to_hub(device_id, &credentials).connect().await.expect("the hub lets in")
    }
}

/// Registers over a connection and polls to the end.
pub async fn register_on(client: &mut Client, registration_id: &str) -> (u16, Value) {
    register_with(client, &json!({"registrationId": registration_id}).to_string()).await
}

/// Registers with this body and polls to the end.
pub async fn register_with(client: &mut Client, body: &str) -> (u16, Value) {
    client.subscribe("$dps/registrations/res/#").await;
    let topic = "$dps/registrations/PUT/iotdps-register/?$rid=1";
    client.publish(topic, body).await;
    let (mut status, mut body) = client.dps_answer().await;
    let mut rid = 1;
    while status == 202 {
        rid += 1;
        let operation = body["operationId"].as_str().expect("an operation id").to_owned();
        let topic = "$dps/registrations/GET/iotdps-get-operationstatus/";
        client.publish(&format!("{topic}?$rid={rid}&operationId={operation}"), " ").await;
        (status, body) = client.dps_answer().await;
    }
    (status, body)
}

/// What a connection is made with.
pub struct Dial {
    pub port: u16,
    pub client_id: String,
    pub user_name: Option<String>,
    pub password: String,
    pub tls: Arc<ClientConfig>,
    /// Without TLS: to a [`websocket::Bridge`].
    pub is_plain: bool,
    pub keep_alive: Duration,
    pub clean_session: bool,
    pub will: Option<LastWill>,
}

impl Dial {
    pub fn new(emulator: &Emulator, credentials: Option<&DeviceCredentials>) -> Self {
        Self {
            port: emulator.port(),
            client_id: String::new(),
            user_name: None,
            password: String::new(),
            tls: tls(emulator, credentials, rustls::DEFAULT_VERSIONS),
            is_plain: false,
            keep_alive: Duration::from_mins(1),
            clean_session: true,
            will: None,
        }
    }

    /// Connects; an error is what the client makes of a refusal.
    pub async fn connect(self) -> Result<Client, ConnectionError> {
        let mut options = MqttOptions::new(self.client_id, "localhost", self.port);
        options.set_keep_alive(self.keep_alive);
        options.set_clean_session(self.clean_session);
        options.set_max_packet_size(1024 * 1024, 1024 * 1024);
        if let Some(will) = self.will {
            options.set_last_will(will);
        }
        if let Some(user_name) = self.user_name {
            options.set_credentials(user_name, self.password);
        }
        options.set_transport(if self.is_plain {
            Transport::Tcp
        } else {
            Transport::Tls(TlsConfiguration::Rustls(self.tls))
        });
        let (sender, mut event_loop) = AsyncClient::new(options, 100);
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(PATIENCE.as_secs());
        event_loop.set_network_options(network);
        loop {
            if let Event::Incoming(Incoming::ConnAck(ack)) = poll(&mut event_loop).await? {
                assert_eq!(ack.code, ConnectReturnCode::Success);
                let session_present = ack.session_present;
                return Ok(Client { sender, event_loop, inbox: VecDeque::new(), session_present });
            }
        }
    }

    /// Connects, expecting to be refused, and gives the return code.
    pub async fn refused(self) -> ConnectReturnCode {
        match self.connect().await {
            Err(ConnectionError::ConnectionRefused(code)) => code,
            Err(other) => panic!("no CONNACK but {other:?}"),
            Ok(_) => panic!("let in"),
        }
    }
}

/// The client side of TLS: trusts the emulator's CA alone, shows the credentials.
pub fn tls(
    emulator: &Emulator,
    credentials: Option<&DeviceCredentials>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(emulator.server_ca_pem().as_bytes()).expect("a PEM");
    roots.add(ca).expect("a CA certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions that ring has")
        .with_root_certificates(roots);
    Arc::new(match credentials {
        None => builder.with_no_client_auth(),
        Some(credentials) => {
            let chain = CertificateDer::pem_slice_iter(credentials.chain_pem.as_bytes())
                .collect::<Result<Vec<_>, _>>()
                .expect("a chain");
            let key = PrivateKeyDer::from_pem_slice(credentials.key_pem.as_bytes()).expect("a key");
            let key = any_supported_type(&key).expect("a key that ring has");
            // The usual way in would look at the certificate, and refuses those of version 1.
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
        }
    })
}

async fn poll(event_loop: &mut EventLoop) -> Result<Event, ConnectionError> {
    tokio::time::timeout(PATIENCE, event_loop.poll()).await.expect("something happens in time")
}

/// A connected device.
pub struct Client {
    pub sender: AsyncClient,
    pub event_loop: EventLoop,
    inbox: VecDeque<(String, Vec<u8>)>,
    pub session_present: bool,
}

impl Client {
    /// Publishes at `QoS` 1 and waits for the acknowledgement.
    pub async fn publish(&mut self, topic: &str, body: impl Into<Vec<u8>>) {
        self.sender.publish(topic, QoS::AtLeastOnce, false, body).await.expect("room");
        self.until(|event| matches!(event, Event::Incoming(Incoming::PubAck(_)))).await;
    }

    /// Hands a publish to the client and does not wait.
    pub async fn publish_blindly(&mut self, topic: &str, qos: QoS, body: impl Into<Vec<u8>>) {
        self.sender.publish(topic, qos, false, body).await.expect("room");
    }

    pub async fn subscribe(&mut self, filter: &str) {
        self.sender.subscribe(filter, QoS::AtLeastOnce).await.expect("room");
        self.until(|event| matches!(event, Event::Incoming(Incoming::SubAck(_)))).await;
    }

    /// The next message from the cloud: topic and body.
    pub async fn message(&mut self) -> (String, Vec<u8>) {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                return message;
            }
            self.step().await.expect("still connected");
        }
    }

    /// The next message from the cloud with its body as JSON.
    pub async fn json_message(&mut self) -> (String, Value) {
        let (topic, body) = self.message().await;
        let body = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{topic}: {error}"));
        (topic, body)
    }

    /// The next answer of DPS: status and body.
    pub async fn dps_answer(&mut self) -> (u16, Value) {
        let (topic, body) = self.json_message().await;
        let status = topic.strip_prefix("$dps/registrations/res/").and_then(|rest| rest.split('/').next());
        (status.and_then(|status| status.parse().ok()).expect("a status in the topic"), body)
    }

    /// Runs until the connection ends.
    pub async fn ended(&mut self) -> ConnectionError {
        loop {
            if let Err(error) = self.step().await {
                return error;
            }
        }
    }

    /// Says goodbye.
    pub async fn disconnect(mut self) {
        self.sender.disconnect().await.expect("room");
        self.until(|event| matches!(event, Event::Outgoing(Outgoing::Disconnect))).await;
    }

    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) {
        while !wanted(&self.step().await.expect("still connected")) {}
    }

    async fn step(&mut self) -> Result<Event, ConnectionError> {
        let event = poll(&mut self.event_loop).await?;
        if let Event::Incoming(Incoming::Publish(publish)) = &event {
            self.inbox.push_back((publish.topic.clone(), publish.payload.to_vec()));
        }
        Ok(event)
    }
}

/// Waits for an event of a kind.
pub async fn event<T>(
    events: &mut Subscription<tracker_emulator::Event>,
    pick: impl Fn(&EventKind) -> Option<T>,
) -> T {
    let wait = async {
        loop {
            let event = events.next().await.expect("events are kept");
            if let Some(picked) = pick(&event.kind) {
                return picked;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the event comes in time")
}

/// Waits for the end of a device's connection to its hub.
pub async fn disconnection(events: &mut Subscription<tracker_emulator::Event>) -> DisconnectReason {
    event(events, |kind| match kind {
        EventKind::DeviceDisconnected { reason, .. } => Some(reason.clone()),
        _ => None,
    })
    .await
}

/// A certificate signing request for a new key: base64 of DER, and what the device presents with an issued chain.
pub struct Csr {
    pub base64: String,
    key_pem: String,
}

impl Csr {
    pub fn new(common_name: &str) -> Self {
        Self::with(common_name, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub fn with(common_name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.remove(rcgen::DnType::CommonName);
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        let request = params.serialize_request(&key).expect("a request");
        Self { base64: STANDARD.encode(request.der()), key_pem: key.serialize_pem() }
    }

    /// What was issued for it, as a device presents it; `length` certificates of the chain.
    pub fn credentials(&self, chain: &Value, length: usize) -> DeviceCredentials {
        let texts = chain.as_array().expect("a chain").iter().take(length);
        let pem: Vec<_> = texts.map(|text| pem(text.as_str().expect("base64"))).collect();
        DeviceCredentials {
            certificate_pem: pem[0].clone(),
            chain_pem: pem.concat(),
            key_pem: self.key_pem.clone(),
        }
    }
}

/// A certificate of an issued chain in PEM.
pub fn pem(base64: &str) -> String {
    STANDARD.decode(base64).expect("base64 on one line");
    tracker_certificates::certificate_pem(base64)
}
