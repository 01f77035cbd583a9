//! The registration records from the service side.

use tracker_protocol::dps::RegistrationState;

use super::{Dps, DpsError, records::Record};
use crate::etag::IfMatch;

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
        if !if_match.admits(record.state().etag.as_deref()) {
            return Err(DpsError::PreconditionFailed(registration_id.to_owned()));
        }
        store.registrations.remove(&key);
        Ok(())
    }
}
