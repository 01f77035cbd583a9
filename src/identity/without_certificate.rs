//! A device without a certificate: which key it has instead, and the passwords that this key signs.

use std::path::Path;
#[cfg(feature = "tpm")]
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracker_protocol::RegistrationId;

use super::password::{Audience, Password};
#[cfg(feature = "tpm")]
use super::tpm::{Tpm, TpmPlace};
use super::{Identity, IdentityError, Proof, symmetric_key};
use crate::platform::clock::build_date;

/// How a device without a certificate proves who it is, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithoutCertificate {
    /// Nothing else says it.
    pub registration_id: RegistrationId,
    /// Where the key is.
    pub key: TokenKey,
}

/// Where the key is that signs tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKey {
    /// In the file that `identity.symmetric_key` names.
    File,
    /// In the TPM that `identity.tpm` names.
    #[cfg(feature = "tpm")]
    Tpm(TpmPlace),
}

impl TokenKey {
    fn proof(&self, path: &Path, state_directory: &Path) -> Result<Proof, IdentityError> {
        match self {
            Self::File => {
                // A TPM alone keeps something there.
                let _ = state_directory;
                symmetric_key::load(path).map(Proof::Tokens)
            }
            #[cfg(feature = "tpm")]
            Self::Tpm(place) => Ok(Proof::Tpm(Arc::new(Tpm::open(place, state_directory)?))),
        }
    }
}

impl Identity {
    /// Of a device without a certificate; `path` is the file with its key.
    pub fn without_certificate(
        given: &WithoutCertificate,
        path: &Path,
        state_directory: &Path,
    ) -> Result<Self, IdentityError> {
        Ok(Self {
            registration_id: given.registration_id.clone(),
            // Who has got another key is still the same to DPS.
            thumbprint: format!("key of {}", given.registration_id),
            not_before: build_date(),
            not_after: DateTime::<Utc>::MAX_UTC,
            proof: given.key.proof(path, state_directory)?,
        })
    }

    /// The password at DPS, good until then; none where a certificate is shown.
    pub fn password_at_dps(
        &self,
        id_scope: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<Option<Password>, String> {
        self.password(Audience::Dps, &format!("{id_scope}/registrations/{}", self.registration_id), until)
    }

    /// The password at a hub, good until then; none where a certificate is shown.
    pub fn password_at_hub(
        &self,
        hub: &str,
        device_id: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<Option<Password>, String> {
        self.password(Audience::Hub, &format!("{hub}/devices/{device_id}"), until)
    }

    fn password(
        &self,
        audience: Audience,
        place: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<Option<Password>, String> {
        let until = || until.ok_or_else(|| "the time is not known".to_owned());
        match &self.proof {
            Proof::Certificate(_) => Ok(None),
            Proof::Tokens(signer) => Password::token(&**signer, audience, place, until()?).map(Some),
            #[cfg(feature = "tpm")]
            Proof::Tpm(tpm) => Password::token(&**tpm, audience, place, until()?).map(Some),
        }
    }
}
