//! Who the device is: its leaf certificate, the chain above it, and the private key in a file or in a token.
//!
//! | file | job |
//! |---|---|
//! | `chain.rs`, `key_file.rs` | what is in files, with the rules of `file.rs` |
//! | `key_location.rs`, `key_uri.rs` | where the key is: a path, or an RFC 7512 URI |
//! | `token/` | a key that stays in its TPM, secure element or HSM (feature `pkcs11`) |
//! | `operational/` | the certificate that Azure issues: its key, the request for it, and both on disk over power cuts |
//! | `proof.rs` | a certificate, or a key that signs tokens |
//! | `without_certificate.rs` | which key a device has instead (feature `sas`); `certificate_alone.rs` takes its place where there is no such device |
//! | `password.rs` | those tokens, which are sent in place of a certificate |
//! | `symmetric_key.rs` | such a key in a file (feature `sas`) |
//! | `tpm/` | such keys in a TPM, which DPS has given to it (feature `tpm`) |
//! | `secret_file.rs` | a password in a file, with the rules of `file.rs` |
//! | `provider.rs` | the cryptography of TLS |
//! | `error.rs`, `token_error.rs` | a sentence for everything that can be wrong |

pub mod certificate;
mod chain;
mod error;
mod file;
mod key_file;
mod key_location;
mod key_uri;
mod key_uri_error;
pub mod operational;
#[cfg(feature = "sas")]
mod password;
mod proof;
pub mod provider;
pub mod secret_file;
#[cfg(feature = "sas")]
mod symmetric_key;
#[cfg(feature = "tpm")]
mod tpm;
mod token_error;
#[cfg(feature = "sas")]
mod without_certificate;
#[cfg(not(feature = "sas"))]
#[path = "certificate_alone.rs"]
mod without_certificate;

#[cfg(feature = "pkcs11")]
mod token;
#[cfg(not(feature = "pkcs11"))]
#[path = "no_token.rs"]
mod token;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::SignatureScheme;
use rustls::sign::{CertifiedKey, SigningKey};
use tracker_protocol::RegistrationId;

use crate::platform::clock::{TimeSource, build_date};

pub use chain::Chain;
pub use error::{IdentityError, ValidityError};
pub use key_location::KeyLocation;
pub use key_uri::{KeyUri, PinSource};
pub use key_uri_error::KeyUriError;
#[cfg(feature = "tpm")]
pub(crate) use password::escaped;
#[cfg(feature = "sas")]
pub use password::{Audience, Password, TokenSigner};
pub use proof::Proof;
pub use token_error::TokenError;
#[cfg(feature = "tpm")]
pub use tpm::{PublicKeys, Tpm, TpmError, TpmPlace};
#[cfg(not(feature = "sas"))]
pub use without_certificate::{Audience, Password, WithoutCertificate};
#[cfg(feature = "sas")]
pub use without_certificate::{TokenKey, WithoutCertificate};

/// How a key may sign outside of TLS, the best first.
const SCHEMES: [SignatureScheme; 5] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA256,
];

/// A checked identity. The key never leaves it but into TLS, and one in a token never leaves that.
#[derive(Clone)]
pub struct Identity {
    /// Common name of the leaf, or what is configured where there is none.
    pub registration_id: RegistrationId,
    /// SHA-256 of the leaf, in hexadecimal; of a device without one, that it is without.
    pub thumbprint: String,
    /// First moment of the leaf's validity; where there is none, when this program was built.
    pub not_before: DateTime<Utc>,
    /// Last moment of the leaf's validity; where there is none, the last of all.
    pub not_after: DateTime<Utc>,
    /// What proves it.
    pub proof: Proof,
}

impl Identity {
    /// Loads and checks certificate, chain and key. Validity in time is [`Identity::validity`]'s business: it depends
    /// on a clock that may not be right yet. A PIN that a token refuses is remembered in the state directory.
    pub fn load(
        certificate: &Path,
        key: &KeyLocation,
        state_directory: &Path,
    ) -> Result<Self, IdentityError> {
        let chain = Chain::read(certificate)?;
        chain.check_order()?;
        // Before a token is asked.
        chain.registration_id()?;
        let signer = signer(&chain, key, state_directory)?;
        Self::of(chain, signer)
    }

    /// Of a chain in order and the key of its leaf.
    fn of(chain: Chain, signer: Arc<dyn SigningKey>) -> Result<Self, IdentityError> {
        let leaf = chain.leaf();
        Ok(Self {
            registration_id: chain.registration_id()?,
            thumbprint: chain.thumbprint(),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            proof: Proof::Certificate(Arc::new(CertifiedKey::new(chain.into_der(), signer))),
        })
    }

    /// Of a device without a certificate; `path` is the file with its key.
    pub fn without_certificate(
        given: &WithoutCertificate,
        path: &Path,
        state_directory: &Path,
    ) -> Result<Self, IdentityError> {
        let registration_id = given.registration_id().clone();
        Ok(Self {
            // Who has got another key is still the same to DPS.
            thumbprint: format!("key of {registration_id}"),
            registration_id,
            not_before: build_date(),
            not_after: DateTime::<Utc>::MAX_UTC,
            proof: given.proof(path, state_directory)?,
        })
    }

    /// What is shown to who knows the leaf itself and wants no chain.
    pub fn leaf_alone(&self) -> Option<Arc<CertifiedKey>> {
        let CertifiedKey { cert, key, .. } = &**self.certified_key()?;
        Some(Arc::new(CertifiedKey::new(cert.iter().take(1).cloned().collect(), key.clone())))
    }

    /// Signs with the key, and says how, as TLS calls it. A token takes up to 100 ms for it.
    pub fn sign(&self, message: &[u8]) -> Result<(SignatureScheme, Vec<u8>), rustls::Error> {
        let general = |why: &str| rustls::Error::General(why.into());
        let certified = self.certified_key().ok_or_else(|| general("this device has no certificate"))?;
        let signer = certified.key.choose_scheme(&SCHEMES);
        let signer = signer.ok_or_else(|| general("the key signs in no way that is known"))?;
        Ok((signer.scheme(), signer.sign(message)?))
    }

    /// Whether the leaf is valid at `now`, which `by` tells, and if not, whether the clock may be to blame.
    pub fn validity(&self, now: DateTime<Utc>, by: TimeSource) -> Result<(), ValidityError> {
        let id = self.registration_id.clone();
        if now < build_date() && now < self.not_before {
            Err(ValidityError::WrongClock { now })
        } else if now < self.not_before {
            Err(ValidityError::NotYet { id, not_before: self.not_before, now, by })
        } else if now > self.not_after {
            Err(ValidityError::Expired { id, not_after: self.not_after, now, by })
        } else {
            Ok(())
        }
    }
}

impl Identity {
    /// Chain and signer for TLS, where a certificate is the proof.
    pub fn certified_key(&self) -> Option<&Arc<CertifiedKey>> {
        match &self.proof {
            Proof::Certificate(certified) => Some(certified),
            #[cfg(feature = "sas")]
            Proof::Tokens(_) => None,
            #[cfg(feature = "tpm")]
            Proof::Tpm(_) => None,
        }
    }

    /// The TPM, where that is the proof.
    #[cfg(feature = "tpm")]
    pub fn tpm(&self) -> Option<&Arc<Tpm>> {
        match &self.proof {
            Proof::Tpm(tpm) => Some(tpm),
            _ => None,
        }
    }

    /// Whether a hub can be shown what it knows the device by. A TPM may have to be given a key first.
    pub fn is_known_to_hubs(&self) -> bool {
        match &self.proof {
            #[cfg(feature = "tpm")]
            Proof::Tpm(tpm) => tpm.has_hub_key(),
            _ => true,
        }
    }

    /// The password at DPS, good until then; none where a certificate is shown.
    pub fn password_at_dps(
        &self,
        id_scope: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<Option<Password>, String> {
        let place = || format!("{id_scope}/registrations/{}", self.registration_id);
        self.proof.password(Audience::Dps, place, until)
    }

    /// The password at a hub, good until then; none where a certificate is shown.
    pub fn password_at_hub(
        &self,
        hub: &str,
        device_id: &str,
        until: Option<DateTime<Utc>>,
    ) -> Result<Option<Password>, String> {
        self.proof.password(Audience::Hub, || format!("{hub}/devices/{device_id}"), until)
    }

    /// Whether it has no certificate: no day at which that ends, and nothing that signs outside of tokens.
    pub fn has_no_certificate(&self) -> bool {
        self.certified_key().is_none()
    }
}

/// The key of the first certificate of a chain, wherever it is.
pub fn signer(
    chain: &Chain,
    key: &KeyLocation,
    state_directory: &Path,
) -> Result<Arc<dyn SigningKey>, IdentityError> {
    let leaf = chain.leaf();
    let signer = match key {
        KeyLocation::File(path) => key_file::load(path, leaf)?,
        KeyLocation::Token(uri) => token::load(uri, leaf, state_directory)?,
    };
    signer.ok_or_else(|| IdentityError::WrongKey {
        key: key.to_string(),
        certificate: chain.path().into(),
        subject: leaf.subject.clone(),
    })
}

/// Makes a P-256 key in a token, of the label that the URI has. One that is there stays.
#[cfg(feature = "lab")]
pub fn make_in_token(uri: &KeyUri, state_directory: &Path) -> Result<Arc<dyn SigningKey>, TokenError> {
    token::make(uri, state_directory)
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registration_id, thumbprint, not_after, .. } = self;
        write!(f, "Identity({registration_id}, SHA-256 {thumbprint}, until {not_after})")
    }
}
