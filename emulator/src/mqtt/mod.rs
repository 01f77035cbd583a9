//! MQTT 3.1.1 and 5 as the server side needs them: packets, their bytes, and one bounded connection.
//!
//! ```text
//!  bytes ─▶ decode ─▶ Packet ─▶ session (DPS or hub)
//!  bytes ◀─ encode ◀─ Packet ◀─────┘
//!  └────── Link: buffers, limits, keep-alive ──────┘
//! ```
//!
//! # Why an own codec
//!
//! The emulator exists to find faults in clients, so it must not share the codec of the client under test
//! (`rumqttc`, whose codec was once published as `mqttbytes`): a fault that both sides share can't be seen.
//! `mqtt-protocol-core` is the well-made alternative, but it is a whole protocol engine for 3.1.1 and 5.0 (some
//! 40 000 lines, a dozen dependencies, its own view of sessions and acknowledgements), whereas Azure's rules about
//! sessions, acknowledgements and refusals are not those of a general broker. What is left to use of it would be
//! the packet codec for eleven packet types; that is a few hundred lines, with limits checked before anything is
//! allocated, and property tests on top.
//!
//! `QoS` 2 does not exist at Azure: a PUBLISH with `QoS` 2 is decoded (so that the session can name the offence), the
//! packets of its handshake are refused by the decoder.
//!
//! MQTT 5 is spoken by hubs of the second kind alone. The level in CONNECT says how what follows is read; what its packets
//! have beyond those of 3.1.1 is in `five`.

mod identifier;
mod five;
mod packet;
mod fields;
mod properties;
mod decode_five;
mod decode;
mod written;
mod encode_five;
mod encode;
mod link;

pub(crate) use decode::{Version, decode};
pub(crate) use five::{ConnectAnswer, Five, MessageProperties, reason};
pub(crate) use identifier::{PacketId, QoS};
pub(crate) use link::{Link, LinkError};
pub(crate) use packet::{Connect, ConnectCode, Packet, Publish, SubscribeCode, Will};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_five;
