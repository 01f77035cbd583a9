//! The stored enrollments: one collection of groups, one of individual enrollments, with the same rules of
//! creation, entity tags and lookup.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tracker_protocol::RegistrationId;

use super::{
    DpsError,
    allocation::Allocation,
    model::{
        AllocationPolicy, AttestationMechanism, AttestationType, EnrollmentGroup, IndividualEnrollment,
        X509Attestation, check_webhook_url,
    },
};
use crate::{etag::IfMatch, hub::check_device_id, id::dps_etag, security::keys::KeyLength};

/// What groups and individual enrollments have in common.
pub(super) trait Enrollment: Clone {
    fn id(&self) -> &str;
    /// The device ID at the hub, where it is not the registration ID.
    fn device_id(&self) -> Option<&str>;
    fn stamps(&mut self) -> Stamps<'_>;
    fn etag(&self) -> Option<&str>;
    fn attestation(&mut self) -> &mut AttestationMechanism;
    /// Whether the X.509 attestation has the form this kind of enrollment takes; `Err` says which that is.
    fn check_attestation(x509: &X509Attestation) -> Result<(), &'static str>;
    fn allocation(&self) -> Allocation<'_>;
    fn not_found(id: &str) -> DpsError;
    fn conflict(id: &str) -> DpsError;
}

/// The members that the service sets.
pub(super) struct Stamps<'a> {
    pub etag: &'a mut Option<String>,
    pub created: &'a mut Option<DateTime<Utc>>,
    pub updated: &'a mut Option<DateTime<Utc>>,
}

/// Enrollments of one kind, by ID without regard to case.
#[derive(Debug)]
pub(super) struct Enrollments<E>(BTreeMap<String, E>);

impl<E> Default for Enrollments<E> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<E: Enrollment> Enrollments<E> {
    pub(super) fn create(&mut self, enrollment: E, now: DateTime<Utc>) -> Result<E, DpsError> {
        let key = key(enrollment.id());
        if self.0.contains_key(&key) {
            return Err(E::conflict(enrollment.id()));
        }
        let created = prepared(enrollment, None, now)?;
        self.0.insert(key, created.clone());
        Ok(created)
    }

    pub(super) fn update(
        &mut self,
        enrollment: E,
        if_match: &IfMatch,
        now: DateTime<Utc>,
    ) -> Result<E, DpsError> {
        let stored = self.get(enrollment.id())?;
        check_etag(enrollment.id(), stored.etag(), if_match)?;
        let updated = prepared(enrollment, Some(stored), now)?;
        self.0.insert(key(updated.id()), updated.clone());
        Ok(updated)
    }

    pub(super) fn delete(&mut self, id: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        check_etag(id, self.get(id)?.etag(), if_match)?;
        self.0.remove(&key(id));
        Ok(())
    }

    pub(super) fn get(&self, id: &str) -> Result<E, DpsError> {
        self.find(id).cloned().ok_or_else(|| E::not_found(id))
    }

    pub(super) fn find(&self, id: &str) -> Option<&E> {
        self.0.get(&key(id))
    }

    /// As they were kept over a restart.
    pub(super) fn restore(enrollments: Vec<E>) -> Self {
        Self(enrollments.into_iter().map(|enrollment| (key(enrollment.id()), enrollment)).collect())
    }

    /// In the order of their IDs.
    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.0.values()
    }
}

fn key(id: &str) -> String {
    id.to_ascii_lowercase()
}

fn check_etag(id: &str, stored: Option<&str>, if_match: &IfMatch) -> Result<(), DpsError> {
    if if_match.admits(stored) { Ok(()) } else { Err(DpsError::PreconditionFailed(id.to_owned())) }
}

/// Checks an enrollment and sets what the service sets.
fn prepared<E: Enrollment>(mut enrollment: E, stored: Option<E>, now: DateTime<Utc>) -> Result<E, DpsError> {
    let invalid = |what: String| DpsError::InvalidArgument(what);
    // The characters and the length are the same for registration IDs and group IDs.
    enrollment.id().parse::<RegistrationId>().map_err(|error| invalid(error.to_string()))?;
    if let Some(device_id) = enrollment.device_id() {
        check_device_id(device_id).map_err(|error| invalid(format!("deviceId: {error}")))?;
    }
    let allocation = enrollment.allocation();
    match allocation.policy {
        AllocationPolicy::Hashed | AllocationPolicy::GeoLatency => {}
        AllocationPolicy::Static => {
            if allocation.iot_hubs.len() + usize::from(allocation.iot_hub_host_name.is_some()) != 1 {
                return Err(invalid(
                    "allocationPolicy static needs exactly one hub, in iotHubs or iotHubHostName".into(),
                ));
            }
        }
        AllocationPolicy::Custom => {
            let definition = allocation.custom.ok_or_else(|| {
                invalid("allocationPolicy custom needs a customAllocationDefinition with a webhookUrl".into())
            })?;
            check_webhook_url(&definition.webhook_url).map_err(invalid)?;
        }
    }
    let mut stored = stored;
    let stored_attestation = stored.as_mut().map(|stored| stored.attestation().clone());
    let attestation = enrollment.attestation();
    match attestation.kind {
        AttestationType::X509 => {
            attestation.symmetric_key = None;
            attestation.tpm = None;
            let stored = stored_attestation.and_then(|stored| stored.x509);
            let x509 = attestation
                .x509
                .as_mut()
                .ok_or_else(|| invalid("attestation.type is x509 and attestation.x509 is missing".into()))?;
            resolve(x509, stored.as_ref())?;
            E::check_attestation(x509).map_err(|expected| invalid(format!("attestation.x509 {expected}")))?;
        }
        AttestationType::SymmetricKey => {
            attestation.x509 = None;
            attestation.tpm = None;
            let stored = stored_attestation.and_then(|stored| stored.symmetric_key);
            let keys = attestation.symmetric_key.take().unwrap_or_default();
            let keys = keys.complete(stored.as_ref(), KeyLength::Dps).map_err(|key| {
                invalid(format!("attestation.symmetricKey.{key} is not 16 to 64 bytes in base64"))
            })?;
            attestation.symmetric_key = Some(keys);
        }
        AttestationType::Tpm => return Err(DpsError::NotImplemented("TPM attestation")),
        AttestationType::None => return Err(invalid("attestation.type none lets nobody in".into())),
    }
    let created = stored.as_mut().and_then(|stored| *stored.stamps().created);
    let stamps = enrollment.stamps();
    *stamps.etag = Some(dps_etag());
    *stamps.created = created.or(Some(now));
    *stamps.updated = Some(now);
    Ok(enrollment)
}

fn resolve(x509: &mut X509Attestation, stored: Option<&X509Attestation>) -> Result<(), DpsError> {
    let kinds = [
        (
            "clientCertificates",
            &mut x509.client_certificates,
            stored.and_then(|s| s.client_certificates.as_ref()),
        ),
        (
            "signingCertificates",
            &mut x509.signing_certificates,
            stored.and_then(|s| s.signing_certificates.as_ref()),
        ),
    ];
    for (field, certificates, stored) in kinds {
        if let Some(given) = certificates {
            given
                .resolve(stored)
                .map_err(|source| DpsError::InvalidCertificate { field: field.to_owned(), source })?;
            if given.is_empty() {
                *certificates = None;
            }
        }
    }
    x509.ca_references.take_if(|references| references.names().next().is_none());
    Ok(())
}

macro_rules! common {
    () => {
        fn stamps(&mut self) -> Stamps<'_> {
            Stamps {
                etag: &mut self.etag,
                created: &mut self.created_date_time_utc,
                updated: &mut self.last_updated_date_time_utc,
            }
        }

        fn etag(&self) -> Option<&str> {
            self.etag.as_deref()
        }

        fn attestation(&mut self) -> &mut AttestationMechanism {
            &mut self.attestation
        }

        fn allocation(&self) -> Allocation<'_> {
            Allocation {
                policy: self.allocation_policy,
                iot_hubs: &self.iot_hubs,
                iot_hub_host_name: self.iot_hub_host_name.as_deref(),
                custom: self.custom_allocation_definition.as_ref(),
            }
        }
    };
}

impl Enrollment for EnrollmentGroup {
    common!();

    fn id(&self) -> &str {
        &self.enrollment_group_id
    }

    fn device_id(&self) -> Option<&str> {
        None
    }

    fn check_attestation(x509: &X509Attestation) -> Result<(), &'static str> {
        match x509 {
            X509Attestation {
                client_certificates: None,
                signing_certificates: Some(_),
                ca_references: None,
            }
            | X509Attestation {
                client_certificates: None,
                signing_certificates: None,
                ca_references: Some(_),
            } => Ok(()),
            _ => Err("of a group holds either signingCertificates or caReferences"),
        }
    }

    fn not_found(id: &str) -> DpsError {
        DpsError::EnrollmentGroupNotFound(id.to_owned())
    }

    fn conflict(id: &str) -> DpsError {
        DpsError::EnrollmentGroupConflict(id.to_owned())
    }
}

impl Enrollment for IndividualEnrollment {
    common!();

    fn id(&self) -> &str {
        &self.registration_id
    }

    fn device_id(&self) -> Option<&str> {
        self.device_id.as_deref()
    }

    fn check_attestation(x509: &X509Attestation) -> Result<(), &'static str> {
        match x509 {
            X509Attestation {
                client_certificates: Some(_),
                signing_certificates: None,
                ca_references: None,
            } => Ok(()),
            _ => Err("of an individual enrollment holds clientCertificates, the leaf itself"),
        }
    }

    fn not_found(id: &str) -> DpsError {
        DpsError::EnrollmentNotFound(id.to_owned())
    }

    fn conflict(id: &str) -> DpsError {
        DpsError::EnrollmentConflict(id.to_owned())
    }
}
