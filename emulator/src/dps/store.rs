//! All that the provisioning service knows, changed under one lock.

use super::{
    DpsError,
    ca_certificates::CertificateStore,
    enrollment_store::EnrollmentStore,
    linked_hubs::Hubs,
    model::{Enrollment, EnrollmentGroup, IndividualEnrollment},
    records::Records,
};
use crate::issuance::Namespace;

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
    pub(super) fn check_names<E: Enrollment>(
        &self,
        enrollment: &E,
        namespace: &Namespace,
    ) -> Result<(), DpsError> {
        let terms = enrollment.terms();
        check_policy(enrollment, namespace)?;
        self.hubs.check_linked(terms.named_hubs())?;
        // An attestation of a form that this kind does not take is refused for that.
        let x509 = terms.attestation.x509.as_ref().filter(|x509| E::check_attestation(x509).is_ok());
        let references = x509.and_then(|x509| x509.ca_references.as_ref());
        references.map_or(Ok(()), |references| {
            references.names().try_for_each(|name| self.certificates.check_reference(name))
        })
    }
}

/// Whether the policy that an enrollment names is there.
fn check_policy<E: Enrollment>(enrollment: &E, namespace: &Namespace) -> Result<(), DpsError> {
    let terms = enrollment.terms();
    let (of, authority) = (terms.namespace_name.as_deref(), terms.certificate_authority_name.as_deref());
    let Some(policy) = &terms.certificate_policy_name else {
        let alone = [("namespaceName", of), ("certificateAuthorityName", authority)];
        return match alone.iter().find(|(_, name)| name.is_some()) {
            None => Ok(()),
            Some((member, _)) => Err(DpsError::InvalidArgument(format!(
                "{member} has no meaning without certificatePolicyName"
            ))),
        };
    };
    namespace.check_names(of, authority, policy)?;
    match enrollment.device_id() {
        // The common name of an issued leaf is the registration ID, and the hub takes it for the device ID.
        Some(device_id) if device_id != enrollment.id() => Err(DpsError::InvalidArgument(format!(
            "deviceId \"{device_id}\" is not the registration ID: with certificatePolicyName it has to be, as the hub \
             knows the device by the common name of its certificate"
        ))),
        _ => Ok(()),
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
