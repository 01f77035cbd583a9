//! Telemetry: what the properties of a PUBLISH are to the hub.

use tracker_protocol::{PropertyBag, hub_v5::TELEMETRY_TYPE};

use crate::mqtt::MessageProperties;

/// The property by which C clients repeat the content type.
const CONTENT_TYPE: &str = "content-type";

/// System and application properties, in order. System properties come as user properties by the names of hubs of 3.1.1
/// (`$.mid`), content type and correlation ID in the places that MQTT 5 has for them. The property `type` is not required.
pub(super) fn bag(properties: &MessageProperties) -> PropertyBag {
    let mut bag = PropertyBag::new();
    for (name, value) in &properties.user {
        match (name.as_str(), value.as_str()) {
            ("type", TELEMETRY_TYPE) => {}
            (CONTENT_TYPE, value) => bag.insert(PropertyBag::CONTENT_TYPE, Some(value.into())),
            (name, value) => bag.insert(name, Some(value.into())),
        }
    }
    if let Some(content_type) = &properties.content_type {
        bag.insert(PropertyBag::CONTENT_TYPE, Some(content_type.clone()));
    }
    let correlation = properties.correlation.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    if let Some(correlation) = correlation {
        bag.insert(PropertyBag::CORRELATION_ID, Some(correlation.into()));
    }
    bag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_both_kinds_of_clients_become_those_of_the_hub() {
        let text = |text: &str| text.to_owned();
        let of_c = MessageProperties {
            user: vec![
                (text("type"), text("telemetry:1")),
                (text("content-type"), text("application/json")),
                (text("$.mid"), text("7")),
                (text("alert"), text("hot")),
            ],
            content_type: Some(text("application/json")),
            ..MessageProperties::default()
        };
        let expected =
            PropertyBag::new().with("$.ct", "application/json").with("$.mid", "7").with("alert", "hot");
        assert_eq!(bag(&of_c), expected);
        let of_net = MessageProperties {
            user: vec![(text("$.mid"), text("7")), (text("type"), text("mine"))],
            content_type: Some(text("application/cbor")),
            correlation: Some(bytes::Bytes::from_static(b"c-1")),
            payload_format: Some(1),
            ..MessageProperties::default()
        };
        let expected = PropertyBag::new()
            .with("$.mid", "7")
            .with("type", "mine")
            .with("$.ct", "application/cbor")
            .with("$.cid", "c-1");
        assert_eq!(bag(&of_net), expected);
    }
}
