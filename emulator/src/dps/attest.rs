//! Attestation: which enrollment accepts a device by what it presents, or why none does.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};

use super::{
    ca_certificates::CertificateStore,
    enrollment_store::EnrollmentStore,
    model::{AttestationType, EnrollmentGroup, EnrollmentTerms, IndividualEnrollment, ProvisioningStatus},
    tpm::Challenge,
};
use crate::security::{
    keys::SymmetricKey,
    sas::{SasError, SasToken},
    x509::{Certificate, Ending, Flaw, NONE_PRESENTED, Path},
};

/// The enrollment that accepts a device.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum AcceptedBy {
    Individual(Box<IndividualEnrollment>),
    Group(Box<EnrollmentGroup>),
}

impl fmt::Display for AcceptedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Individual(enrollment) => {
                write!(f, "individual enrollment \"{}\"", enrollment.registration_id)
            }
            Self::Group(group) => write!(f, "enrollment group \"{}\"", group.enrollment_group_id),
        }
    }
}

impl AcceptedBy {
    pub(super) fn terms(&self) -> &EnrollmentTerms {
        match self {
            Self::Individual(enrollment) => &enrollment.terms,
            Self::Group(group) => &group.terms,
        }
    }

    /// The group, if it is one.
    pub(super) fn group_id(&self) -> Option<&str> {
        match self {
            Self::Individual(_) => None,
            Self::Group(group) => Some(&group.enrollment_group_id),
        }
    }

    /// The device ID at the hub, where the enrollment gives one.
    pub(super) fn device_id(&self) -> Option<&str> {
        match self {
            Self::Individual(enrollment) => enrollment.device_id.as_deref(),
            Self::Group(_) => None,
        }
    }

    /// The keys of a device: its enrollment's own, or derived from those of its group.
    pub(super) fn device_keys(&self, registration_id: &str) -> SymmetricKey {
        let keys = self.terms().attestation.symmetric_key.as_ref();
        match self {
            Self::Individual(_) => keys.cloned(),
            Self::Group(_) => keys.map(|keys| keys.derive(registration_id)),
        }
        .unwrap_or_default()
    }
}

/// Why no enrollment takes a device. All of them are `401002` to the device; the words are for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotAttested {
    NoCertificate,
    Token(SasError),
    OtherAttestation { enrollment: String },
    NoEnrollmentForToken,
    NoChallenge { enrollment: String },
    OtherTpm { enrollment: String },
    CommonName { common_name: Option<String>, registration_id: String },
    OtherLeaf { enrollment: String },
    Flaw(Flaw),
    NoEnrollment { top: String, missing: Option<String> },
    NotIssued { child: String, ending: Ending },
    Untrusted { group: String, top: String },
}

impl fmt::Display for NotAttested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => write!(f, "{NONE_PRESENTED}, and no token"),
            Self::Token(error) => error.fmt(f),
            Self::OtherAttestation { enrollment } => {
                write!(
                    f,
                    "individual enrollment \"{enrollment}\" has another attestation than the device uses"
                )
            }
            Self::NoChallenge { enrollment } => write!(
                f,
                "the TPM of individual enrollment \"{enrollment}\" was given no key for a token, or that was forgotten: the device \
                 asks without a token first"
            ),
            Self::OtherTpm { enrollment } => write!(
                f,
                "individual enrollment \"{enrollment}\" is not for a TPM, or for one with another endorsement or storage root key"
            ),
            Self::NoEnrollmentForToken => {
                f.write_str("the shared access signature is made with the key of no enrollment")
            }
            Self::CommonName { common_name: None, .. } => {
                f.write_str("the leaf has no common name, which has to be the registration ID")
            }
            Self::CommonName { common_name: Some(name), registration_id } => {
                write!(
                    f,
                    "the common name of the leaf is \"{name}\", the registration ID \"{registration_id}\""
                )
            }
            Self::OtherLeaf { enrollment } => {
                write!(f, "the leaf is not one of those of individual enrollment \"{enrollment}\"")
            }
            Self::Flaw(flaw) => flaw.fmt(f),
            Self::NoEnrollment { top, missing: None } => {
                write!(f, "no enrollment for this device: its chain ends with the root \"{top}\" without one")
            }
            Self::NoEnrollment { top, missing: Some(issuer) } => write!(
                f,
                "no enrollment for this device: its chain ends with \"{top}\", whose issuer \"{issuer}\" it did not \
                 present and which is no verified CA certificate here"
            ),
            Self::NotIssued { child, ending: Ending { subject, why } } => write!(
                f,
                "no enrollment for this device: \"{child}\" names \"{subject}\" as its issuer, which is known, but {why}"
            ),
            Self::Untrusted { group, top } => write!(
                f,
                "the signing certificate of enrollment group \"{group}\" is neither verified nor below a verified CA \
                 certificate: the chain ends with \"{top}\""
            ),
        }
    }
}

/// By what a device proves who it is.
#[derive(Clone, Copy)]
pub(super) enum Credentials<'a> {
    /// Leaf first; empty when it presented nothing.
    Chain(&'a [Arc<Certificate>]),
    /// For the right resource, not otherwise judged.
    Token(&'a SasToken),
}

/// What a device is attested by.
pub(super) struct Attestor<'a> {
    pub individuals: &'a EnrollmentStore<IndividualEnrollment>,
    pub groups: &'a EnrollmentStore<EnrollmentGroup>,
    pub certificates: &'a CertificateStore,
    /// Upwards from the leaf of the device.
    pub paths: &'a [Path],
    pub now: DateTime<Utc>,
    /// What its TPM was given to sign a token with.
    pub challenge: Option<&'a Challenge>,
}

impl Attestor<'_> {
    /// Finds the enrollment of a device by its registration ID and what it presented.
    ///
    /// The enrollment found may be disabled: that is for the caller to say, because it is another answer.
    pub(super) fn attest(
        &self,
        registration_id: &str,
        credentials: Credentials<'_>,
    ) -> Result<AcceptedBy, NotAttested> {
        let individual = self.individuals.find(registration_id);
        // A disabled entry bars its device whatever the device shows.
        if let Some(enrollment) = individual
            && enrollment.terms.provisioning_status == ProvisioningStatus::Disabled
        {
            return Ok(AcceptedBy::Individual(Box::new(enrollment.clone())));
        }
        let chain = match credentials {
            Credentials::Chain(chain) => chain,
            Credentials::Token(token) => return self.by_token(registration_id, token, individual),
        };
        let Some(leaf) = chain.first() else {
            return Err(NotAttested::NoCertificate);
        };
        if !leaf.common_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(registration_id)) {
            return Err(NotAttested::CommonName {
                common_name: leaf.common_name.clone(),
                registration_id: registration_id.to_owned(),
            });
        }
        leaf.check_validity(self.now).map_err(NotAttested::Flaw)?;
        match individual {
            Some(enrollment) => by_leaf(enrollment, leaf),
            None => self.by_group(),
        }
    }

    /// A token is made with a key of the individual enrollment, or with one derived from a key of a group.
    fn by_token(
        &self,
        registration_id: &str,
        token: &SasToken,
        individual: Option<&IndividualEnrollment>,
    ) -> Result<AcceptedBy, NotAttested> {
        token.check_expiry(self.now).map_err(NotAttested::Token)?;
        if let Some(enrollment) = individual.filter(|one| one.terms.attestation.kind == AttestationType::Tpm)
        {
            let key = self.challenge.and_then(|challenge| challenge.key_for(&enrollment.terms.attestation));
            let key = key
                .ok_or_else(|| NotAttested::NoChallenge { enrollment: enrollment.registration_id.clone() })?;
            token.check_signature([key]).map_err(NotAttested::Token)?;
            return Ok(AcceptedBy::Individual(Box::new(enrollment.clone())));
        }
        if let Some(enrollment) = individual {
            let keys = enrollment.terms.attestation.symmetric_key.as_ref();
            let keys = keys.ok_or_else(|| NotAttested::OtherAttestation {
                enrollment: enrollment.registration_id.clone(),
            })?;
            token.check_signature(keys.iter()).map_err(NotAttested::Token)?;
            return Ok(AcceptedBy::Individual(Box::new(enrollment.clone())));
        }
        let signs = |group: &&EnrollmentGroup| {
            let keys = group.terms.attestation.symmetric_key.as_ref();
            keys.is_some_and(|keys| token.check_signature(keys.derive(registration_id).iter()).is_ok())
        };
        let group = self.groups.iter().find(signs).ok_or(NotAttested::NoEnrollmentForToken)?;
        Ok(AcceptedBy::Group(Box::new(group.clone())))
    }

    /// The first group found decides, bottom-up; of several paths the first that a group takes counts, and if none
    /// does, the refusal of the first.
    fn by_group(&self) -> Result<AcceptedBy, NotAttested> {
        let verified = self.certificates.verified();
        let mut first = None;
        for path in self.paths {
            match self.by_path(path, &verified) {
                Ok(accepted) => return Ok(accepted),
                Err(refusal) => {
                    first.get_or_insert(refusal);
                }
            }
        }
        Err(first.unwrap_or(NotAttested::NoCertificate))
    }

    fn by_path(&self, path: &Path, verified: &[Arc<Certificate>]) -> Result<AcceptedBy, NotAttested> {
        let above = path.certificates.get(1..).unwrap_or_default();
        let top = path.certificates.last().map(|top| &top.info);
        let top_name = top.map(|info| info.subject_name.clone()).unwrap_or_default();
        let found = above.iter().enumerate().find_map(|(height, certificate)| {
            self.groups.iter().find(|group| self.is_keyed_on(group, certificate)).map(|group| (height, group))
        });
        let Some((height, group)) = found else {
            if let Some(ending) = path.ended_by.clone() {
                return Err(NotAttested::NotIssued { child: top_name, ending });
            }
            let missing = top.filter(|info| info.issuer_name != info.subject_name);
            return Err(NotAttested::NoEnrollment {
                top: top_name,
                missing: missing.map(|info| info.issuer_name.clone()),
            });
        };
        // Trust comes from a verified CA certificate at the group's or above it.
        let is_verified = |certificate: &Arc<Certificate>| verified.iter().any(|known| known.is(certificate));
        let Some(anchor) = (height..above.len()).find(|&index| is_verified(&above[index])) else {
            return Err(NotAttested::Untrusted { group: group.enrollment_group_id.clone(), top: top_name });
        };
        for certificate in &above[..=anchor] {
            certificate.check_validity(self.now).map_err(NotAttested::Flaw)?;
        }
        Ok(AcceptedBy::Group(Box::new(group.clone())))
    }

    fn is_keyed_on(&self, group: &EnrollmentGroup, certificate: &Certificate) -> bool {
        let Some(x509) = &group.terms.attestation.x509 else {
            return false;
        };
        let embedded =
            x509.signing_certificates.as_ref().is_some_and(|signing| signing.contains(certificate));
        let referred = x509.ca_references.as_ref().is_some_and(|references| {
            references.names().any(|name| self.certificates.is_verified(name, certificate))
        });
        embedded || referred
    }
}

fn by_leaf(enrollment: &IndividualEnrollment, leaf: &Certificate) -> Result<AcceptedBy, NotAttested> {
    let x509 = enrollment.terms.attestation.x509.as_ref();
    if x509.is_none() {
        return Err(NotAttested::OtherAttestation { enrollment: enrollment.registration_id.clone() });
    }
    let certificates = x509.and_then(|x509| x509.client_certificates.as_ref());
    if certificates.is_some_and(|certificates| certificates.contains(leaf)) {
        return Ok(AcceptedBy::Individual(Box::new(enrollment.clone())));
    }
    Err(NotAttested::OtherLeaf { enrollment: enrollment.registration_id.clone() })
}
