//! A message to a device, as the service gives it and as it is kept.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracker_protocol::PropertyBag;

use crate::clock::wire_time;

/// Of what the service is told by feedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledgement {
    /// Of nothing.
    #[default]
    None,
    /// That the device has completed the message.
    Positive,
    /// That it never will: expired, tried too often, rejected, purged.
    Negative,
    /// Of both.
    Full,
}

impl Acknowledgement {
    /// As in the property `iothub-ack`; Azure does not care about case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::Positive, Self::Negative, Self::Full]
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(text))
    }

    /// As in the property `iothub-ack`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Full => "full",
        }
    }

    fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Whether it asks for word of this.
    pub(super) fn wants(self, outcome: Outcome) -> bool {
        match self {
            Self::None => false,
            Self::Positive => outcome == Outcome::Success,
            Self::Negative => outcome != Outcome::Success,
            Self::Full => true,
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::hub) enum Outcome {
    Success,
    Expired,
    DeliveryCountExceeded,
    Rejected,
    Purged,
}

impl Outcome {
    /// Azure's word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Expired => "Expired",
            Self::DeliveryCountExceeded => "DeliveryCountExceeded",
            Self::Rejected => "Rejected",
            Self::Purged => "Purged",
        }
    }

    /// Azure's description: the word, but for a message that was rejected, as the Azure CLI's tests expect it. (Of those that expired,
    /// were tried too often or purged nobody tells.)
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Rejected => "Message rejected",
            other => other.name(),
        }
    }
}

/// A message to a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudToDeviceMessage {
    /// Message ID; made up when absent.
    pub message_id: Option<String>,
    /// Correlation ID.
    pub correlation_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// Content type, for example `application/json`.
    pub content_type: Option<String>,
    /// Content encoding, for example `utf-8`.
    pub content_encoding: Option<String>,
    /// Application properties: key, value.
    pub properties: Vec<(String, String)>,
    /// When it is too late to deliver it; an hour after sending when absent.
    pub expiry_time: Option<DateTime<Utc>>,
    /// Who sends it, in the sender's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// What the sender wants to hear of it.
    #[serde(default, skip_serializing_if = "Acknowledgement::is_none")]
    pub ack: Acknowledgement,
}

impl CloudToDeviceMessage {
    /// Where it goes, as Azure writes it into the property `to`.
    pub(crate) fn to(device_id: &str) -> String {
        format!("/devices/{device_id}/messages/devicebound")
    }

    /// Its properties as they stand in a topic.
    pub(super) fn bag(&self, device_id: &str) -> PropertyBag {
        let mut bag = PropertyBag::new();
        let ack = (self.ack != Acknowledgement::None).then(|| self.ack.name().to_owned());
        let system = [
            (PropertyBag::MESSAGE_ID, self.message_id.clone()),
            (PropertyBag::CORRELATION_ID, self.correlation_id.clone()),
            ("$.uid", self.user_id.clone()),
            ("$.to", Some(Self::to(device_id))),
            (PropertyBag::CONTENT_TYPE, self.content_type.clone()),
            (PropertyBag::CONTENT_ENCODING, self.content_encoding.clone()),
            ("$.exp", self.expiry_time.map(wire_time::print)),
            ("iothub-ack", ack),
        ];
        for (key, value) in system {
            if value.is_some() {
                bag.insert(key, value);
            }
        }
        for (key, value) in &self.properties {
            bag.insert(key, Some(value.clone()));
        }
        bag
    }
}

/// A message that waits, as it is kept over a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::hub) struct KeptMessage {
    #[serde(flatten)]
    pub(super) message: CloudToDeviceMessage,
    /// In place of the message's own, which is empty here.
    pub(super) body_base64: String,
    /// Absent where it follows from the end, and in states of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enqueued: Option<DateTime<Utc>>,
    pub(super) expires: DateTime<Utc>,
    pub(super) deliveries: u32,
}
