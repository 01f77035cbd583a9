//! A device of a hub of MQTT 5, on the codec of `rumqttc`: not the emulator's.

use std::sync::Arc;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::{
    Error, QoS,
    v5::{
        Connect, ConnectProperties, Filter, LastWill, Login, Packet, PubAck, Publish, PublishProperties,
        Subscribe,
    },
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_emulator::pki::DeviceCredentials;
use tracker_protocol::hub_v5::{
    Birth, CONTENT_TYPE, Channel, CloudMessage, ConnectUsername, Correlation, DeviceMessage, Direction,
    Received, TYPE_PROPERTY, Topic, device_filter,
};

use super::{Lab, PATIENCE, tls};

pub const HUB_5: &str = "hub-5.device.azure-devices.net";

pub struct Device {
    stream: TlsStream<TcpStream>,
    inbox: BytesMut,
    pub id: String,
    pub nonce: Correlation,
    last_id: u16,
}

/// What a connection is made with; each test changes what it is about.
pub struct Five {
    pub server_name: &'static str,
    pub user_name: String,
    pub password: String,
    pub clean_start: bool,
    pub keep_alive: u16,
    pub properties: ConnectProperties,
    pub will: Option<LastWill>,
}

impl Five {
    pub fn new(nonce: Correlation) -> Self {
        let user_name = ConnectUsername { correlation: nonce, client_version: Some("test/1".into()) };
        Self {
            server_name: HUB_5,
            user_name: user_name.to_string(),
            password: String::new(),
            clean_start: true,
            keep_alive: 30,
            properties: ConnectProperties::new(),
            will: None,
        }
    }
}

impl Device {
    /// Connects as far as TLS and sends CONNECT.
    pub async fn dial(lab: &Lab, id: &str, credentials: &DeviceCredentials, five: Five) -> Self {
        let stream = TcpStream::connect(lab.emulator.address()).await.expect("a connection");
        let config = tls(&lab.emulator, Some(credentials), rustls::DEFAULT_VERSIONS);
        let name = ServerName::try_from(five.server_name).expect("a name");
        let stream = TlsConnector::from(Arc::clone(&config)).connect(name, stream).await.expect("TLS");
        let nonce =
            five.user_name.parse().map_or(Correlation([0; 16]), |name: ConnectUsername| name.correlation);
        let mut device = Self { stream, inbox: BytesMut::new(), id: id.to_owned(), nonce, last_id: 0 };
        let connect = Connect {
            keep_alive: five.keep_alive,
            client_id: id.to_owned(),
            clean_start: five.clean_start,
            properties: Some(five.properties),
        };
        let login = Login { username: five.user_name, password: five.password };
        device.send(Packet::Connect(connect, five.will, Some(login))).await;
        device
    }

    /// Connects, subscribes and is born.
    pub async fn online(lab: &Lab, id: &str, credentials: &DeviceCredentials) -> Self {
        let mut device = Self::dial(lab, id, credentials, Five::new(Correlation(rand::random()))).await;
        device.subscribe().await;
        device.birth(Birth::default()).await;
        assert!(matches!(device.next().await, Packet::ConnAck(_)));
        assert!(matches!(device.next().await, Packet::SubAck(_)));
        let (message, _) = device.message().await;
        assert!(matches!(message, CloudMessage::BirthAck(_)), "{message:?}");
        device
    }

    pub async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).expect("it has a form");
        self.send_bytes(&bytes).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
    }

    pub async fn subscribe(&mut self) {
        let filter = Filter::new(device_filter(&self.id), QoS::AtLeastOnce);
        self.subscribe_to(filter).await;
    }

    pub async fn subscribe_to(&mut self, filter: Filter) {
        let pkid = self.next_id();
        self.send(Packet::Subscribe(Subscribe { pkid, ..Subscribe::new(filter, None) })).await;
    }

    pub async fn birth(&mut self, birth: Birth) {
        self.say(DeviceMessage::Birth(birth), self.nonce).await;
    }

    pub async fn say(&mut self, message: DeviceMessage, correlation: Correlation) {
        let channel = message.channel();
        let properties = PublishProperties {
            correlation_data: Some(correlation.0.to_vec().into()),
            content_type: Some(CONTENT_TYPE.into()),
            user_properties: vec![(TYPE_PROPERTY.into(), message.type_name().into())],
            ..PublishProperties::default()
        };
        self.publish(&self.topic(channel), channel.qos(), message.payload(), properties).await;
    }

    pub fn topic(&self, channel: Channel) -> String {
        Topic { device_id: self.id.clone(), direction: Direction::ToService, channel }.to_string()
    }

    /// Publishes; gives the packet identifier.
    pub async fn publish(
        &mut self,
        topic: &str,
        qos: u8,
        payload: Vec<u8>,
        properties: PublishProperties,
    ) -> u16 {
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos)];
        let pkid = if qos == QoS::AtMostOnce { 0 } else { self.next_id() };
        let publish = Publish { pkid, ..Publish::new(topic, qos, payload, Some(properties)) };
        self.send(Packet::Publish(publish)).await;
        pkid
    }

    /// The next packet; whatever is published with `QoS` 1 is acknowledged.
    pub async fn next(&mut self) -> Packet {
        let packet = self.next_unacknowledged().await.expect("a packet");
        if let Packet::Publish(publish) = &packet
            && publish.pkid != 0
        {
            self.send(Packet::PubAck(PubAck::new(publish.pkid, None))).await;
        }
        packet
    }

    /// The next packet; `None` when the connection is closed.
    pub async fn next_unacknowledged(&mut self) -> Option<Packet> {
        loop {
            match Packet::read(&mut self.inbox, None) {
                Ok(packet) => return Some(packet),
                Err(Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("the emulator's bytes are no packet: {error:?}"),
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.inbox)).await;
            match read.expect("something comes") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Bytes as they come.
    pub async fn read_exactly(&mut self, bytes: &mut [u8]) {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_exact(bytes)).await;
        read.expect("something comes").expect("all of it");
    }

    /// The next message of the hub, acknowledgements passed over.
    pub async fn message(&mut self) -> (CloudMessage, Correlation) {
        loop {
            if let Packet::Publish(publish) = self.next().await {
                return read(&publish);
            }
        }
    }

    fn next_id(&mut self) -> u16 {
        self.last_id += 1;
        self.last_id
    }
}

pub fn read(publish: &Publish) -> (CloudMessage, Correlation) {
    let topic: Topic =
        std::str::from_utf8(&publish.topic).expect("text").parse().expect("a topic of such a hub");
    let properties = publish.properties.clone().unwrap_or_default();
    assert_eq!(properties.content_type.as_deref(), Some(CONTENT_TYPE));
    let received = Received {
        channel: topic.channel,
        type_name: properties.user_properties.first().map(|(_, value)| value.as_str()),
        correlation: properties.correlation_data.as_deref(),
        payload: &publish.payload,
    };
    let envelope = CloudMessage::read(received).expect("readable").expect("known");
    (envelope.message, envelope.correlation)
}
