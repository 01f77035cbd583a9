//! A device without a certificate: which key it has instead, and the passwords that this key signs.

use std::path::Path;
#[cfg(feature = "tpm")]
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracker_protocol::RegistrationId;

use super::password::{Audience, Password};
#[cfg(feature = "tpm")]
use super::tpm::{Tpm, TpmPlace};
use super::{IdentityError, Proof, symmetric_key};

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

impl WithoutCertificate {
    pub(super) fn registration_id(&self) -> &RegistrationId {
        &self.registration_id
    }

    /// What signs the tokens; `path` is the file with the key.
    pub(super) fn proof(&self, path: &Path, state_directory: &Path) -> Result<Proof, IdentityError> {
        match &self.key {
            TokenKey::File => {
                // A TPM alone keeps something there.
                let _ = state_directory;
                symmetric_key::load(path).map(Proof::Tokens)
            }
            #[cfg(feature = "tpm")]
            TokenKey::Tpm(place) => Ok(Proof::Tpm(Arc::new(Tpm::open(place, state_directory)?))),
        }
    }
}

impl Proof {
    /// A password for a place, good until then; none where a certificate is shown.
    pub(super) fn password(
        &self,
        audience: Audience,
        place: impl FnOnce() -> String,
        until: Option<DateTime<Utc>>,
    ) -> Result<Option<Password>, String> {
        let until = || until.ok_or_else(|| "the time is not known".to_owned());
        match self {
            Self::Certificate(_) => Ok(None),
            Self::Tokens(signer) => Password::token(&**signer, audience, &place(), until()?).map(Some),
            #[cfg(feature = "tpm")]
            Self::Tpm(tpm) => Password::token(&**tpm, audience, &place(), until()?).map(Some),
        }
    }
}
