//! Packets of MQTT 3.1.1, by `rumqttc`'s codec.

use bytes::BytesMut;
use rumqttc::{
    Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS, Subscribe, SubscribeFilter,
    SubscribeReasonCode, mqttbytes,
};

use crate::link::error::{LinkError, LinkErrorKind, not_mqtt, refused, unsendable};
use crate::link::packet::{Heard, LARGEST_INCOMING, LARGEST_PACKET, Said, Welcome};

pub(super) fn write(said: Said<'_>, outgoing: &mut BytesMut) -> Result<(), LinkError> {
    let packet = match said {
        Said::Connect { client_id, username, password, keep_alive } => {
            let mut connect = Connect::new(client_id);
            connect.keep_alive = keep_alive;
            connect.set_login(username, password);
            Packet::Connect(connect)
        }
        Said::Subscribe { id, filters } => {
            let filters = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
            let mut subscribe = Subscribe::new_many(filters);
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        Said::Publish { id, message } => {
            let qos = if message.at_least_once { QoS::AtLeastOnce } else { QoS::AtMostOnce };
            let mut publish = Publish::new(message.publish.topic, qos, message.publish.payload);
            publish.pkid = id;
            Packet::Publish(publish)
        }
        Said::Acknowledge(id) => Packet::PubAck(PubAck::new(id)),
        Said::Ping => Packet::PingReq,
        Said::Goodbye => Packet::Disconnect,
    };
    packet.write(outgoing, LARGEST_PACKET).map_err(|error| match error {
        mqttbytes::Error::OutgoingPacketTooLarge { pkt_size, max } => unsendable(pkt_size, max),
        other => (LinkErrorKind::Unsendable, format!("a message was not sent: {other}")).into(),
    })?;
    Ok(())
}

pub(super) fn read(incoming: &mut BytesMut) -> Result<Option<Heard>, LinkError> {
    let packet = match Packet::read(incoming, LARGEST_INCOMING) {
        Ok(packet) => packet,
        Err(mqttbytes::Error::InsufficientBytes(_)) => return Ok(None),
        Err(error) => return Err(not_mqtt(&error)),
    };
    Ok(Some(match packet {
        Packet::ConnAck(ack) if ack.code == ConnectReturnCode::Success => {
            Heard::Greeting(Ok(Welcome::default()))
        }
        Packet::ConnAck(ack) => Heard::Greeting(Err(refused(ack.code))),
        Packet::SubAck(ack) => {
            let granted = if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                let why = "the server refused a subscription".into();
                Err(LinkError { kind: LinkErrorKind::Answered, why })
            } else {
                Ok(())
            };
            Heard::Subscribed(ack.pkid, granted)
        }
        Packet::PubAck(ack) => Heard::Acknowledged(ack.pkid, None),
        Packet::Publish(message) => Heard::Message {
            id: (message.qos == QoS::AtLeastOnce).then_some(message.pkid),
            topic: message.topic,
            payload: message.payload.to_vec(),
            properties: None,
        },
        Packet::PingResp => Heard::Pong,
        _ => Heard::Other,
    }))
}
