//! What packets of both versions are told apart and delivered by.

use std::num::NonZeroU16;

/// A packet identifier; zero is not one (section 2.3.1).
pub(crate) type PacketId = NonZeroU16;

/// Quality of service of a PUBLISH or of a requested subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::enum_variant_names, reason = "the names of the standard")]
pub(crate) enum QoS {
    AtMostOnce = 0,
    AtLeastOnce = 1,
    ExactlyOnce = 2,
}

impl QoS {
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}
