//! A CA: its certificate with those above it, and its key, in a file or in a token.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use rustls::sign::SigningKey;
use tracker_certificates::{Fields, issued_by, may_issue, same_name};

use super::certificate::{Certificate, Profile, key_identifier};
use super::der::pem;
use crate::identity::{self, Chain, KeyLocation};
use crate::platform::clock::{build_date, system_time};

/// Clocks differ: what is made now is good since an hour ago.
const BEFORE: TimeDelta = TimeDelta::hours(1);

/// From when to when.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Validity {
    pub(super) not_before: DateTime<Utc>,
    pub(super) not_after: DateTime<Utc>,
}

impl Validity {
    /// From now on for so many days.
    pub(super) fn days(days: u32) -> anyhow::Result<Self> {
        let now = now()?;
        Ok(Self { not_before: now - BEFORE, not_after: now + TimeDelta::days(i64::from(days)) })
    }
}

/// What this machine's clock shows, unless it can't be right.
pub(super) fn now() -> anyhow::Result<DateTime<Utc>> {
    let now = system_time();
    if now < build_date() {
        bail!(
            "this machine's clock shows {}, which is before this program was built; set it (timedatectl), or certificates would \
             end before they begin",
            now.format("%Y-%m-%d")
        );
    }
    Ok(now)
}

/// A CA that can sign.
#[derive(Debug)]
pub(in crate::cli) struct Authority {
    chain: Chain,
    key: Arc<dyn SigningKey>,
}

impl Authority {
    /// Reads certificate and key, and looks whether it may sign leafs today. The directory remembers PINs that a token refused.
    pub(super) fn load(certificate: &Path, key: &KeyLocation, directory: &Path) -> anyhow::Result<Self> {
        if !certificate.exists() {
            bail!("there is no CA in {}; make one with: container-tracker pki init", certificate.display());
        }
        let chain = Chain::read(certificate)?;
        chain.check_order()?;
        if let Err((position, why)) = chain.check_signatures() {
            bail!("certificate {position} in {} is not issued by the next one: {why}", certificate.display());
        }
        let key = identity::signer(&chain, key, directory).context("the key of the CA can't be used")?;
        let authority = Self { chain, key };
        let fields = authority.fields()?;
        may_issue(&fields, 0).with_context(|| format!("{} can't sign devices", certificate.display()))?;
        let leaf = authority.chain.leaf();
        let now = now()?;
        if now > leaf.not_after {
            bail!(
                "the CA {} has ended on {}: a new one is wanted, and the enrollment group must be told of it",
                certificate.display(),
                leaf.not_after.format("%Y-%m-%d")
            );
        }
        if now < leaf.not_before {
            bail!(
                "the CA {} begins on {}, and this machine's clock shows {}",
                certificate.display(),
                leaf.not_before.format("%Y-%m-%d"),
                now.format("%Y-%m-%d")
            );
        }
        Ok(authority)
    }

    pub(super) fn fields(&self) -> anyhow::Result<Fields<'_>> {
        // It was read before.
        Ok(Fields::read(&self.chain.der()[0])?)
    }

    /// The whole subject, for people.
    pub(super) fn subject(&self) -> &str {
        &self.chain.leaf().subject
    }

    /// Signs a certificate, and looks whether it is what was meant: a token may have given another key.
    pub(super) fn issue(
        &self,
        profile: Profile,
        subject: &[u8],
        public_key: &[u8],
        validity: Validity,
    ) -> anyhow::Result<Vec<u8>> {
        let own = self.fields()?;
        let leaf = self.chain.leaf();
        if validity.not_after > leaf.not_after {
            bail!(
                "it would outlive its CA, {}, which ends on {}: --days {} at the most",
                leaf.subject,
                leaf.not_after.format("%Y-%m-%d"),
                (leaf.not_after - now()?).num_days()
            );
        }
        let certificate = Certificate {
            profile,
            subject,
            public_key,
            issuer: own.subject,
            issuer_key: &key_identifier(&own),
            not_before: validity.not_before.max(leaf.not_before),
            not_after: validity.not_after,
        };
        let der = certificate.signed_by(&*self.key)?;
        issued_by(&Fields::read(&der)?, &own, 0).context("the certificate that was made is not the CA's")?;
        Ok(der)
    }

    /// The certificate with those above it, and the key.
    pub(super) fn into_parts(self) -> (Chain, Arc<dyn SigningKey>) {
        (self.chain, self.key)
    }

    /// What a device shows after its leaf: the CA and those above it, without a root.
    pub(super) fn chain_pem(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for der in self.chain.der() {
            let fields = Fields::read(der)?;
            if !same_name(fields.subject, fields.issuer) {
                text += &pem("CERTIFICATE", der)?;
            }
        }
        Ok(text)
    }
}
