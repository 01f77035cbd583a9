//! Registration records: what DPS keeps of the devices that have asked to be registered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracker_protocol::dps::RegistrationState;

/// What DPS keeps of a device that has asked to be registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub state: RegistrationState,
    /// The group that decided, if a group did.
    pub enrollment_group_id: Option<String>,
    /// The newest operation; older ones are forgotten, and all of them by a restart.
    #[serde(skip)]
    pub operation: Option<Operation>,
}

/// A registration under way, or ended and asked for.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub id: String,
    /// The device is told `assigning` until then; `None` while a webhook thinks about it.
    pub ready: Option<Instant>,
    pub announced: bool,
    /// What was issued; told in the answer that assigns, and nowhere else.
    pub issued: Option<Vec<String>>,
}

/// Registration records by canonical registration ID.
pub(super) type Records = BTreeMap<String, Record>;

impl Record {
    pub(super) fn for_service(&self) -> RegistrationState {
        RegistrationState { x509: None, ..self.state.clone() }
    }
}
