//! A message with what goes around it: the topic's channel, the `type` property, the correlation data.

use prost::Message as _;

use super::{
    Abandon, Birth, BirthAck, Channel, Correlation, DesiredPatch, Exec, MethodResult, Probe, ProbeAck,
    ReportedPatch, ReportedPatchResponse, TwinGet, TwinGetResponse, TwinPush,
};
use crate::ParseError;

/// A message and the correlation data it travels with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<M> {
    /// Presence and pushes: the nonce of the birth. Requests, answers and calls: their own.
    pub correlation: Correlation,
    /// The message.
    pub message: M,
}

/// What of a PUBLISH says which message it is.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Of its topic.
    pub channel: Channel,
    /// The user property [`TYPE_PROPERTY`](super::TYPE_PROPERTY), if it has one.
    pub type_name: Option<&'a str>,
    /// The correlation data, if it has any.
    pub correlation: Option<&'a [u8]>,
    /// Body.
    pub payload: &'a [u8],
}

/// One direction's messages: name on the wire, channel, protocol buffer.
macro_rules! messages {
    ($(#[$about:meta])* $name:ident { $($variant:ident($type:ty) = $wire:literal in $channel:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $wire, "`")] $variant($type),)*
        }

        impl $name {
            /// What its user property [`TYPE_PROPERTY`](super::TYPE_PROPERTY) says.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $wire,)*
                }
            }

            /// What its topic is about; also says with which `QoS` it is sent.
            pub fn channel(&self) -> Channel {
                match self {
                    $(Self::$variant(_) => Channel::$channel,)*
                }
            }

            /// Body.
            pub fn payload(&self) -> Vec<u8> {
                match self {
                    $(Self::$variant(message) => message.encode_to_vec(),)*
                }
            }

            fn decode(channel: Channel, type_name: &str, payload: &[u8]) -> Option<Result<Self, prost::DecodeError>> {
                match (channel, type_name) {
                    $((Channel::$channel, $wire) => Some(<$type>::decode(payload).map(Self::$variant)),)*
                    _ => None,
                }
            }

            /// Reads one. `Ok(None)`: it is of a kind that is not known in this direction, which both sides ignore; another
            /// schema version is another kind.
            pub fn read(received: Received<'_>) -> Result<Option<Envelope<Self>>, ParseError> {
                let Some(type_name) = received.type_name else { return Ok(None) };
                let Some(message) = Self::decode(received.channel, type_name, received.payload) else { return Ok(None) };
                let bad = |why: String| ParseError::new("message of a hub of MQTT 5", type_name, why);
                let message = message.map_err(|error| bad(error.to_string()))?;
                let correlation = received.correlation.unwrap_or_default();
                let correlation = Correlation::read(correlation)
                    .ok_or_else(|| bad(format!("{} bytes of correlation data; there must be 16", correlation.len())))?;
                Ok(Some(Envelope { correlation, message }))
            }
        }
    };
}

messages! {
    /// What devices send, telemetry apart.
    DeviceMessage {
        Birth(Birth) = "birth:1" in Presence,
        Get(TwinGet) = "get:1" in Twin,
        ReportedPatch(ReportedPatch) = "reported-patch:1" in Twin,
        ProbeAck(ProbeAck) = "probe-ack:1" in Methods,
        Result(MethodResult) = "result:1" in Methods,
        Abandon(Abandon) = "abandon:1" in Methods,
    }
}

messages! {
    /// What hubs send.
    CloudMessage {
        BirthAck(BirthAck) = "birth-ack:1" in Presence,
        GetResponse(TwinGetResponse) = "get-response:1" in Twin,
        ReportedPatchResponse(ReportedPatchResponse) = "reported-patch-response:1" in Twin,
        TwinPush(TwinPush) = "twin-push:1" in Twin,
        DesiredPatch(DesiredPatch) = "desired-patch:1" in Twin,
        Probe(Probe) = "probe:1" in Methods,
        Exec(Exec) = "exec:1" in Methods,
    }
}

#[cfg(test)]
mod tests;
