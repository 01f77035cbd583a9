//! Bytes to packets. Nothing is allocated before the length of the whole packet is known to be within the limit.

use bytes::{Buf as _, BytesMut};

use super::{
    decode_five,
    fields::{DecodeError, Fields},
    identifier::QoS,
    packet::{Connect, ConnectCode, Packet, Publish, SubscribeCode, Will},
    properties,
};

/// How the packets after CONNECT are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 3.1.1, and as long as CONNECT has not said.
    Three,
    /// 5
    Five,
}

/// Takes one whole packet from the front of `buffer`; `None` while there are too few bytes for one.
pub(crate) fn decode(
    buffer: &mut BytesMut,
    limit: usize,
    version: Version,
) -> Result<Option<Packet>, DecodeError> {
    let Some(&first) = buffer.first() else {
        return Ok(None);
    };
    // Judged at once: what is not MQTT is not waited for.
    let (packet, expected_flags) = kind_of(first)?;
    let flags = first & 0x0f;
    if expected_flags.is_some_and(|expected| expected != flags) {
        return Err(DecodeError::Flags { packet, flags });
    }
    let Some((length, header)) = remaining_length(buffer)? else {
        return Ok(None);
    };
    let size = header + length;
    if size > limit {
        return Err(DecodeError::TooLarge { size, limit });
    }
    if buffer.len() < size {
        return Ok(None);
    }
    let mut bytes = buffer.split_to(size).freeze();
    bytes.advance(header);
    body(first, Fields { packet, bytes }, version).map(Some)
}

/// The value of the remaining-length field and the size of the whole fixed header.
fn remaining_length(buffer: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let mut value = 0;
    for index in 0..4 {
        let Some(byte) = buffer.get(1 + index) else {
            return Ok(None);
        };
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value, 2 + index)));
        }
    }
    Err(DecodeError::RemainingLength)
}

/// The name of a packet type and the flags its first byte has to carry; `None` where the flags have a meaning.
fn kind_of(first: u8) -> Result<(&'static str, Option<u8>), DecodeError> {
    Ok(match first >> 4 {
        1 => ("CONNECT", Some(0)),
        2 => ("CONNACK", Some(0)),
        3 => ("PUBLISH", None),
        4 => ("PUBACK", Some(0)),
        8 => ("SUBSCRIBE", Some(0b0010)),
        9 => ("SUBACK", Some(0)),
        10 => ("UNSUBSCRIBE", Some(0b0010)),
        11 => ("UNSUBACK", Some(0)),
        12 => ("PINGREQ", Some(0)),
        13 => ("PINGRESP", Some(0)),
        14 => ("DISCONNECT", Some(0)),
        other => return Err(DecodeError::PacketType(other)),
    })
}

fn body(first: u8, fields: Fields, version: Version) -> Result<Packet, DecodeError> {
    if version == Version::Five
        && let Some(five) = decode_five::packet_type(first >> 4)
    {
        return five(fields).map(Packet::Five);
    }
    match first >> 4 {
        1 => connect(fields),
        2 => connack(fields),
        3 => publish(first & 0x0f, fields, version),
        4 => fields.only_packet_id().map(Packet::PubAck),
        8 => subscribe(fields),
        9 => suback(fields),
        10 => unsubscribe(fields),
        11 => fields.only_packet_id().map(Packet::UnsubAck),
        12 => fields.end().map(|()| Packet::PingReq),
        13 => fields.end().map(|()| Packet::PingResp),
        14 => fields.end().map(|()| Packet::Disconnect),
        other => Err(DecodeError::PacketType(other)),
    }
}

fn connect(mut fields: Fields) -> Result<Packet, DecodeError> {
    let name = fields.string("protocol name")?;
    let protocol_level = fields.u8("protocol level")?;
    let known = name == "MQTT" && matches!(protocol_level, 4 | 5);
    if !known {
        // What follows has another shape; the level alone is enough for the refusal.
        return Ok(Packet::Connect(Box::new(Connect {
            protocol_level: if matches!(protocol_level, 4 | 5) { 0 } else { protocol_level },
            clean_session: true,
            keep_alive: 0,
            client_id: String::new(),
            will: None,
            user_name: None,
            password: None,
            options: None,
        })));
    }
    let flags = fields.u8("connect flags")?;
    let (has_user_name, has_password, has_will) = (flags & 0x80 != 0, flags & 0x40 != 0, flags & 0x04 != 0);
    if flags & 0x01 != 0 {
        return Err(fields.malformed("the reserved connect flag is set"));
    }
    if !has_will && flags & 0b0011_1000 != 0 {
        return Err(fields.malformed("the connect flags describe a will that is not there"));
    }
    if has_password && !has_user_name && protocol_level == 4 {
        return Err(fields.malformed("a password without a user name"));
    }
    let keep_alive = fields.u16("keep-alive")?;
    let mut options = (protocol_level == 5).then(|| properties::of_connect(&mut fields)).transpose()?;
    let client_id = fields.string("client identifier")?;
    let will = if has_will {
        let Some(qos) = QoS::from_bits((flags >> 3) & 0b11) else {
            return Err(fields.malformed("the will has QoS 3"));
        };
        if let Some(options) = &mut options {
            options.will = properties::of_will(&mut fields)?;
        }
        let topic = fields.string("will topic")?;
        let message = fields.binary("will message")?;
        Some(Will { topic, message, qos, retain: flags & 0x20 != 0 })
    } else {
        None
    };
    let user_name = has_user_name.then(|| fields.string("user name")).transpose()?;
    let password = has_password.then(|| fields.binary("password")).transpose()?;
    fields.end()?;
    Ok(Packet::Connect(Box::new(Connect {
        protocol_level,
        clean_session: flags & 0x02 != 0,
        keep_alive,
        client_id,
        will,
        user_name,
        password,
        options: options.map(Box::new),
    })))
}

fn connack(mut fields: Fields) -> Result<Packet, DecodeError> {
    let acknowledge_flags = fields.u8("acknowledge flags")?;
    if acknowledge_flags > 1 {
        return Err(fields.malformed("a reserved acknowledge flag is set"));
    }
    let Some(code) = ConnectCode::from_byte(fields.u8("return code")?) else {
        return Err(fields.malformed("an unknown return code"));
    };
    fields.end()?;
    Ok(Packet::ConnAck { session_present: acknowledge_flags == 1, code })
}

fn publish(flags: u8, mut fields: Fields, version: Version) -> Result<Packet, DecodeError> {
    let Some(qos) = QoS::from_bits((flags >> 1) & 0b11) else {
        return Err(fields.malformed("QoS 3"));
    };
    let dup = flags & 0b1000 != 0;
    if dup && qos == QoS::AtMostOnce {
        return Err(fields.malformed("DUP is set on a message of QoS 0"));
    }
    let topic = fields.string("topic")?;
    let packet_id = if qos == QoS::AtMostOnce { None } else { Some(fields.packet_id()?) };
    let properties =
        (version == Version::Five).then(|| properties::of_publish(&mut fields)).transpose()?.map(Box::new);
    // In MQTT 5 a number may stand for it.
    let is_aliased = properties.as_ref().is_some_and(|properties| properties.topic_alias.is_some());
    if (topic.is_empty() && !is_aliased) || topic.contains(['+', '#']) {
        return Err(fields.malformed("the topic is empty or contains a wildcard"));
    }
    let retain = flags & 1 != 0;
    Ok(Packet::Publish(Publish { dup, qos, retain, topic, packet_id, payload: fields.bytes, properties }))
}

fn subscribe(mut fields: Fields) -> Result<Packet, DecodeError> {
    let packet_id = fields.packet_id()?;
    let mut filters = Vec::new();
    while !fields.bytes.is_empty() {
        let filter = fields.string("topic filter")?;
        let Some(qos) = QoS::from_bits(fields.u8("requested QoS")?) else {
            return Err(fields.malformed("a requested QoS above 2"));
        };
        filters.push((filter, qos));
        fields.check_filters(filters.len())?;
    }
    if filters.is_empty() {
        return Err(fields.malformed("no topic filter"));
    }
    Ok(Packet::Subscribe { packet_id, filters })
}

fn suback(mut fields: Fields) -> Result<Packet, DecodeError> {
    let packet_id = fields.packet_id()?;
    let codes = fields.bytes.iter().map(|&byte| match (byte, QoS::from_bits(byte)) {
        (_, Some(qos)) => Ok(SubscribeCode::Granted(qos)),
        (0x80, None) => Ok(SubscribeCode::Failure),
        _ => Err(fields.malformed("an unknown return code")),
    });
    let codes = codes.collect::<Result<Vec<_>, _>>()?;
    fields.check_filters(codes.len())?;
    Ok(Packet::SubAck { packet_id, codes })
}

fn unsubscribe(mut fields: Fields) -> Result<Packet, DecodeError> {
    let packet_id = fields.packet_id()?;
    let mut filters = Vec::new();
    while !fields.bytes.is_empty() {
        filters.push(fields.string("topic filter")?);
        fields.check_filters(filters.len())?;
    }
    if filters.is_empty() {
        return Err(fields.malformed("no topic filter"));
    }
    Ok(Packet::Unsubscribe { packet_id, filters })
}
