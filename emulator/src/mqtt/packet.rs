//! The control packets of MQTT 3.1.1 (OASIS standard, section 3), without those of the `QoS` 2 handshake, and with those of
//! MQTT 5 that are not the same ([`Packet::Five`]).

use std::fmt;

use bytes::Bytes;

use super::{
    five::{ConnectOptions, Five, MessageProperties},
    identifier::{PacketId, QoS},
};

/// The return code of a CONNACK (section 3.2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectCode {
    Accepted = 0,
    UnacceptableProtocolVersion = 1,
    IdentifierRejected = 2,
    ServerUnavailable = 3,
    BadUserNameOrPassword = 4,
    NotAuthorized = 5,
}

impl ConnectCode {
    /// The refusal with this number, 1 to 5.
    pub(crate) fn refusal(byte: u8) -> Option<Self> {
        Self::from_byte(byte).filter(|code| *code != Self::Accepted)
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Accepted,
            1 => Self::UnacceptableProtocolVersion,
            2 => Self::IdentifierRejected,
            3 => Self::ServerUnavailable,
            4 => Self::BadUserNameOrPassword,
            5 => Self::NotAuthorized,
            _ => return None,
        })
    }
}

/// What a SUBACK says of one requested filter (section 3.9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubscribeCode {
    Granted(QoS),
    Failure,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connect {
    /// 4 for MQTT 3.1.1, 5 for MQTT 5; others are decoded as far as the level, so that the refusal can be code 1.
    pub protocol_level: u8,
    pub clean_session: bool,
    /// Seconds; 0 switches the keep-alive off.
    pub keep_alive: u16,
    pub client_id: String,
    pub will: Option<Will>,
    pub user_name: Option<String>,
    pub password: Option<Bytes>,
    /// Present exactly at level 5.
    pub options: Option<Box<ConnectOptions>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Will {
    pub topic: String,
    pub message: Bytes,
    pub qos: QoS,
    pub retain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publish {
    pub dup: bool,
    pub qos: QoS,
    pub retain: bool,
    pub topic: String,
    /// Present exactly when `qos` is not 0.
    pub packet_id: Option<PacketId>,
    pub payload: Bytes,
    /// Present exactly in MQTT 5.
    pub properties: Option<Box<MessageProperties>>,
}

impl Publish {
    /// A `QoS` 0 message, the way the service answers.
    pub(crate) fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: topic.into(),
            packet_id: None,
            payload: payload.into(),
            properties: None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Connect(Box<Connect>),
    ConnAck {
        session_present: bool,
        code: ConnectCode,
    },
    Publish(Publish),
    PubAck(PacketId),
    Subscribe {
        packet_id: PacketId,
        filters: Vec<(String, QoS)>,
    },
    SubAck {
        packet_id: PacketId,
        codes: Vec<SubscribeCode>,
    },
    Unsubscribe {
        packet_id: PacketId,
        filters: Vec<String>,
    },
    UnsubAck(PacketId),
    PingReq,
    PingResp,
    Disconnect,
    /// One that MQTT 5 forms in another way.
    Five(Five),
}

/// One line for the log of exchanges. Secrets (the password) and bodies are left out, sizes are given.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(c) => {
                let five = if c.options.is_some() { " of MQTT 5," } else { "" };
                write!(
                    f,
                    "CONNECT{five} client id {:?}, user name {:?}, keep-alive {} s, clean session {}",
                    c.client_id, c.user_name, c.keep_alive, c.clean_session
                )?;
                if c.password.as_ref().is_some_and(|p| !p.is_empty()) {
                    f.write_str(", with password")?;
                }
                if let Some(will) = &c.will {
                    write!(f, ", will on {:?}", will.topic)?;
                }
                Ok(())
            }
            Self::ConnAck { code, .. } => write!(f, "CONNACK {} ({code:?})", *code as u8),
            Self::Publish(p) => {
                write!(f, "PUBLISH QoS {}{}", p.qos as u8, if p.dup { " DUP" } else { "" })?;
                if let Some(id) = p.packet_id {
                    write!(f, " id {id}")?;
                }
                write!(f, " {:?}, {} bytes", p.topic, p.payload.len())?;
                p.properties.as_ref().map_or(Ok(()), |properties| write!(f, "{properties}"))
            }
            Self::PubAck(id) => write!(f, "PUBACK id {id}"),
            Self::Subscribe { packet_id, filters } => write!(f, "SUBSCRIBE id {packet_id} {filters:?}"),
            Self::SubAck { packet_id, codes } => write!(f, "SUBACK id {packet_id} {codes:?}"),
            Self::Unsubscribe { packet_id, filters } => write!(f, "UNSUBSCRIBE id {packet_id} {filters:?}"),
            Self::UnsubAck(id) => write!(f, "UNSUBACK id {id}"),
            Self::PingReq => f.write_str("PINGREQ"),
            Self::PingResp => f.write_str("PINGRESP"),
            Self::Disconnect => f.write_str("DISCONNECT"),
            Self::Five(packet) => packet.fmt(f),
        }
    }
}
