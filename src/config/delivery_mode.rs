//! `[delivery]`: how readings share messages.

use serde::{Deserialize, Serialize};

/// `[delivery]`: which readings share messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryMode {
    /// Readings that waited go out as JSON arrays.
    #[serde(alias = "batchBacklog")]
    pub batch_backlog: bool,
    /// Messages with several readings are compressed (`$.ce=gzip`).
    pub gzip: bool,
}

impl Default for DeliveryMode {
    fn default() -> Self {
        Self { batch_backlog: true, gzip: false }
    }
}
