//! What a device proves its identity with: a certificate whose key signs in TLS, or a key that signs tokens.

use std::sync::Arc;

use rustls::sign::CertifiedKey;

#[cfg(feature = "sas")]
use super::password::TokenSigner;
#[cfg(feature = "tpm")]
use super::tpm::Tpm;

/// What proves an identity.
#[derive(Clone)]
pub enum Proof {
    /// A chain, and the key of its leaf.
    Certificate(Arc<CertifiedKey>),
    /// A key that signs tokens.
    #[cfg(feature = "sas")]
    Tokens(Arc<dyn TokenSigner>),
    /// A TPM whose keys sign them.
    #[cfg(feature = "tpm")]
    Tpm(Arc<Tpm>),
}
