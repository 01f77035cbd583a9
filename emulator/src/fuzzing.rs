//! Ways in for fuzz targets; no part of the API.

use bytes::BytesMut;

use crate::{mqtt::decode, security::sas::SasToken};

/// As a connection before CONNECT has it.
const PACKET_LIMIT: usize = 64 * 1024;

/// What a client's bytes are taken for when they come in these pieces: one line a packet, and the error they end
/// with.
pub fn mqtt_packets<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let mut inbox = BytesMut::new();
    let mut packets = Vec::new();
    for piece in pieces {
        inbox.extend_from_slice(piece);
        loop {
            match decode(&mut inbox, PACKET_LIMIT) {
                Ok(Some(packet)) => packets.push(packet.to_string()),
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

/// Reads a text as a token, and as a query over devices; whether it was either.
pub fn service_text(text: &str) -> bool {
    let token = SasToken::parse(text).is_ok();
    crate::hub::is_query(text) || token
}
