//! What goes over a connection, in either direction.

use tracker_protocol::Publish;

/// Counts the connections of the device.
pub type ConnectionId = u64;

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the device to the cloud.
    Up,
    /// From the cloud to the device.
    Down,
}

/// With whom the device connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// DPS.
    Dps,
    /// A hub, by its host name.
    Hub(String),
}

/// The MQTT packets that matter here; handshakes of TCP and TLS are part of `Connect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// CONNECT, clean session.
    Connect(Peer),
    /// CONNACK 0.
    Accepted,
    /// CONNACK with this return code.
    Refused(u8),
    /// SUBSCRIBE to these filters.
    Subscribe(Vec<String>),
    /// SUBACK.
    Subscribed,
    /// PUBLISH.
    Publish(Publish),
    /// The connection is closed in good order.
    Close,
}

impl Packet {
    /// The topic of a PUBLISH.
    pub fn topic(&self) -> Option<&str> {
        match self {
            Self::Publish(publish) => Some(&publish.topic),
            _ => None,
        }
    }
}
