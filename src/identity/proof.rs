//! What a device proves its identity with: a certificate whose key signs in TLS, or a key that signs tokens.

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use tracker_protocol::RegistrationId;

use super::password::TokenSigner;
#[cfg(feature = "tpm")]
use super::tpm::{Tpm, TpmPlace};

/// What proves an identity.
#[derive(Clone)]
pub enum Proof {
    /// A chain, and the key of its leaf.
    Certificate(Arc<CertifiedKey>),
    /// A key that signs tokens.
    Tokens(Arc<dyn TokenSigner>),
    /// A TPM whose keys sign them.
    #[cfg(feature = "tpm")]
    Tpm(Arc<Tpm>),
}

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
