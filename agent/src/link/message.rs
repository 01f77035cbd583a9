//! A message on its way, either way, and what MQTT 5 lets it say beside topic and body.

use tracker_protocol::Publish;

/// Of MQTT 5 alone: what stands beside topic and body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// Media type of the body.
    pub content_type: Option<String>,
    /// What an answer has in common with its question.
    pub correlation: Option<Vec<u8>>,
    /// Seconds after which nobody wants it any more.
    pub expiry: Option<u32>,
    /// The body is text in UTF-8.
    pub is_text: bool,
    /// Names and values; a name may come twice.
    pub user: Vec<(String, String)>,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Topic and body.
    pub publish: Publish,
    /// Whether it is to be acknowledged (`QoS` 1).
    pub at_least_once: bool,
    /// Not sent where MQTT has none.
    pub properties: Option<Box<Properties>>,
}

impl From<Publish> for Message {
    fn from(publish: Publish) -> Self {
        Self { publish, at_least_once: true, properties: None }
    }
}
