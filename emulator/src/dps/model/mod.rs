//! The resources of the DPS service API, in its shapes (`api-version=2021-10-01`).

mod attestation;
mod enrollment;

pub use attestation::{
    AttestationMechanism, AttestationType, CaReferences, X509Attestation, X509CertificateWithInfo,
    X509Certificates,
};
pub use enrollment::{
    AllocationPolicy, CustomAllocationDefinition, DeviceCapabilities, EnrollmentGroup, IndividualEnrollment,
    InitialTwin, InitialTwinProperties, ProvisioningStatus, ReprovisionPolicy,
};
