//! Hubs of the second kind, by MQTT 5: seven topics, and envelopes around protocol buffers.

use std::time::Duration;

use tracker_protocol::hub::DeviceTopic;
use tracker_protocol::hub_v5::client::{Client, Outgoing, Step};
use tracker_protocol::hub_v5::{
    CONTENT_TYPE, Channel, ConnectUsername, Correlation, Direction, Received, TELEMETRY_TYPE, TYPE_PROPERTY,
    Topic, device_filter,
};
use tracker_protocol::{ParseError, PropertyBag, Publish};

use crate::link::{Message, Properties};
use crate::platform::user_agent::user_agent;
use crate::uplink::methods;
use crate::uplink::session::dialect::words::{Dialect, Word};

/// What clients in C call the content type a second time, among the user properties.
const CONTENT_TYPE_PROPERTY: &str = "content-type";

/// The user name of a connection with this nonce, and what is said over it.
pub(super) fn begin(nonce: [u8; 16], device_id: &str) -> (String, V5) {
    let correlation = Correlation(nonce);
    let username = ConnectUsername { correlation, client_version: Some(user_agent()) };
    let client = Client::new(correlation, methods::NAMES);
    (username.to_string(), V5 { device_id: device_id.into(), client })
}

pub(super) struct V5 {
    device_id: String,
    client: Client,
}

impl V5 {
    fn topic(&self, channel: Channel) -> String {
        let device_id = self.device_id.clone();
        Topic { device_id, direction: Direction::ToService, channel }.to_string()
    }

    fn message(&self, Outgoing { envelope, expiry }: Outgoing) -> Message {
        let channel = envelope.message.channel();
        let properties = Properties {
            content_type: Some(CONTENT_TYPE.into()),
            correlation: Some(envelope.correlation.0.into()),
            expiry,
            is_text: false,
            user: vec![(TYPE_PROPERTY.into(), envelope.message.type_name().into())],
        };
        Message {
            publish: Publish { topic: self.topic(channel), payload: envelope.message.payload() },
            at_least_once: channel.qos() > 0,
            properties: Some(Box::new(properties)),
        }
    }

    fn word(&self, step: Step) -> Word {
        match step {
            Step::Publish(outgoing) => Word::Say(self.message(outgoing)),
            Step::Born => Word::Ready,
            Step::Answer { status, request_id, payload } => Word::Twin { status, request_id, payload },
            Step::Desired { version, payload } => Word::Desired { version, payload },
            Step::Anew => Word::Anew,
            Step::Call { request, name, params } => {
                Word::Call { name, request_id: request.to_string(), payload: params }
            }
        }
    }

    fn words(&self, steps: Vec<Step>) -> Vec<Word> {
        steps.into_iter().map(|step| self.word(step)).collect()
    }
}

impl Dialect for V5 {
    fn filters(&self) -> Vec<String> {
        vec![device_filter(&self.device_id)]
    }

    fn begin(&mut self, now: Duration) -> Vec<Message> {
        let birth = self.client.birth(now);
        vec![self.message(birth)]
    }

    fn takes_readings(&self) -> bool {
        self.client.is_born()
    }

    fn deadline(&self) -> Option<Duration> {
        self.client.deadline()
    }

    fn tick(&mut self, now: Duration) -> Vec<Word> {
        let steps = self.client.tick(now);
        self.words(steps)
    }

    /// The body is the same, and what stood in the topic is said in properties: the content type where clients in .NET say
    /// it and where those in C do, all else by its name in the topic, as both do.
    fn telemetry(&self, Publish { topic, payload }: Publish) -> Message {
        let bag = match topic.parse() {
            Ok(DeviceTopic::Telemetry { properties, .. }) => properties,
            // It was written by this program.
            _ => PropertyBag::new(),
        };
        let content_type = bag.get(PropertyBag::CONTENT_TYPE).map(str::to_owned);
        let is_text = bag.get(PropertyBag::CONTENT_ENCODING) == Some("utf-8");
        let mut user = vec![(TYPE_PROPERTY.to_owned(), TELEMETRY_TYPE.to_owned())];
        user.extend(content_type.clone().map(|value| (CONTENT_TYPE_PROPERTY.into(), value)));
        let others = bag.iter().filter(|(name, _)| *name != PropertyBag::CONTENT_TYPE);
        user.extend(others.map(|(name, value)| (name.into(), value.unwrap_or_default().into())));
        let properties = Properties { content_type, is_text, user, ..Properties::default() };
        Message {
            publish: Publish { topic: self.topic(Channel::Telemetry), payload },
            at_least_once: true,
            properties: Some(Box::new(properties)),
        }
    }

    fn ask(&mut self, publish: Publish) -> Vec<Message> {
        let messages = self.client.ask(publish);
        messages.into_iter().map(|outgoing| self.message(outgoing)).collect()
    }

    fn hear(
        &mut self,
        now: Duration,
        topic: &str,
        payload: Vec<u8>,
        properties: Option<&Properties>,
    ) -> Result<Vec<Word>, ParseError> {
        let channel = topic.parse::<Topic>()?.channel;
        let type_name = properties.and_then(|properties| {
            properties.user.iter().find(|(name, _)| name == TYPE_PROPERTY).map(|(_, value)| value.as_str())
        });
        let correlation = properties.and_then(|properties| properties.correlation.as_deref());
        let received = Received { channel, type_name, correlation, payload: &payload };
        let expiry = properties.and_then(|properties| properties.expiry);
        let steps = self.client.receive(now, received, expiry)?;
        Ok(self.words(steps))
    }

    fn answer(&mut self, now: Duration, request_id: String, status: i32, body: String) -> Option<Message> {
        let request = request_id.parse().ok()?;
        let outgoing = self.client.answer(now, request, status, body.into_bytes())?;
        Some(self.message(outgoing))
    }
}

#[cfg(test)]
mod tests {
    use tracker_protocol::hub::json_telemetry;

    use super::*;

    fn text(user: &[(String, String)]) -> Vec<String> {
        user.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn readings_have_the_body_of_ever_and_properties_for_both_kinds_of_service() {
        let (username, v5) = begin([0xab; 16], "box-1");
        assert!(
            username.starts_with("correlationId=abababababababababababababababab&clientVersion="),
            "{username}"
        );
        for (encoding, is_text) in [("utf-8", true), ("gzip", false)] {
            let others = [("$.mid", "89abcdef-1"), ("alert", "temperatureHigh,humidityHigh")];
            let topic = json_telemetry("box-1", encoding, &others);
            let message = v5.telemetry(Publish { topic, payload: b"{}".to_vec() });
            assert_eq!(
                (message.publish.topic.as_str(), &*message.publish.payload),
                ("ih/box-1/srv/telemetry", &b"{}"[..])
            );
            assert!(message.at_least_once);
            let properties = message.properties.unwrap();
            assert_eq!(
                (properties.content_type.as_deref(), properties.is_text),
                (Some("application/json"), is_text)
            );
            assert_eq!(
                text(&properties.user),
                [
                    "type=telemetry:1",
                    "content-type=application/json",
                    &format!("$.ce={encoding}"),
                    "$.mid=89abcdef-1",
                    "alert=temperatureHigh,humidityHigh"
                ]
            );
        }
    }

    #[test]
    fn presence_and_twin_are_said_once_and_answers_of_methods_for_certain() {
        let (_, mut v5) = begin([1; 16], "box-1");
        let birth = v5.begin(Duration::ZERO).pop().unwrap();
        assert_eq!((birth.publish.topic.as_str(), birth.at_least_once), ("ih/box-1/srv/presence", false));
        let properties = birth.properties.unwrap();
        assert_eq!(text(&properties.user), ["type=birth:1"]);
        assert_eq!((properties.correlation, properties.expiry), (Some(vec![1; 16]), None));
        assert!(!v5.takes_readings());
        assert!(v5.hear(Duration::ZERO, "ih/box-1/dev/novelty", Vec::new(), None).is_err());
        assert!(v5.hear(Duration::ZERO, "ih/box-1/dev/twin", Vec::new(), None).unwrap().is_empty());
        assert!(v5.answer(Duration::ZERO, "7".into(), 200, "{}".into()).is_none(), "nobody has called");
    }
}
