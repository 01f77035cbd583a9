//! Registration records: what DPS keeps of the devices that have asked to be registered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracker_protocol::dps::RegistrationState;

use super::{Dps, DpsError};
use crate::etag::IfMatch;

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
}

/// Registration records by canonical registration ID.
pub(super) type Records = BTreeMap<String, Record>;

impl Record {
    pub(super) fn for_service(&self) -> RegistrationState {
        RegistrationState { x509: None, ..self.state.clone() }
    }
}

impl Dps {
    /// The registration record of a device, as the service shows it.
    pub fn registration(&self, registration_id: &str) -> Result<RegistrationState, DpsError> {
        self.0
            .store
            .lock()
            .registrations
            .get(&registration_id.to_ascii_lowercase())
            .map(Record::for_service)
            .ok_or_else(|| DpsError::DeviceRegistrationNotFound(registration_id.to_owned()))
    }

    /// All registration records in the order of their IDs.
    pub fn registrations(&self) -> Vec<RegistrationState> {
        self.0.store.lock().registrations.values().map(Record::for_service).collect()
    }

    /// The registration records that a group decided.
    pub fn group_registrations(&self, group_id: &str) -> Result<Vec<RegistrationState>, DpsError> {
        let store = self.0.store.lock();
        store.groups.get(group_id)?;
        let of_group = |record: &&Record| {
            record.enrollment_group_id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(group_id))
        };
        Ok(store.registrations.values().filter(of_group).map(Record::for_service).collect())
    }

    /// Deletes a registration record; the next registration of the device is an initial assignment again.
    pub fn delete_registration(&self, registration_id: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        let mut store = self.0.store.change();
        let key = registration_id.to_ascii_lowercase();
        let record = store
            .registrations
            .get(&key)
            .ok_or_else(|| DpsError::DeviceRegistrationNotFound(registration_id.to_owned()))?;
        if !if_match.admits(record.state.etag.as_deref()) {
            return Err(DpsError::PreconditionFailed(registration_id.to_owned()));
        }
        store.registrations.remove(&key);
        Ok(())
    }
}
