//! The enrollments from the service side: one handle for groups and for individual enrollments.

use std::marker::PhantomData;

use super::{
    Dps, DpsError,
    model::{EnrollmentGroup, IndividualEnrollment, ProvisioningStatus},
    store::Stored,
};
use crate::etag::IfMatch;

/// The enrollments of one kind, [`EnrollmentGroup`] or [`IndividualEnrollment`], of a provisioning service.
pub struct Enrollments<'a, E> {
    dps: &'a Dps,
    kind: PhantomData<E>,
}

impl Dps {
    /// The enrollment groups.
    ///
    /// Deleting one leaves the devices that it has provisioned as they are, and their records too.
    pub fn groups(&self) -> Enrollments<'_, EnrollmentGroup> {
        Enrollments { dps: self, kind: PhantomData }
    }

    /// The individual enrollments. Once one is deleted, a group may take its device.
    pub fn individuals(&self) -> Enrollments<'_, IndividualEnrollment> {
        Enrollments { dps: self, kind: PhantomData }
    }
}

#[expect(private_bounds, reason = "there are two kinds of enrollment, and no third")]
impl<E: Stored> Enrollments<'_, E> {
    /// Creates an enrollment; the answer carries entity tag, times and certificate details.
    pub fn create(&self, enrollment: E) -> Result<E, DpsError> {
        let mut store = self.dps.0.store.change();
        store.check_names(&enrollment, &self.dps.0.namespace)?;
        E::of_mut(&mut store).create(enrollment.with_record(None), self.dps.0.clock.now())
    }

    /// Replaces an enrollment. A certificate given by its `info` alone is kept as stored.
    pub fn update(&self, enrollment: E, if_match: &IfMatch) -> Result<E, DpsError> {
        let mut store = self.dps.0.store.change();
        store.check_names(&enrollment, &self.dps.0.namespace)?;
        E::of_mut(&mut store).update(enrollment.with_record(None), if_match, self.dps.0.clock.now())
    }

    /// One by its ID; an individual one with its registration record if there is one.
    pub fn get(&self, id: &str) -> Result<E, DpsError> {
        let enrollment = E::of(&self.dps.0.store.lock()).get(id)?;
        Ok(enrollment.with_record(self.dps.registration(id).ok()))
    }

    /// All in the order of their IDs, without registration records.
    pub fn list(&self) -> Vec<E> {
        E::of(&self.dps.0.store.lock()).iter().cloned().collect()
    }

    /// Deletes one.
    pub fn delete(&self, id: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        E::of_mut(&mut self.dps.0.store.change()).delete(id, if_match)
    }

    /// Lets its devices register.
    pub fn enable(&self, id: &str) -> Result<E, DpsError> {
        self.set_status(id, ProvisioningStatus::Enabled)
    }

    /// Refuses its devices with the status `disabled`, an individual one even where a group would take its device. Those
    /// provisioned already stay so.
    pub fn disable(&self, id: &str) -> Result<E, DpsError> {
        self.set_status(id, ProvisioningStatus::Disabled)
    }

    fn set_status(&self, id: &str, status: ProvisioningStatus) -> Result<E, DpsError> {
        let mut store = self.dps.0.store.change();
        let enrollments = E::of_mut(&mut store);
        let mut enrollment = enrollments.get(id)?;
        enrollment.terms_mut().provisioning_status = status;
        enrollments.update(enrollment, &IfMatch::Any, self.dps.0.clock.now())
    }
}
