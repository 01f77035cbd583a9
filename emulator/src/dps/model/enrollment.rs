//! Enrollments: who may register, and what becomes of them.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracker_protocol::dps::RegistrationState;

use super::{AttestationMechanism, EnrollmentTerms, X509Attestation};
use crate::dps::DpsError;

/// An enrollment of many devices that share a certificate above their leafs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentGroup {
    /// At most 128 of letters, digits, `-` `.` `_` `:`; compared without regard to case.
    pub enrollment_group_id: String,
    /// What becomes of its devices.
    #[serde(flatten)]
    pub terms: EnrollmentTerms,
}

/// An enrollment of one device; it goes before every group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndividualEnrollment {
    /// The registration ID: the common name of the leaf. Compared without regard to case.
    pub registration_id: String,
    /// Device ID at the hub, if it is to differ from the registration ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The registration record; read only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_state: Option<RegistrationState>,
    /// Free for the owner's notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional_device_information: Option<Value>,
    /// What becomes of the device.
    #[serde(flatten)]
    pub terms: EnrollmentTerms,
}

impl EnrollmentGroup {
    /// An enabled group with everything at the service's defaults.
    pub fn new(enrollment_group_id: impl Into<String>, attestation: AttestationMechanism) -> Self {
        Self { enrollment_group_id: enrollment_group_id.into(), terms: EnrollmentTerms::new(attestation) }
    }
}

impl IndividualEnrollment {
    /// An enabled enrollment with everything at the service's defaults.
    pub fn new(registration_id: impl Into<String>, attestation: AttestationMechanism) -> Self {
        Self {
            registration_id: registration_id.into(),
            device_id: None,
            registration_state: None,
            optional_device_information: None,
            terms: EnrollmentTerms::new(attestation),
        }
    }
}

/// What tells the two kinds of enrollment apart where they are otherwise alike.
pub(crate) trait Enrollment: Clone + Serialize + DeserializeOwned {
    /// The member that names it.
    const ID: &'static str;
    /// The member of a bulk request that lists several.
    const LIST: &'static str;
    /// `x-ms-item-type` of a page.
    const ITEM_TYPE: &'static str;
    /// What the service says of one that is not there.
    const NOT_FOUND: fn(String) -> DpsError;
    /// What the service says of one that is there already.
    const CONFLICT: fn(String) -> DpsError;

    fn id(&self) -> &str;

    fn terms(&self) -> &EnrollmentTerms;

    fn terms_mut(&mut self) -> &mut EnrollmentTerms;

    /// The device ID at the hub, where it is not the registration ID.
    fn device_id(&self) -> Option<&str> {
        None
    }

    /// With the registration record of its device, where it has one device.
    #[must_use]
    fn with_record(self, _record: Option<RegistrationState>) -> Self {
        self
    }

    /// Without the keys, as the service answers a GET or a query.
    #[must_use]
    fn without_keys(mut self) -> Self {
        self.terms_mut().attestation.symmetric_key = None;
        self
    }

    /// Whether a TPM may prove who a device of it is.
    const HAS_TPM: bool;

    /// Whether an X.509 attestation has the form that this kind of enrollment takes; `Err` says which that is.
    fn check_attestation(x509: &X509Attestation) -> Result<(), &'static str>;
}

impl Enrollment for EnrollmentGroup {
    const ID: &'static str = "enrollmentGroupId";
    const LIST: &'static str = "enrollmentGroups";
    const ITEM_TYPE: &'static str = "enrollmentGroup";
    const HAS_TPM: bool = false;
    const NOT_FOUND: fn(String) -> DpsError = DpsError::EnrollmentGroupNotFound;
    const CONFLICT: fn(String) -> DpsError = DpsError::EnrollmentGroupConflict;

    fn id(&self) -> &str {
        &self.enrollment_group_id
    }

    fn terms(&self) -> &EnrollmentTerms {
        &self.terms
    }

    fn terms_mut(&mut self) -> &mut EnrollmentTerms {
        &mut self.terms
    }

    fn check_attestation(x509: &X509Attestation) -> Result<(), &'static str> {
        let X509Attestation { client_certificates, signing_certificates, ca_references } = x509;
        if client_certificates.is_none() && signing_certificates.is_some() != ca_references.is_some() {
            return Ok(());
        }
        Err("of a group holds either signingCertificates or caReferences")
    }
}

impl Enrollment for IndividualEnrollment {
    const ID: &'static str = "registrationId";
    const LIST: &'static str = "enrollments";
    const ITEM_TYPE: &'static str = "enrollment";
    const HAS_TPM: bool = true;
    const NOT_FOUND: fn(String) -> DpsError = DpsError::EnrollmentNotFound;
    const CONFLICT: fn(String) -> DpsError = DpsError::EnrollmentConflict;

    fn id(&self) -> &str {
        &self.registration_id
    }

    fn terms(&self) -> &EnrollmentTerms {
        &self.terms
    }

    fn terms_mut(&mut self) -> &mut EnrollmentTerms {
        &mut self.terms
    }

    fn device_id(&self) -> Option<&str> {
        self.device_id.as_deref()
    }

    fn with_record(self, record: Option<RegistrationState>) -> Self {
        Self { registration_state: record, ..self }
    }

    fn check_attestation(x509: &X509Attestation) -> Result<(), &'static str> {
        let X509Attestation { client_certificates, signing_certificates, ca_references } = x509;
        if client_certificates.is_some() && signing_certificates.is_none() && ca_references.is_none() {
            return Ok(());
        }
        Err("of an individual enrollment holds clientCertificates, the leaf itself")
    }
}
