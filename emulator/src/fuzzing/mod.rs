//! Ways in for fuzz targets; no part of the API.

mod replay;
mod web;

use bytes::BytesMut;

pub use web::{Web, websocket};

use crate::{
    mqtt::{Packet, Version, decode},
    security::sas::SasToken,
};

/// As a connection before CONNECT has it.
const PACKET_LIMIT: usize = 64 * 1024;

/// What a client's bytes are taken for when they come in these pieces: one line a packet, and the error they end
/// with.
pub fn mqtt_packets<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut inbox = BytesMut::new();
    let mut packets = Vec::new();
    let mut version = Version::Three;
    for piece in pieces {
        inbox.extend_from_slice(piece);
        loop {
            match decode(&mut inbox, PACKET_LIMIT, version) {
                Ok(Some(packet)) => {
                    if matches!(&packet, Packet::Connect(connect) if connect.options.is_some()) {
                        version = Version::Five;
                    }
                    packets.push(packet.to_string());
                }
                Ok(None) => break,
                Err(error) => {
                    packets.push(error.to_string());
                    return packets;
                }
            }
        }
    }
    packets
}

/// Reads a text as a token, as a query over devices, and as a condition of a route; whether it was one of them.
pub fn service_text(text: &str) -> bool {
    let token = SasToken::parse(text).is_ok();
    let condition = crate::hub::is_condition(text);
    crate::hub::is_query(text) || condition || token
}
