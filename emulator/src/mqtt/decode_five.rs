//! Bytes to the packets that MQTT 5 forms in another way than 3.1.1.

use super::{
    fields::{DecodeError, Fields},
    five::{ConnectAnswer, Five, reason},
    identifier::{PacketId, QoS},
    properties::{IN_ACKNOWLEDGEMENT, IN_DISCONNECT, IN_SUBSCRIBE, Others, of_others},
};

type Decoder = fn(Fields) -> Result<Five, DecodeError>;

/// How a packet of this type is read, where it is not as in 3.1.1.
pub(super) fn packet_type(kind: u8) -> Option<Decoder> {
    Some(match kind {
        2 => connack,
        4 => puback,
        8 => subscribe,
        9 => suback,
        10 => unsubscribe,
        11 => unsuback,
        14 => disconnect,
        _ => return None,
    })
}

/// Only clients read it: of its properties, nothing is kept.
fn connack(mut fields: Fields) -> Result<Five, DecodeError> {
    let flags = fields.u8("acknowledge flags")?;
    if flags > 1 {
        return Err(fields.malformed("a reserved acknowledge flag is set"));
    }
    let reason = fields.u8("reason code")?;
    let length = fields.variable("property length")? as usize;
    fields.part(length, "properties")?;
    fields.end()?;
    Ok(Five::ConnAck(Box::new(ConnectAnswer {
        session_present: flags == 1,
        reason,
        ..ConnectAnswer::default()
    })))
}

fn puback(mut fields: Fields) -> Result<Five, DecodeError> {
    let packet_id = fields.packet_id()?;
    let (reason, others) = outcome(&mut fields, IN_ACKNOWLEDGEMENT)?;
    let Others { why, has_user_properties, .. } = others;
    Ok(Five::PubAck { packet_id, reason, why, has_user_properties })
}

fn disconnect(mut fields: Fields) -> Result<Five, DecodeError> {
    let (reason, others) = outcome(&mut fields, IN_DISCONNECT)?;
    let Others { why, session_expiry, has_user_properties, .. } = others;
    Ok(Five::Disconnect { reason, why, session_expiry, has_user_properties })
}

/// Reason code and properties; either may be left out with all that follows (sections 3.4.2.1, 3.14.2.1).
fn outcome(fields: &mut Fields, allowed: &[u8]) -> Result<(u8, Others), DecodeError> {
    if fields.bytes.is_empty() {
        return Ok((reason::SUCCESS, Others::default()));
    }
    let reason = fields.u8("reason code")?;
    let others = if fields.bytes.is_empty() { Others::default() } else { of_others(fields, allowed)? };
    fields.end()?;
    Ok((reason, others))
}

fn subscribe(mut fields: Fields) -> Result<Five, DecodeError> {
    let packet_id = fields.packet_id()?;
    let Others { has_identifier, has_user_properties, .. } = of_others(&mut fields, IN_SUBSCRIBE)?;
    let mut filters = Vec::new();
    while !fields.bytes.is_empty() {
        let filter = fields.string("topic filter")?;
        let options = fields.u8("subscription options")?;
        if options & 0b1100_0000 != 0 || options & 0b0011_0000 == 0b0011_0000 {
            return Err(fields.malformed("subscription options that are reserved"));
        }
        let Some(qos) = QoS::from_bits(options & 0b11) else {
            return Err(fields.malformed("a requested QoS above 2"));
        };
        filters.push((filter, qos));
        fields.check_filters(filters.len())?;
    }
    if filters.is_empty() {
        return Err(fields.malformed("no topic filter"));
    }
    Ok(Five::Subscribe { packet_id, filters, has_identifier, has_user_properties })
}

fn unsubscribe(mut fields: Fields) -> Result<Five, DecodeError> {
    let packet_id = fields.packet_id()?;
    of_others(&mut fields, &[])?;
    let mut filters = Vec::new();
    while !fields.bytes.is_empty() {
        filters.push(fields.string("topic filter")?);
        fields.check_filters(filters.len())?;
    }
    if filters.is_empty() {
        return Err(fields.malformed("no topic filter"));
    }
    Ok(Five::Unsubscribe { packet_id, filters })
}

fn suback(mut fields: Fields) -> Result<Five, DecodeError> {
    let (packet_id, why, reasons) = reasons(&mut fields)?;
    Ok(Five::SubAck { packet_id, reasons, why })
}

fn unsuback(mut fields: Fields) -> Result<Five, DecodeError> {
    let (packet_id, _, reasons) = reasons(&mut fields)?;
    Ok(Five::UnsubAck { packet_id, reasons })
}

fn reasons(fields: &mut Fields) -> Result<(PacketId, Option<String>, Vec<u8>), DecodeError> {
    let packet_id = fields.packet_id()?;
    let others = of_others(fields, IN_ACKNOWLEDGEMENT)?;
    fields.check_filters(fields.bytes.len())?;
    Ok((packet_id, others.why, fields.bytes.to_vec()))
}
