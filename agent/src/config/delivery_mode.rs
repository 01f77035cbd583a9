//! `[delivery]`: how readings share messages, and what is said beside them.

use serde::{Deserialize, Serialize};

/// `[delivery]`: which readings share messages, and how they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryMode {
    /// Readings that waited go out several in one message.
    #[serde(alias = "batchBacklog")]
    pub batch_backlog: bool,
    /// Messages with several readings are compressed (`$.ce=gzip`).
    pub gzip: bool,
    /// Message ID and creation time stand in the properties too, for those who don't read them in the body.
    #[serde(alias = "fullProperties")]
    pub full_properties: bool,
    /// Messages with several readings are columns of differences (docs/azure.md).
    pub compact: bool,
}

impl Default for DeliveryMode {
    fn default() -> Self {
        Self { batch_backlog: true, gzip: false, full_properties: false, compact: false }
    }
}
