//! Packets to bytes.

use bytes::{BufMut as _, BytesMut};

use super::{
    encode_five,
    packet::{Connect, Packet, Publish, SubscribeCode},
    properties::{Written, put_variable},
    written::{EncodeError, identified, put_field},
};

/// The largest value of the remaining-length field (section 2.2.3).
const MAX_REMAINING_LENGTH: usize = 268_435_455;

/// Appends the bytes of `packet` to `out`; on an error `out` is as it was.
pub(crate) fn encode(packet: &Packet, out: &mut BytesMut) -> Result<(), EncodeError> {
    if let Packet::PubAck(id) = packet {
        // One for every message of every device.
        let [high, low] = id.get().to_be_bytes();
        out.extend_from_slice(&[0x40, 2, high, low]);
        return Ok(());
    }
    let mut body = BytesMut::new();
    let first = match packet {
        Packet::Connect(connect) => encode_connect(connect, &mut body)?,
        Packet::ConnAck { session_present, code } => {
            body.put_u8(u8::from(*session_present));
            body.put_u8(*code as u8);
            0x20
        }
        Packet::Publish(publish) => encode_publish(publish, &mut body)?,
        Packet::PubAck(id) => identified(0x40, *id, &mut body),
        Packet::Subscribe { packet_id, filters } => {
            identified(0x82, *packet_id, &mut body);
            for (filter, qos) in filters {
                put_field(&mut body, filter.as_bytes())?;
                body.put_u8(*qos as u8);
            }
            0x82
        }
        Packet::SubAck { packet_id, codes } => {
            identified(0x90, *packet_id, &mut body);
            body.extend(codes.iter().map(|code| match code {
                SubscribeCode::Granted(qos) => *qos as u8,
                SubscribeCode::Failure => 0x80,
            }));
            0x90
        }
        Packet::Unsubscribe { packet_id, filters } => {
            identified(0xa2, *packet_id, &mut body);
            for filter in filters {
                put_field(&mut body, filter.as_bytes())?;
            }
            0xa2
        }
        Packet::UnsubAck(id) => identified(0xb0, *id, &mut body),
        Packet::PingReq => 0xc0,
        Packet::PingResp => 0xd0,
        Packet::Disconnect => 0xe0,
        Packet::Five(packet) => encode_five::encode(packet, &mut body)?,
    };
    if body.len() > MAX_REMAINING_LENGTH {
        return Err(EncodeError::PacketTooLong(body.len()));
    }
    out.reserve(body.len() + 5);
    out.put_u8(first);
    put_variable(body.len(), out);
    out.put_slice(&body);
    Ok(())
}

fn encode_connect(connect: &Connect, body: &mut BytesMut) -> Result<u8, EncodeError> {
    put_field(body, b"MQTT")?;
    body.put_u8(connect.protocol_level);
    let mut flags = u8::from(connect.clean_session) << 1;
    if let Some(will) = &connect.will {
        flags |= 0x04 | (will.qos as u8) << 3 | u8::from(will.retain) << 5;
    }
    flags |= u8::from(connect.user_name.is_some()) << 7 | u8::from(connect.password.is_some()) << 6;
    body.put_u8(flags);
    body.put_u16(connect.keep_alive);
    if let Some(options) = &connect.options {
        Written::of_connect(options).put(body);
    }
    put_field(body, connect.client_id.as_bytes())?;
    if let Some(will) = &connect.will {
        if let Some(options) = &connect.options {
            Written::of_will(&options.will).put(body);
        }
        put_field(body, will.topic.as_bytes())?;
        put_field(body, &will.message)?;
    }
    if let Some(user_name) = &connect.user_name {
        put_field(body, user_name.as_bytes())?;
    }
    if let Some(password) = &connect.password {
        put_field(body, password)?;
    }
    Ok(0x10)
}

fn encode_publish(publish: &Publish, body: &mut BytesMut) -> Result<u8, EncodeError> {
    put_field(body, publish.topic.as_bytes())?;
    if let Some(id) = publish.packet_id {
        body.put_u16(id.get());
    }
    if let Some(properties) = &publish.properties {
        Written::of_message(properties).put(body);
    }
    body.put_slice(&publish.payload);
    Ok(0x30 | u8::from(publish.dup) << 3 | (publish.qos as u8) << 1 | u8::from(publish.retain))
}
