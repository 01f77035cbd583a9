//! Packets as the link knows them, whatever the version of MQTT: what is said, and what is heard.

use crate::link::error::LinkError;
use crate::link::message::{Message, Properties};

/// Largest packet that is sent: what a hub takes, and its topic.
pub(super) const LARGEST_PACKET: usize = 260 * 1024;
/// Largest packet that is taken. A twin has two sections of 32 KB as a hub counts, which counts names and values alone: one
/// of empty objects with names of one letter is seven times as large in JSON. All else that hubs send is smaller: calls
/// of methods have up to 128 KB, messages 64 KB. (Control characters are not counted at all; there is no bound for a twin
/// of those.)
pub(super) const LARGEST_INCOMING: usize = 512 * 1024;

/// A packet of ours.
pub(super) enum Said<'a> {
    Connect {
        client_id: &'a str,
        username: &'a str,
        password: &'a str,
        keep_alive: u16,
    },
    /// At `QoS` 1.
    Subscribe {
        id: u16,
        filters: &'a [String],
    },
    /// The ID is 0 where none is acknowledged.
    Publish {
        id: u16,
        message: Message,
    },
    Acknowledge(u16),
    Ping,
    Goodbye,
}

/// A packet of the server's.
pub(super) enum Heard {
    /// CONNACK: whether the device is accepted.
    Greeting(Result<Welcome, LinkError>),
    /// SUBACK, and whether all that was asked for is granted.
    Subscribed(u16, Result<(), LinkError>),
    /// PUBACK of ours: taken, or why not.
    Acknowledged(u16, Option<Refusal>),
    /// A message, and its ID where it wants to be acknowledged.
    Message {
        id: Option<u16>,
        topic: String,
        payload: Vec<u8>,
        properties: Option<Box<Properties>>,
    },
    Pong,
    /// The server ends the connection, and says why.
    #[cfg_attr(not(feature = "mqtt5"), expect(dead_code, reason = "MQTT 3.1.1 has no such packet"))]
    Goodbye(LinkError),
    /// Nothing that belongs here.
    Other,
}

/// What a server asks for as it accepts a device.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Welcome {
    /// So many of our messages may wait for their acknowledgement.
    pub(super) receive_maximum: Option<u16>,
    /// In place of the keep-alive that was asked for, in seconds.
    pub(super) keep_alive: Option<u16>,
}

/// Why a server did not take a message. The connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What can be done about it.
    pub kind: RefusalKind,
    /// For people.
    pub why: String,
}

/// Refusals by what the sender can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The server can't take messages now: all of them are better sent later.
    Busy,
    /// This one is not wanted as things stand: who runs the server may change that.
    Unwanted,
    /// It is too large.
    TooLarge,
    /// It can never be taken.
    Impossible,
}
