//! Private keys: made here, or read of a file where one is already.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::SigningKey;
use tracker_certificates::{Document, Key};

use super::der::pem;
use crate::platform::plain_file;

/// Larger files are no keys.
const LARGEST: u64 = 64 * 1024;

/// A kind of key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Curve {
    /// EC P-256: every device and every service can do it.
    #[default]
    P256,
    /// EC P-384.
    P384,
}

/// A private key outside of any token.
pub(super) struct PrivateKey {
    der: PrivateKeyDer<'static>,
    pub(super) signer: Arc<dyn SigningKey>,
}

/// The key stays out of logs.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl PrivateKey {
    /// Makes one.
    pub(super) fn make(curve: Curve) -> anyhow::Result<Self> {
        let algorithm = match curve {
            Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        };
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).ok();
        let made = made.context("no key can be made: the system gives no random numbers")?;
        Self::of(PrivatePkcs8KeyDer::from(made.as_ref().to_vec()).into(), Path::new("the new key"))
    }

    /// Reads the one of a PEM file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = plain_file::read(path, LARGEST)
            .with_context(|| format!("can't read the private key {}", path.display()))?;
        let document = Document::read(&bytes).with_context(|| format!("can't read {}", path.display()))?;
        let keys = document.keys().with_context(|| format!("can't read {}", path.display()))?;
        let [key] = keys.as_slice() else {
            bail!(
                "{} holds {} private keys, and one is wanted{}",
                path.display(),
                keys.len(),
                document.instead()
            );
        };
        let key =
            Key::read(key, &[]).with_context(|| format!("the key in {} can't be used", path.display()))?;
        Self::of(key.der, path)
    }

    fn of(der: PrivateKeyDer<'static>, path: &Path) -> anyhow::Result<Self> {
        // The library's words are not handed on, whatever they are.
        let signer = any_supported_type(&der).ok();
        let signer = signer.with_context(|| format!("the key in {} is damaged", path.display()))?;
        Ok(Self { der, signer })
    }

    /// In PEM, as it was read or made.
    pub(super) fn pem(&self) -> anyhow::Result<String> {
        let label = match &self.der {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        pem(label, self.der.secret_der())
    }

    /// PKCS#8, which PFX files hold; `None` where it is in an older form.
    pub(super) fn pkcs8(&self) -> Option<&[u8]> {
        match &self.der {
            PrivateKeyDer::Pkcs8(der) => Some(der.secret_pkcs8_der()),
            _ => None,
        }
    }

    /// `SubjectPublicKeyInfo`.
    pub(super) fn public(&self) -> anyhow::Result<Vec<u8>> {
        public(&*self.signer)
    }
}

/// `SubjectPublicKeyInfo` of a key, wherever it is.
pub(super) fn public(signer: &dyn SigningKey) -> anyhow::Result<Vec<u8>> {
    Ok(signer.public_key().context("the key does not tell its public half")?.to_vec())
}
