//! Writes and reads packets in the version of MQTT that is spoken.

use bytes::BytesMut;

use crate::link::classic;
use crate::link::error::LinkError;
use crate::link::packet::{Heard, Said};
#[cfg(feature = "mqtt5")]
use crate::link::v5;

/// Which MQTT is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1: DPS, and hubs as ever.
    #[default]
    V311,
    /// 5.
    #[cfg(feature = "mqtt5")]
    V5,
}

/// Writes and reads packets of one version.
pub(super) enum Codec {
    Classic,
    #[cfg(feature = "mqtt5")]
    V5(v5::Codec),
}

impl Codec {
    pub(super) fn new(version: Version) -> Self {
        match version {
            Version::V311 => Self::Classic,
            #[cfg(feature = "mqtt5")]
            Version::V5 => Self::V5(v5::Codec::default()),
        }
    }

    /// Appends a packet. One that can't be sent leaves `outgoing` as it was.
    pub(super) fn write(&mut self, said: Said<'_>, outgoing: &mut BytesMut) -> Result<(), LinkError> {
        match self {
            Self::Classic => classic::write(said, outgoing),
            #[cfg(feature = "mqtt5")]
            Self::V5(codec) => codec.write(said, outgoing),
        }
    }

    /// Takes the next packet, once it is there as a whole.
    pub(super) fn read(&mut self, incoming: &mut BytesMut) -> Result<Option<Heard>, LinkError> {
        match self {
            Self::Classic => classic::read(incoming),
            #[cfg(feature = "mqtt5")]
            Self::V5(codec) => codec.read(incoming),
        }
    }
}
