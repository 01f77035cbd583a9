//! What MQTT 5 (OASIS standard, section 3) has beyond 3.1.1, as far as a hub of Azure makes use of it.

use std::fmt;

use bytes::Bytes;

use super::identifier::{PacketId, QoS};

/// Reason codes (section 2.4) that the emulator gives.
pub(crate) mod reason {
    pub(crate) const SUCCESS: u8 = 0x00;
    pub(crate) const DISCONNECT_WITH_WILL: u8 = 0x04;
    pub(crate) const NO_SUBSCRIPTION_EXISTED: u8 = 0x11;
    pub(crate) const MALFORMED: u8 = 0x81;
    pub(crate) const PROTOCOL_ERROR: u8 = 0x82;
    pub(crate) const IMPLEMENTATION_SPECIFIC: u8 = 0x83;
    pub(crate) const UNSUPPORTED_PROTOCOL_VERSION: u8 = 0x84;
    pub(crate) const CLIENT_IDENTIFIER: u8 = 0x85;
    pub(crate) const BAD_USER_NAME_OR_PASSWORD: u8 = 0x86;
    pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
    pub(crate) const SERVER_UNAVAILABLE: u8 = 0x88;
    pub(crate) const SERVER_SHUTTING_DOWN: u8 = 0x8b;
    pub(crate) const BAD_AUTHENTICATION_METHOD: u8 = 0x8c;
    pub(crate) const KEEP_ALIVE: u8 = 0x8d;
    pub(crate) const TAKEN_OVER: u8 = 0x8e;
    pub(crate) const RECEIVE_MAXIMUM: u8 = 0x93;
    pub(crate) const TOPIC_ALIAS: u8 = 0x94;
    pub(crate) const PACKET_TOO_LARGE: u8 = 0x95;
    pub(crate) const QUOTA: u8 = 0x97;
    pub(crate) const PAYLOAD_FORMAT: u8 = 0x99;
    pub(crate) const RETAIN: u8 = 0x9a;
    pub(crate) const QOS: u8 = 0x9b;
    pub(crate) const SHARED_SUBSCRIPTION: u8 = 0x9e;
    pub(crate) const SUBSCRIPTION_IDENTIFIER: u8 = 0xa1;
}

/// Properties of CONNECT (section 3.1.2.11).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectOptions {
    /// Seconds that the session outlives the connection; all ones: for ever.
    pub session_expiry: u32,
    /// PUBLISH packets of `QoS` 1 that the client takes unacknowledged.
    pub receive_maximum: Option<u16>,
    /// Bytes of the largest packet that the client takes.
    pub maximum_packet: Option<u32>,
    pub has_user_properties: bool,
    pub authentication_method: Option<String>,
    /// Of the will, where there is one.
    pub will: WillOptions,
}

/// Properties of a will (section 3.1.3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WillOptions {
    /// Seconds to wait before it is published.
    pub delay: u32,
    pub message: MessageProperties,
}

/// Properties of PUBLISH (section 3.3.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MessageProperties {
    /// 1: the body is UTF-8.
    pub payload_format: Option<u8>,
    /// Seconds after which it is not to be delivered any more.
    pub expiry: Option<u32>,
    pub topic_alias: Option<u16>,
    pub response_topic: Option<String>,
    pub correlation: Option<Bytes>,
    pub user: Vec<(String, String)>,
    pub content_type: Option<String>,
}

impl MessageProperties {
    /// The first user property of this name.
    pub(crate) fn user_property(&self, name: &str) -> Option<&str> {
        self.user.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// For the log of exchanges: what kind of message it is.
impl fmt::Display for MessageProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kind) = self.user_property("type") {
            write!(f, ", type {kind:?}")?;
        }
        if let Some(expiry) = self.expiry {
            write!(f, ", expires in {expiry} s")?;
        }
        Ok(())
    }
}

/// CONNACK.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectAnswer {
    pub session_present: bool,
    pub reason: u8,
    pub session_expiry: Option<u32>,
    pub receive_maximum: Option<u16>,
    /// Bytes; also tells what such a hub lacks: `QoS` 2, retained messages, shared subscriptions and subscription identifiers.
    pub maximum_packet: Option<u32>,
    pub topic_alias_maximum: Option<u16>,
    /// Seconds, where the client's own is not taken.
    pub keep_alive: Option<u16>,
    /// In words.
    pub why: Option<String>,
}

/// A packet that MQTT 5 forms in another way than 3.1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Five {
    ConnAck(Box<ConnectAnswer>),
    /// A PUBACK with a reason code; without one it is [`Packet::PubAck`](super::Packet::PubAck).
    PubAck {
        packet_id: PacketId,
        reason: u8,
        why: Option<String>,
        has_user_properties: bool,
    },
    Subscribe {
        packet_id: PacketId,
        filters: Vec<(String, QoS)>,
        has_identifier: bool,
        has_user_properties: bool,
    },
    SubAck {
        packet_id: PacketId,
        reasons: Vec<u8>,
        why: Option<String>,
    },
    Unsubscribe {
        packet_id: PacketId,
        filters: Vec<String>,
    },
    UnsubAck {
        packet_id: PacketId,
        reasons: Vec<u8>,
    },
    Disconnect {
        reason: u8,
        why: Option<String>,
        session_expiry: Option<u32>,
        has_user_properties: bool,
    },
}

impl fmt::Display for Five {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |f: &mut fmt::Formatter<'_>, why: &Option<String>| {
            why.as_ref().map_or(Ok(()), |why| write!(f, " ({why})"))
        };
        match self {
            Self::ConnAck(answer) => {
                write!(f, "CONNACK {:#04x}", answer.reason)?;
                told(f, &answer.why)
            }
            Self::PubAck { packet_id, reason, why, .. } => {
                write!(f, "PUBACK id {packet_id} {reason:#04x}")?;
                told(f, why)
            }
            Self::Subscribe { packet_id, filters, .. } => write!(f, "SUBSCRIBE id {packet_id} {filters:?}"),
            Self::SubAck { packet_id, reasons, why } => {
                write!(f, "SUBACK id {packet_id} {reasons:x?}")?;
                told(f, why)
            }
            Self::Unsubscribe { packet_id, filters } => write!(f, "UNSUBSCRIBE id {packet_id} {filters:?}"),
            Self::UnsubAck { packet_id, reasons } => write!(f, "UNSUBACK id {packet_id} {reasons:x?}"),
            Self::Disconnect { reason, why, .. } => {
                write!(f, "DISCONNECT {reason:#04x}")?;
                told(f, why)
            }
        }
    }
}
