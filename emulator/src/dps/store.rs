//! All that the provisioning service knows, changed under one lock.

use super::{
    DpsError,
    ca_certificates::CertificateStore,
    enrollment_store::EnrollmentStore,
    linked_hubs::Hubs,
    model::{Enrollment, EnrollmentGroup, IndividualEnrollment},
    records::Records,
};

#[derive(Default)]
pub(crate) struct Store {
    pub(super) certificates: CertificateStore,
    pub(super) individuals: EnrollmentStore<IndividualEnrollment>,
    pub(super) groups: EnrollmentStore<EnrollmentGroup>,
    pub(super) registrations: Records,
    pub(super) hubs: Hubs,
}

impl Store {
    /// Whether the hubs and CA certificates that an enrollment names are there.
    pub(super) fn check_names<E: Enrollment>(&self, enrollment: &E) -> Result<(), DpsError> {
        let terms = enrollment.terms();
        self.hubs.check_linked(terms.named_hubs())?;
        // An attestation of a form that this kind does not take is refused for that.
        let x509 = terms.attestation.x509.as_ref().filter(|x509| E::check_attestation(x509).is_ok());
        let references = x509.and_then(|x509| x509.ca_references.as_ref());
        references.map_or(Ok(()), |references| {
            references.names().try_for_each(|name| self.certificates.check_reference(name))
        })
    }
}

/// Where the enrollments of a kind are stored.
pub(crate) trait Stored: Enrollment {
    fn of(store: &Store) -> &EnrollmentStore<Self>;
    fn of_mut(store: &mut Store) -> &mut EnrollmentStore<Self>;
}

impl Stored for EnrollmentGroup {
    fn of(store: &Store) -> &EnrollmentStore<Self> {
        &store.groups
    }

    fn of_mut(store: &mut Store) -> &mut EnrollmentStore<Self> {
        &mut store.groups
    }
}

impl Stored for IndividualEnrollment {
    fn of(store: &Store) -> &EnrollmentStore<Self> {
        &store.individuals
    }

    fn of_mut(store: &mut Store) -> &mut EnrollmentStore<Self> {
        &mut store.individuals
    }
}
