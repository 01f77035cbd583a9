//! Who has signed what: signatures, the certificates of their keys, and the roots that those lead to.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use tracker_certificates::{Document, Fields, Name, issued_by};

use super::chain::Chain;
use super::fault::Fault;
use super::record::Record;
use crate::identity::provider::SIGNATURES;
use tracker_evidence::{Hash, Statement, base64, to_sign};

/// Certificates that are trusted to issue those of devices.
pub(super) struct Roots(Vec<CertificateDer<'static>>);

/// A signature that counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signed {
    /// The entry that has it.
    pub(super) seq: u64,
    /// The entry whose hash is signed, and with it all before.
    pub(super) up_to: u64,
    /// SHA-256 of the certificate.
    pub(super) certificate: String,
    /// Its subject.
    pub(super) subject: String,
    /// Its issuer.
    pub(super) issuer: String,
    /// The subject of the root that it leads to; `None` where nobody has asked.
    pub(super) root: Option<String>,
}

/// What came of looking at all of them.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    pub(super) signed: Vec<Signed>,
    /// The first that is wrong, and the number at which it is.
    pub(super) fault: Option<(u64, Fault)>,
}

impl Roots {
    /// Reads a PEM file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = crate::platform::plain_file::read(path, 1024 * 1024)
            .with_context(|| format!("can't read {} (--roots)", path.display()))?;
        let certificates = Document::read(&bytes).and_then(|document| document.certificates());
        let certificates = certificates.with_context(|| format!("{} (--roots)", path.display()))?;
        if certificates.is_empty() {
            bail!("{} (--roots) has no certificate in it", path.display());
        }
        Ok(Self(certificates))
    }

    #[cfg(test)]
    pub(super) fn of(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self(certificates)
    }

    /// The subject of the root that this chain of certificates leads to.
    pub(super) fn of_chain(&self, chain: &[Vec<u8>]) -> Result<String, String> {
        let read = |der: &'_ [u8]| {
            Fields::read(der).map_err(|error| format!("a certificate can't be read: {error}")).map(|_| ())
        };
        chain.iter().try_for_each(|der| read(der))?;
        for (below, pair) in chain.windows(2).enumerate() {
            let [Ok(child), Ok(issuer)] = [&pair[0], &pair[1]].map(|der| Fields::read(der)) else { continue };
            issued_by(&child, &issuer, below)
                .map_err(|why| format!("its certificate was not issued by the next in its chain: {why}"))?;
        }
        let last = chain.last().map(Vec::as_slice).unwrap_or_default();
        for root in &self.0 {
            let (Ok(top), Ok(fields)) = (Fields::read(last), Fields::read(root)) else { continue };
            // Also the device's own, where it was enrolled by that alone.
            if root.as_ref() == last || issued_by(&top, &fields, chain.len() - 1).is_ok() {
                return Ok(name(fields.subject));
            }
        }
        Err("its certificate leads to none of the roots (--roots)".into())
    }
}

impl Signatures {
    /// Whether a signature covers this entry: it lies before one that is signed, in the same chain.
    pub(super) fn cover(&self, seq: u64, chain: &Chain) -> bool {
        self.signed.iter().any(|signed| {
            let begins =
                |(from, after): (&u64, &Option<u64>)| after.is_none() && *from > seq && *from <= signed.up_to;
            seq <= signed.up_to && !chain.starts.iter().any(begins) && !chain.loose.contains(&seq)
        })
    }

    /// Looks at all signatures in a record of this device.
    pub(super) fn of(device: &str, record: &Record, chain: &Chain, roots: Option<&Roots>) -> Self {
        let (mut found, mut keys) = (Self::default(), BTreeMap::new());
        for (seq, statement) in record.statements() {
            match statement {
                Statement::Certificate { thumbprint, chain } => {
                    let ders: Vec<Vec<u8>> = chain.iter().filter_map(|text| base64::decode(text)).collect();
                    keys.insert(thumbprint, ders);
                }
                Statement::Signature { up_to, head, certificate, scheme, signature } => {
                    let signature = base64::decode(&signature).unwrap_or_default();
                    let time = record.entries.get(&seq).and_then(super::record::Numbered::time);
                    let key = keys.get(&certificate).map(Vec::as_slice).unwrap_or_default();
                    let checked = check(device, key, &certificate, time, roots).and_then(|who| {
                        verify(&key[0], &scheme, &to_sign(up_to, head, &certificate), &signature)
                            .map(|()| who)
                    });
                    match checked {
                        // What it names may have been lost with the power: it covers nothing, and nothing is missing by it.
                        Err(_) if chain.loose.contains(&seq) => {}
                        Err(why) => {
                            found.fault.get_or_insert((seq, Fault::Signature { seq, why }));
                        }
                        Ok((subject, issuer, root)) => {
                            let after = found.signed.last().map(|signed: &Signed| signed.up_to);
                            if !is_of(chain, up_to, head) {
                                found.fault.get_or_insert((up_to, Fault::Signed { after, up_to }));
                            } else if chain.hashes.contains_key(&up_to) {
                                found.signed.push(Signed { seq, up_to, certificate, subject, issuer, root });
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }
}

/// Whether the signed hash is the one computed; of what was not received nothing is known.
fn is_of(chain: &Chain, up_to: u64, head: Hash) -> bool {
    chain.hashes.get(&up_to).is_none_or(|computed| *computed == head)
}

/// Whether a certificate may speak for the device: subject, issuer, and the root where there are roots.
fn check(
    device: &str,
    chain: &[Vec<u8>],
    thumbprint: &str,
    time: Option<DateTime<Utc>>,
    roots: Option<&Roots>,
) -> Result<(String, String, Option<String>), String> {
    let leaf = chain.first().ok_or("the certificate that it names was not received before it")?;
    let digest: String = digest(&SHA256, leaf).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != thumbprint {
        return Err("the certificate that was received is not the one that it names".into());
    }
    let fields = Fields::read(leaf).map_err(|error| format!("its certificate can't be read: {error}"))?;
    let subject =
        Name::read(fields.subject).map_err(|error| format!("its certificate can't be read: {error}"))?;
    if subject.common_name().as_deref() != Some(device) {
        return Err(format!("its certificate is that of {}, not of {device}", name(fields.subject)));
    }
    let valid = fields.not_before..=fields.not_after;
    if time.is_none_or(|time| !valid.contains(&time.timestamp())) {
        return Err("its certificate was not valid when it was made".into());
    }
    let root = roots.map(|roots| roots.of_chain(chain)).transpose()?;
    Ok((name(fields.subject), name(fields.issuer), root))
}

fn name(der: &[u8]) -> String {
    Name::read(der).ok().and_then(|name| name.text(&[])).unwrap_or_else(|| "a name that is no text".into())
}

/// Whether the key of this certificate has signed the message.
fn verify(leaf: &[u8], scheme: &str, message: &str, signature: &[u8]) -> Result<(), String> {
    let fields = Fields::read(leaf).map_err(|error| error.to_string())?;
    let known = SIGNATURES;
    let of_scheme = known.mapping.iter().filter(|(of, _)| of.as_str() == Some(scheme));
    let algorithms: Vec<_> = of_scheme.flat_map(|(_, algorithms)| *algorithms).collect();
    if algorithms.is_empty() {
        return Err(format!("{scheme:?} is no way to sign that this program knows"));
    }
    let (key_algorithm, key) = fields.key();
    let fits = algorithms.iter().any(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == key_algorithm
            && algorithm.verify_signature(key, message.as_bytes(), signature).is_ok()
    });
    if fits {
        Ok(())
    } else {
        Err("it is not made with the key of its certificate, or of another hash".into())
    }
}
