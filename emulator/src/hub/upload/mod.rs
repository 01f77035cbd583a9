//! Files that devices upload: what was promised and has not ended, and what services are told of it.
//!
//! ```text
//!  device ─▶ asks for a place ─▶ Promised ─▶ (the blob itself goes to the storage) ─▶ says how it ended ─▶ Notices ─▶ service
//! ```

mod notices;
mod promised;
mod ticket;

use serde::{Deserialize, Serialize};

pub(super) use notices::{FileNotice, Notices};
pub(super) use promised::{MAX_UPLOADS, Promise, Promised};
pub(crate) use ticket::{UploadEnd, UploadTicket};

/// What a hub knows of uploads.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    pub promised: Promised,
    pub notices: Notices,
}

/// What of it outlives a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptUploads {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    promised: Vec<Promise>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notices: Vec<FileNotice>,
}

impl KeptUploads {
    pub(super) fn is_empty(&self) -> bool {
        self.promised.is_empty() && self.notices.is_empty()
    }
}

impl Uploads {
    pub(super) fn restore(kept: KeptUploads) -> Self {
        Self { promised: Promised::restore(kept.promised), notices: Notices::restore(kept.notices) }
    }

    pub(super) fn keep(&self) -> KeptUploads {
        KeptUploads { promised: self.promised.keep(), notices: self.notices.keep() }
    }
}
