//! The resources of the DPS service API, in its shapes (`api-version=2021-10-01`).

mod attestation;
mod terms;
mod enrollment;

pub use attestation::{
    AttestationMechanism, AttestationType, CaReferences, TpmAttestation, X509Attestation,
    X509CertificateWithInfo, X509Certificates,
};
pub(crate) use enrollment::Enrollment;
pub use enrollment::{EnrollmentGroup, IndividualEnrollment};
pub use terms::{
    AllocationPolicy, CustomAllocationDefinition, EnrollmentTerms, ProvisioningStatus, ReprovisionPolicy,
};
