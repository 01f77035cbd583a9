//! The Device Provisioning Service.
//!
//! ```text
//!  service side (Dps) ──▶ Store: CA certificates, enrollments, registration records, linked hubs
//!                            ▲
//!  device side (requests) ───┤ register: attest ─▶ choice of a hub ─▶ hub identity, record
//!                            └ poll: how the operation stands
//! ```

mod error;
mod model;
mod linked_hubs;
mod allocation;
mod records;
mod enrollment_store;
mod ca_certificates;
mod tpm;
mod store;
mod service;
mod attest;
mod issue;
mod pending;
mod placement;
mod webhook;
mod enrollments;
mod registrations;
mod applicant;
mod registration;
mod refused;
mod request;
mod challenge;
mod device_requests;
mod look_up;
mod session;
mod amqp;

pub(crate) use amqp::{DpsPlace, Proved, TpmSignIn, TpmStep};
pub(crate) use applicant::{Answer, Applicant, Moment, TpmProof};
pub use ca_certificates::{CaCertificate, Certificates};
pub use enrollments::Enrollments;
pub use error::DpsError;
pub use linked_hubs::LinkedHub;
pub(crate) use model::Enrollment;
pub use model::{
    AllocationPolicy, AttestationMechanism, AttestationType, CaReferences, CustomAllocationDefinition,
    EnrollmentGroup, EnrollmentTerms, IndividualEnrollment, ProvisioningStatus, ReprovisionPolicy,
    TpmAttestation, X509Attestation, X509CertificateWithInfo, X509Certificates,
};
pub use service::Dps;
pub(crate) use service::{DpsParts, KeptDps};
pub(crate) use session::{RegistrationSession, open};
pub(crate) use store::Stored;
pub use tracker_protocol::dps::{RegistrationState, RegistrationStatus, Substatus};
