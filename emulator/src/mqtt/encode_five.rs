//! The packets that MQTT 5 forms in another way than 3.1.1, to bytes.

use bytes::{BufMut as _, BytesMut};

use super::{
    five::Five,
    properties::{Others, Written},
    written::{EncodeError, identified, put_field},
};

/// Appends the body of a packet; gives its first byte.
pub(super) fn encode(packet: &Five, body: &mut BytesMut) -> Result<u8, EncodeError> {
    Ok(match packet {
        Five::ConnAck(answer) => {
            body.put_u8(u8::from(answer.session_present));
            body.put_u8(answer.reason);
            Written::of_answer(answer).put(body);
            0x20
        }
        Five::PubAck { packet_id, reason, why, has_user_properties } => {
            identified(0x40, *packet_id, body);
            let others =
                Others { why: why.clone(), has_user_properties: *has_user_properties, ..Others::default() };
            put_outcome(*reason, &others, body);
            0x40
        }
        Five::Subscribe { packet_id, filters, has_identifier, has_user_properties } => {
            identified(0x82, *packet_id, body);
            let (has_identifier, has_user_properties) = (*has_identifier, *has_user_properties);
            Written::of_others(&Others { has_identifier, has_user_properties, ..Others::default() })
                .put(body);
            for (filter, qos) in filters {
                put_field(body, filter.as_bytes())?;
                body.put_u8(*qos as u8);
            }
            0x82
        }
        Five::SubAck { packet_id, reasons, why } => {
            identified(0x90, *packet_id, body);
            Written::of_others(&Others { why: why.clone(), ..Others::default() }).put(body);
            body.put_slice(reasons);
            0x90
        }
        Five::Unsubscribe { packet_id, filters } => {
            identified(0xa2, *packet_id, body);
            Written::default().put(body);
            for filter in filters {
                put_field(body, filter.as_bytes())?;
            }
            0xa2
        }
        Five::UnsubAck { packet_id, reasons } => {
            identified(0xb0, *packet_id, body);
            Written::default().put(body);
            body.put_slice(reasons);
            0xb0
        }
        Five::Disconnect { reason, why, session_expiry, has_user_properties } => {
            let (session_expiry, has_user_properties) = (*session_expiry, *has_user_properties);
            let others =
                Others { why: why.clone(), session_expiry, has_user_properties, ..Others::default() };
            put_outcome(*reason, &others, body);
            0xe0
        }
    })
}

/// The shortest form: properties are left out where there are none, and success with them.
fn put_outcome(reason: u8, others: &Others, body: &mut BytesMut) {
    let properties = Written::of_others(others);
    if reason == 0 && properties.is_empty() {
        return;
    }
    body.put_u8(reason);
    if !properties.is_empty() {
        properties.put(body);
    }
}
