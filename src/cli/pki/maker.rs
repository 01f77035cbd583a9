//! Leafs that live as long as the program: signed, handed to TLS, and written nowhere.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey};
use tracker_certificates::{Fields, same_name};

use super::authority::{Authority, Validity};
use super::certificate::{Certificate, Profile, key_identifier, name};
use super::der::pem;
use super::key::{Curve, PrivateKey};
use super::place::key_location;

/// For so many days.
const DAYS: u32 = 90;

/// Makes leafs.
pub(in crate::cli) struct Maker {
    key: Arc<dyn SigningKey>,
    /// DER of the CA's name.
    issuer: Vec<u8>,
    issuer_key: Vec<u8>,
    /// What a device shows after its leaf.
    above: Vec<CertificateDer<'static>>,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

/// The key stays out of logs.
impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maker").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl Maker {
    /// With the CA in these files; the directory remembers PINs that a token refused.
    pub(in crate::cli) fn open(certificate: &Path, key: &str, directory: &Path) -> anyhow::Result<Self> {
        let (chain, key) = Authority::load(certificate, &key_location(key)?, directory)?.into_parts();
        let (from, until) = (chain.leaf().not_before, chain.leaf().not_after);
        Self::of(&chain.into_der(), key, (from, until))
    }

    /// With a CA that nobody else has; its certificate in PEM is the second.
    pub(in crate::cli) fn with_new_ca(common_name: &str) -> anyhow::Result<(Self, String)> {
        let key = PrivateKey::make(Curve::P256)?;
        let (subject, public_key) = (name(None, common_name)?, key.public()?);
        let Validity { not_before, not_after } = Validity::days(DAYS)?;
        let certificate = Certificate {
            profile: Profile::Root,
            subject: &subject,
            public_key: &public_key,
            issuer: &subject,
            issuer_key: &[],
            not_before,
            not_after,
        };
        let der = certificate.signed_by(&*key.signer)?;
        let text = pem("CERTIFICATE", &der)?;
        Ok((Self::of(&[CertificateDer::from(der)], key.signer, (not_before, not_after))?, text))
    }

    fn of(
        chain: &[CertificateDer<'static>],
        key: Arc<dyn SigningKey>,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> anyhow::Result<Self> {
        let fields = Fields::read(chain.first().context("there is no certificate of a CA")?)?;
        let is_root = |der: &CertificateDer<'_>| {
            Fields::read(der).is_ok_and(|fields| same_name(fields.subject, fields.issuer))
        };
        let validity = Validity::days(DAYS)?;
        Ok(Self {
            key,
            issuer: fields.subject.to_vec(),
            issuer_key: key_identifier(&fields),
            above: chain.iter().filter(|der| !is_root(der)).cloned().collect(),
            not_before: validity.not_before.max(from),
            not_after: validity.not_after.min(until),
        })
    }

    /// A new key with a certificate of this name. What it was made of was looked at once, and no signature is looked at again.
    pub(in crate::cli) fn leaf(&self, id: &str) -> anyhow::Result<CertifiedKey> {
        let key = PrivateKey::make(Curve::P256)?;
        let certificate = Certificate {
            profile: Profile::Leaf,
            subject: &name(None, id)?,
            public_key: &key.public()?,
            issuer: &self.issuer,
            issuer_key: &self.issuer_key,
            not_before: self.not_before,
            not_after: self.not_after,
        };
        let mut chain = vec![CertificateDer::from(certificate.signed_by(&*self.key)?)];
        chain.extend(self.above.iter().cloned());
        Ok(CertifiedKey::new(chain, key.signer))
    }
}
