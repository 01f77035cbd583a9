//! The stored enrollments of one kind, with the rules of creation, entity tags and lookup.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tracker_protocol::RegistrationId;

use super::{
    DpsError,
    model::{AttestationMechanism, AttestationType, Enrollment, TpmAttestation, X509Attestation},
};
use crate::{
    etag::IfMatch,
    hub::{check_device_id, check_initial},
    id::dps_etag,
    security::{
        keys::{KeyLength, SymmetricKey},
        tpm::PublicKey,
    },
};

/// Enrollments of one kind, by ID without regard to case.
#[derive(Debug)]
pub(crate) struct EnrollmentStore<E>(BTreeMap<String, E>);

impl<E> Default for EnrollmentStore<E> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<E: Enrollment> EnrollmentStore<E> {
    pub(super) fn create(&mut self, enrollment: E, now: DateTime<Utc>) -> Result<E, DpsError> {
        let key = key(enrollment.id());
        if self.0.contains_key(&key) {
            return Err(E::CONFLICT(enrollment.id().to_owned()));
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
        let stored = self.admitted(enrollment.id(), if_match)?;
        let updated = prepared(enrollment, Some(stored), now)?;
        self.0.insert(key(updated.id()), updated.clone());
        Ok(updated)
    }

    pub(super) fn delete(&mut self, id: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        self.admitted(id, if_match)?;
        self.0.remove(&key(id));
        Ok(())
    }

    pub(super) fn get(&self, id: &str) -> Result<E, DpsError> {
        self.find(id).cloned().ok_or_else(|| E::NOT_FOUND(id.to_owned()))
    }

    pub(super) fn find(&self, id: &str) -> Option<&E> {
        self.0.get(&key(id))
    }

    /// As they were kept over a restart. Earlier versions kept certificates as they came, a key beside them too.
    pub(super) fn restore(enrollments: Vec<E>) -> Self {
        let clean = |mut enrollment: E| {
            enrollment.terms_mut().attestation.clean();
            (key(enrollment.id()), enrollment)
        };
        Self(enrollments.into_iter().map(clean).collect())
    }

    /// In the order of their IDs.
    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        self.0.values()
    }

    /// The stored enrollment, if the condition lets it be changed.
    fn admitted(&self, id: &str, if_match: &IfMatch) -> Result<&E, DpsError> {
        let stored = self.find(id).ok_or_else(|| E::NOT_FOUND(id.to_owned()))?;
        if if_match.admits(stored.terms().etag.as_deref()) {
            Ok(stored)
        } else {
            Err(DpsError::PreconditionFailed(id.to_owned()))
        }
    }
}

fn key(id: &str) -> String {
    id.to_ascii_lowercase()
}

fn invalid(what: impl Into<String>) -> DpsError {
    DpsError::InvalidArgument(what.into())
}

/// Checks an enrollment and sets what the service sets.
fn prepared<E: Enrollment>(mut enrollment: E, stored: Option<&E>, now: DateTime<Utc>) -> Result<E, DpsError> {
    // The characters and the length are the same for registration IDs and group IDs.
    enrollment.id().parse::<RegistrationId>().map_err(|error| invalid(error.to_string()))?;
    if let Some(device_id) = enrollment.device_id() {
        check_device_id(device_id).map_err(|error| invalid(format!("deviceId: {error}")))?;
    }
    let stored = stored.map(Enrollment::terms);
    let terms = enrollment.terms_mut();
    terms.check_allocation().map_err(invalid)?;
    if let Some(twin) = &terms.initial_twin {
        check_initial(twin).map_err(|error| invalid(format!("initialTwin: {error}")))?;
    }
    prepare_attestation::<E>(&mut terms.attestation, stored.map(|stored| &stored.attestation))?;
    terms.etag = Some(dps_etag());
    terms.created_date_time_utc = stored.and_then(|stored| stored.created_date_time_utc).or(Some(now));
    terms.last_updated_date_time_utc = Some(now);
    Ok(enrollment)
}

/// Leaves the one member that belongs to the type of the attestation, complete; what is only referred to, or absent,
/// is taken from `stored`.
fn prepare_attestation<E: Enrollment>(
    attestation: &mut AttestationMechanism,
    stored: Option<&AttestationMechanism>,
) -> Result<(), DpsError> {
    match attestation.kind {
        AttestationType::X509 => {
            attestation.symmetric_key = None;
            attestation.tpm = None;
            let x509 = attestation
                .x509
                .as_mut()
                .ok_or_else(|| invalid("attestation.type is x509 and attestation.x509 is missing"))?;
            resolve(x509, stored.and_then(|stored| stored.x509.as_ref()))?;
            E::check_attestation(x509).map_err(|expected| invalid(format!("attestation.x509 {expected}")))
        }
        AttestationType::SymmetricKey => {
            attestation.x509 = None;
            attestation.tpm = None;
            let keys = attestation.symmetric_key.take().unwrap_or_default();
            let stored = stored.and_then(|stored| stored.symmetric_key.as_ref());
            attestation.symmetric_key = Some(complete(keys, stored)?);
            Ok(())
        }
        AttestationType::Tpm => {
            attestation.x509 = None;
            attestation.symmetric_key = None;
            let tpm = attestation.tpm.take().unwrap_or_default();
            attestation.tpm = Some(checked::<E>(tpm, stored.and_then(|stored| stored.tpm.as_ref()))?);
            Ok(())
        }
        AttestationType::None => Err(invalid("attestation.type none lets nobody in")),
    }
}

/// What is left out is that of before; whatever is there is a key of a TPM.
fn checked<E: Enrollment>(
    mut tpm: TpmAttestation,
    stored: Option<&TpmAttestation>,
) -> Result<TpmAttestation, DpsError> {
    if !E::HAS_TPM {
        return Err(invalid(
            "attestation.type tpm is for individual enrollments: a TPM is known by its own key alone",
        ));
    }
    if let Some(stored) = stored.filter(|_| tpm.endorsement_key.is_empty()) {
        tpm.endorsement_key.clone_from(&stored.endorsement_key);
    }
    tpm.storage_root_key.take_if(|key| key.is_empty());
    let keys =
        [("endorsementKey", Some(&tpm.endorsement_key)), ("storageRootKey", tpm.storage_root_key.as_ref())];
    for (name, key) in keys {
        key.map_or(Ok(None), |key| PublicKey::of_text(key).map(Some))
            .map_err(|error| invalid(format!("attestation.tpm.{name}: {error}")))?;
    }
    Ok(tpm)
}

fn complete(keys: SymmetricKey, stored: Option<&SymmetricKey>) -> Result<SymmetricKey, DpsError> {
    keys.complete(stored, KeyLength::Dps)
        .map_err(|key| invalid(format!("attestation.symmetricKey.{key} is not 16 to 64 bytes in base64")))
}

fn resolve(x509: &mut X509Attestation, stored: Option<&X509Attestation>) -> Result<(), DpsError> {
    let kinds = [
        (
            "clientCertificates",
            &mut x509.client_certificates,
            stored.and_then(|stored| stored.client_certificates.as_ref()),
        ),
        (
            "signingCertificates",
            &mut x509.signing_certificates,
            stored.and_then(|stored| stored.signing_certificates.as_ref()),
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
