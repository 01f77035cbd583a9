//! The resources of the DPS service API, in its shapes (`api-version=2021-10-01`).

mod attestation;
mod enrollment;

pub use attestation::{
    AttestationMechanism, AttestationType, CaReferences, X509Attestation, X509CertificateWithInfo,
    X509Certificates,
};
pub(super) use enrollment::check_webhook_url;
pub use enrollment::{
    AllocationPolicy, CustomAllocationDefinition, EnrollmentGroup, IndividualEnrollment, ProvisioningStatus,
    ReprovisionPolicy,
};
