//! Packets of MQTT 5: by `rumqttc`'s codec, but for those with reason codes.
//!
//! That codec takes the short forms of DISCONNECT for errors, or for packets that are yet to come, and knows neither AUTH nor
//! all codes: where it meets one that it does not know, the packet is an error that ends the connection
//! (`docs/libraries.md`). So frames are cut here, and acknowledgements are read here.

mod fields;
mod reason;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, Disconnect, DisconnectReasonCode, Filter, Login, Packet, PingReq, PubAck,
    Publish, PublishProperties, Subscribe,
};
use rumqttc::v5::mqttbytes::{self, QoS};

use crate::link::error::{LinkError, LinkErrorKind, bad_properties, not_mqtt, unsendable};
use crate::link::message::{Message, Properties};
use crate::link::packet::{Heard, LARGEST_INCOMING, LARGEST_PACKET, Said, Welcome};
use fields::{Frame, Malformed, frame, reason_string};

/// Seconds that a server keeps what it has for the device once the connection is gone.
const SESSION_EXPIRY: u32 = 3600;
/// Longest string, in bytes, of which MQTT has two to say so. `rumqttc` writes the length of a longer one modulo that.
const LONGEST_STRING: usize = u16::MAX as usize;

/// How many bytes a packet of ours may have.
pub(super) struct Codec {
    largest: usize,
}

impl Default for Codec {
    fn default() -> Self {
        Self { largest: LARGEST_PACKET }
    }
}

impl Codec {
    pub(super) fn write(&mut self, said: Said<'_>, outgoing: &mut BytesMut) -> Result<(), LinkError> {
        let packet = match said {
            Said::Connect { client_id, username, password, keep_alive } => {
                let mut properties = ConnectProperties::new();
                properties.session_expiry_interval = Some(SESSION_EXPIRY);
                properties.max_packet_size = Some(LARGEST_INCOMING as u32);
                let connect = Connect {
                    keep_alive,
                    client_id: client_id.into(),
                    clean_start: false,
                    properties: Some(properties),
                };
                Packet::Connect(connect, None, Some(Login::new(username, password)))
            }
            Said::Subscribe { id, filters } => {
                let filters = filters.iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce)).collect();
                Packet::Subscribe(Subscribe { pkid: id, filters, properties: None })
            }
            Said::Publish { id, message } => Packet::Publish(publish(id, message)?),
            Said::Acknowledge(id) => Packet::PubAck(PubAck::new(id, None)),
            Said::Ping => Packet::PingReq(PingReq),
            Said::Goodbye => Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection)),
        };
        packet.write(outgoing, Some(self.largest as u32)).map_err(|error| match error {
            mqttbytes::Error::OutgoingPacketTooLarge { pkt_size, max } => {
                unsendable(pkt_size as usize, max as usize)
            }
            other => (LinkErrorKind::Unsendable, format!("a message was not sent: {other}")).into(),
        })?;
        Ok(())
    }

    pub(super) fn read(&mut self, incoming: &mut BytesMut) -> Result<Option<Heard>, LinkError> {
        let Some(Frame { kind, start, end }) = frame(incoming, LARGEST_INCOMING)? else { return Ok(None) };
        let packet = incoming.split_to(end);
        let body = &packet[start..];
        Ok(Some(match kind {
            2 => Heard::Greeting(match *body {
                [_, 0, ..] => Ok(self.welcome(packet)?),
                [_, code, ref rest @ ..] => Err(reason::not_accepted(code, reason_string(rest))),
                _ => return Err(Malformed.into()),
            }),
            3 => message(packet)?,
            4 => match *body {
                [high, low] => Heard::Acknowledged(u16::from_be_bytes([high, low]), None),
                [high, low, code, ref rest @ ..] => {
                    let refusal = reason::taken(code, reason_string(rest));
                    Heard::Acknowledged(u16::from_be_bytes([high, low]), refusal)
                }
                _ => return Err(Malformed.into()),
            },
            9 => {
                let ([high, low], rest) = body.split_first_chunk().ok_or(Malformed)?;
                let codes = fields::after_properties(rest).ok_or(Malformed)?;
                let granted = match codes.iter().find(|code| **code >= 0x80) {
                    Some(code) => Err(reason::not_granted(*code, reason_string(rest))),
                    None => Ok(()),
                };
                Heard::Subscribed(u16::from_be_bytes([*high, *low]), granted)
            }
            13 => Heard::Pong,
            14 => {
                // Without a body it means 0, and without properties there is nothing after the code.
                let (code, rest) = body.split_first().map_or((0, &[][..]), |(code, rest)| (*code, rest));
                Heard::Goodbye(reason::ended(code, reason_string(rest)))
            }
            15 => {
                let why = "the server asks for an authentication (AUTH) that was not offered to it".into();
                return Err(LinkError { kind: LinkErrorKind::Answered, why });
            }
            _ => Heard::Other,
        }))
    }

    /// What a server asks for that has accepted the device.
    fn welcome(&mut self, mut packet: BytesMut) -> Result<Welcome, LinkError> {
        let Packet::ConnAck(ack) = Packet::read(&mut packet, None).map_err(|error| not_mqtt(&error))? else {
            return Err(Malformed.into());
        };
        let Some(properties) = ack.properties else { return Ok(Welcome::default()) };
        if properties.max_qos == Some(0) {
            let why = "the server takes no messages that are to be acknowledged (QoS 1)".into();
            return Err(LinkError { kind: LinkErrorKind::Terminal, why });
        }
        if properties.receive_max == Some(0) {
            return Err(Malformed.into());
        }
        if let Some(largest) = properties.max_packet_size {
            self.largest = LARGEST_PACKET.min(largest as usize);
        }
        // A server that asks for 0 wants no pings: the network does.
        let keep_alive = properties.server_keep_alive.filter(|seconds| *seconds > 0);
        Ok(Welcome { receive_maximum: properties.receive_max, keep_alive })
    }
}

fn publish(id: u16, message: Message) -> Result<Publish, LinkError> {
    let Message { publish, at_least_once, properties } = message;
    let Properties { content_type, correlation, expiry, is_text, user } =
        properties.map_or_else(Properties::default, |boxed| *boxed);
    let lengths = user.iter().flat_map(|(name, value)| [name.len(), value.len()]);
    let others = [content_type.as_ref().map(String::len), correlation.as_ref().map(Vec::len)];
    if lengths.chain(others.into_iter().flatten()).any(|length| length > LONGEST_STRING) {
        return Err(bad_properties());
    }
    let qos = if at_least_once { QoS::AtLeastOnce } else { QoS::AtMostOnce };
    let properties = PublishProperties {
        payload_format_indicator: is_text.then_some(1),
        message_expiry_interval: expiry,
        correlation_data: correlation.map(Into::into),
        user_properties: user,
        content_type,
        ..PublishProperties::default()
    };
    let mut packet = Publish::new(publish.topic, qos, publish.payload, Some(properties));
    packet.pkid = id;
    Ok(packet)
}

fn message(mut packet: BytesMut) -> Result<Heard, LinkError> {
    // What is missing in a frame that is whole will never come.
    let Packet::Publish(message) = Packet::read(&mut packet, None).map_err(|error| not_mqtt(&error))? else {
        return Err(Malformed.into());
    };
    let topic = str::from_utf8(&message.topic).map_err(|_| Malformed)?.to_owned();
    let Some(properties) = message.properties else {
        return heard(message.qos, message.pkid, topic, &message.payload, Properties::default());
    };
    if properties.topic_alias.is_some() {
        // None was allowed.
        return Err(Malformed.into());
    }
    let properties = Properties {
        content_type: properties.content_type,
        correlation: properties.correlation_data.map(|data| data.to_vec()),
        expiry: properties.message_expiry_interval,
        is_text: properties.payload_format_indicator == Some(1),
        user: properties.user_properties,
    };
    heard(message.qos, message.pkid, topic, &message.payload, properties)
}

fn heard(
    qos: QoS,
    id: u16,
    topic: String,
    payload: &[u8],
    properties: Properties,
) -> Result<Heard, LinkError> {
    let id = match qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce => Some(id),
        // None was asked for.
        QoS::ExactlyOnce => return Err(Malformed.into()),
    };
    Ok(Heard::Message { id, topic, payload: payload.to_vec(), properties: Some(Box::new(properties)) })
}

#[cfg(test)]
mod tests;
