//! A hub of MQTT 5 that does what a test wants it to: TLS, and as much of the profile as an agent needs.

use std::collections::VecDeque;
use std::path::Path;

use container_tracker::config::Config;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tracker_protocol::hub::merge;
use tracker_protocol::hub_v5::{
    BirthAck, Channel, CloudMessage, ConnectUsername, Correlation, DeviceMessage, Envelope, Received,
    ReportedPatchResponse, ReportedResult, Section, Topic, TwinGetResponse, TwinPush,
};

use super::agent::{Agent, PATIENCE};
use super::odd_hub::OddHub;

/// The hub, and one connection to it.
pub struct OddHubV5 {
    hub: OddHub,
    /// What the twin has.
    pub desired: Map<String, Value>,
    pub reported: Map<String, Value>,
    /// Of the desired and of the reported section.
    pub versions: (u64, u64),
    /// Properties of CONNACK.
    pub welcome: Vec<u8>,
    /// Codes with which the next readings are acknowledged; then all are taken.
    pub codes: VecDeque<u8>,
    /// Births that are not answered.
    pub deaf: u32,
    /// Readings that are not acknowledged yet, and most of them at one time; `None`: each is at once.
    pub open: Option<Vec<[u8; 2]>>,
    pub most_open: usize,
    /// The user name of the last CONNECT, and the nonce in it.
    pub username: String,
    nonce: Correlation,
}

/// What a device has published.
#[derive(Debug)]
pub enum Published {
    Reading(Reading),
    Message(Envelope<DeviceMessage>),
}

/// A message with readings.
#[derive(Debug, Clone)]
pub struct Reading {
    pub body: Value,
    pub content_type: Option<String>,
    pub is_text: bool,
    pub user: Vec<(String, String)>,
    /// The code that acknowledged it.
    pub code: u8,
}

impl Reading {
    /// Sequence numbers.
    pub fn seqs(&self) -> Vec<u64> {
        let one = |body: &Value| body["seq"].as_u64().unwrap();
        self.body.as_array().map_or_else(|| vec![one(&self.body)], |all| all.iter().map(one).collect())
    }
}

impl OddHubV5 {
    /// Listens, and makes this configuration's hub be here.
    pub async fn listen(config: &mut Config, directory: &Path, interval: u32) -> Self {
        let hub = OddHub::listen(config, directory, Value::Null).await;
        let desired = json!({"telemetryInterval": interval}).as_object().unwrap().clone();
        Self {
            hub,
            desired,
            reported: Map::new(),
            versions: (1, 1),
            welcome: Vec::new(),
            codes: VecDeque::new(),
            deaf: 0,
            open: None,
            most_open: 0,
            username: String::new(),
            nonce: Correlation([0; 16]),
        }
    }

    /// Takes a connection.
    pub async fn accept(&mut self, agent: &Agent) {
        self.hub.accept(agent).await;
    }

    /// Serves the connection until the device publishes what `wanted` finds.
    pub async fn serve_until<T>(&mut self, mut wanted: impl FnMut(&Published) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(published) = self.serve().await
                    && let Some(found) = wanted(&published)
                {
                    return found;
                }
            }
        };
        timeout(PATIENCE, search).await.expect("the device publishes it")
    }

    /// The next message with readings.
    pub async fn reading(&mut self) -> Reading {
        self.serve_until(|published| match published {
            Published::Reading(reading) => Some(reading.clone()),
            Published::Message(_) => None,
        })
        .await
    }

    async fn serve(&mut self) -> Option<Published> {
        let (first, packet) = self.hub.read().await;
        match first >> 4 {
            1 => {
                assert_eq!(packet[..7], *b"\0\x04MQTT\x05");
                // After keep-alive and properties: client ID, user name.
                let rest = &packet[11 + usize::from(packet[10])..];
                let (_, rest) = text(rest);
                self.username = text(rest).0;
                self.nonce = self.username.parse::<ConnectUsername>().unwrap().correlation;
                let properties = self.welcome.clone();
                let length = properties.len() as u8;
                self.hub.write(&[&[0x20, 3 + length, 0, 0, length][..], &properties].concat()).await;
            }
            8 => self.hub.write(&[0x90, 4, packet[0], packet[1], 0, 1]).await,
            12 => self.hub.write(&[0xd0, 0]).await,
            3 => return Some(self.published(first, &packet).await),
            14 => panic!("the device says goodbye"),
            _ => {}
        }
        None
    }

    async fn published(&mut self, first: u8, packet: &[u8]) -> Published {
        let (topic, mut rest) = text(packet);
        let channel = topic.parse::<Topic>().unwrap().channel;
        let qos = (first >> 1) & 3;
        assert_eq!(qos, channel.qos(), "{topic}");
        let mut id = None;
        if qos > 0 {
            id = Some([rest[0], rest[1]]);
            rest = &rest[2..];
        }
        let (properties, payload) = properties(rest);
        if channel == Channel::Telemetry {
            let code = self.codes.pop_front().unwrap_or(0);
            let id = id.unwrap();
            match &mut self.open {
                Some(open) => {
                    open.push(id);
                    self.most_open = self.most_open.max(open.len());
                }
                None => self.hub.write(&[0x40, 3, id[0], id[1], code]).await,
            }
            let body = serde_json::from_slice(payload).unwrap();
            let Properties { content_type, is_text, user, .. } = properties;
            return Published::Reading(Reading { body, content_type, is_text, user, code });
        }
        if let Some([high, low]) = id {
            self.hub.write(&[0x40, 2, high, low]).await;
        }
        assert_eq!(properties.content_type.as_deref(), Some("application/protobuf"));
        let type_name = properties.user.iter().find(|(name, _)| name == "type").map(|(_, value)| &**value);
        let correlation = properties.correlation.as_deref();
        let received = Received { channel, type_name, correlation, payload };
        let envelope = DeviceMessage::read(received).unwrap().unwrap();
        self.answer(&envelope).await;
        Published::Message(envelope)
    }

    async fn answer(&mut self, envelope: &Envelope<DeviceMessage>) {
        let correlation = envelope.correlation;
        let (desired_version, reported_version) = self.versions;
        let [desired, reported] = [&self.desired, &self.reported].map(|map| serde_json::to_vec(map).unwrap());
        match &envelope.message {
            DeviceMessage::Birth(_) if self.deaf > 0 => self.deaf -= 1,
            DeviceMessage::Birth(birth) => {
                assert_eq!(correlation, self.nonce);
                assert!(birth.push_desired && birth.push_reported && birth.desired_version == 0);
                let ack = BirthAck { desired_version, reported_version };
                self.send(correlation, &CloudMessage::BirthAck(ack), None).await;
                let push = TwinPush {
                    desired: Some(Section { version: desired_version, payload: desired }),
                    reported: Some(Section { version: reported_version, payload: reported }),
                };
                self.send(correlation, &CloudMessage::TwinPush(push), None).await;
            }
            DeviceMessage::Get(_) => {
                let response = TwinGetResponse {
                    desired_version,
                    reported_version,
                    desired_payload: Some(desired),
                    reported_payload: Some(reported),
                };
                self.send(correlation, &CloudMessage::GetResponse(response), None).await;
            }
            DeviceMessage::ReportedPatch(patch) => {
                let result = if patch.if_match == reported_version {
                    merge(&mut self.reported, &serde_json::from_slice(&patch.payload).unwrap());
                    self.versions.1 += 1;
                    ReportedResult::Ok
                } else {
                    ReportedResult::VersionMismatch
                };
                let response = ReportedPatchResponse { result: result.into(), version: self.versions.1 };
                self.send(correlation, &CloudMessage::ReportedPatchResponse(response), None).await;
            }
            _ => {}
        }
    }

    /// Publishes a push to the device, with the nonce of its birth.
    pub async fn push(&mut self, message: &CloudMessage) {
        self.send(self.nonce, message, None).await;
    }

    /// Publishes a message to the device, at the `QoS` of its kind.
    pub async fn send(&mut self, correlation: Correlation, message: &CloudMessage, expiry: Option<u32>) {
        let channel = message.channel();
        let topic = format!("ih/sensor-thl-001/dev/{}", channel.name());
        let mut properties = vec![9, 0, 16];
        properties.extend(correlation.0);
        properties.extend([38, 0, 4]);
        properties.extend(b"type\0");
        properties.push(message.type_name().len() as u8);
        properties.extend(message.type_name().as_bytes());
        if let Some(expiry) = expiry {
            properties.push(2);
            properties.extend(expiry.to_be_bytes());
        }
        let id: &[u8] = if channel.qos() > 0 { &[0, 7] } else { &[] };
        let length = properties.len() as u8;
        let body =
            [&[0, topic.len() as u8][..], topic.as_bytes(), id, &[length], &properties, &message.payload()]
                .concat();
        let mut packet = vec![0x30 | channel.qos() << 1];
        let mut left = body.len();
        while left > 127 {
            packet.push((left % 128) as u8 | 128);
            left /= 128;
        }
        packet.push(left as u8);
        packet.extend(body);
        self.hub.write(&packet).await;
    }

    /// Acknowledges what waits for it.
    pub async fn acknowledge(&mut self) {
        for [high, low] in self.open.take().unwrap_or_default() {
            self.hub.write(&[0x40, 2, high, low]).await;
        }
    }

    /// Sends any bytes.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.hub.write(bytes).await;
    }
}

#[derive(Default)]
struct Properties {
    content_type: Option<String>,
    correlation: Option<Vec<u8>>,
    is_text: bool,
    user: Vec<(String, String)>,
}

/// The properties that these bytes begin with, and what follows them.
fn properties(bytes: &[u8]) -> (Properties, &[u8]) {
    let digits = if bytes[0] < 128 { 1 } else { 2 };
    let length =
        if digits == 1 { bytes[0].into() } else { usize::from(bytes[0] & 127) | usize::from(bytes[1]) << 7 };
    let (mut left, rest) = bytes[digits..].split_at(length);
    let mut properties = Properties::default();
    while let Some((property, more)) = left.split_first() {
        left = match property {
            1 => {
                properties.is_text = more[0] == 1;
                &more[1..]
            }
            2 => &more[4..],
            3 => {
                let (value, more) = text(more);
                properties.content_type = Some(value);
                more
            }
            9 => {
                let length = usize::from(u16::from_be_bytes([more[0], more[1]]));
                properties.correlation = Some(more[2..2 + length].to_vec());
                &more[2 + length..]
            }
            38 => {
                let (name, more) = text(more);
                let (value, more) = text(more);
                properties.user.push((name, value));
                more
            }
            other => panic!("property {other}"),
        };
    }
    (properties, rest)
}

fn text(bytes: &[u8]) -> (String, &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    (String::from_utf8(bytes[2..2 + length].to_vec()).unwrap(), &bytes[2 + length..])
}
