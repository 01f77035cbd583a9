//! Who the device is: its leaf certificate, the chain above it, and the private key.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tracker_protocol::{RegistrationId, RegistrationIdError};

use crate::certificate::{Certificate, thumbprint};
use crate::clock::build_date;
use crate::config::IdentityConfig;

/// Larger files are no certificates and no keys.
const LARGEST_FILE: u64 = 256 * 1024;

/// A checked identity. The key never leaves it but into TLS.
#[derive(Clone)]
pub struct Identity {
    /// Common name of the leaf.
    pub registration_id: RegistrationId,
    /// SHA-256 of the leaf, in hexadecimal.
    pub thumbprint: String,
    /// First moment of the leaf's validity.
    pub not_before: DateTime<Utc>,
    /// Last moment of the leaf's validity.
    pub not_after: DateTime<Utc>,
    /// Chain and signer for TLS.
    pub certified_key: Arc<CertifiedKey>,
}

/// Why an identity can't be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The certificate file is not there or can't be read.
    #[error(
        "can't read the certificate {path}: {source}; put the leaf and its chain there, or change identity.certificate"
    )]
    ReadCertificate {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key file is not there or can't be read.
    #[error(
        "can't read the private key {path}: {source}; put it there, readable by the user of this program, or change identity.key"
    )]
    ReadKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No PEM certificate in the file.
    #[error("{path} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----){hint}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
        /// What it may be instead.
        hint: &'static str,
    },
    /// No usable private key in the file.
    #[error(
        "{path} holds no private key in PEM form: PKCS#8, SEC1 or PKCS#1, not encrypted, is what can be used{hint}"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What it may be instead.
        hint: &'static str,
    },
    /// A certificate does not parse.
    #[error("certificate {position} in {path} is damaged: {why}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// 1 is the leaf.
        position: usize,
        /// The parser's words.
        why: String,
    },
    /// The key is of a kind that TLS can't use here.
    #[error("the private key {path} can't be used: {why}; EC P-256, EC P-384 and RSA can")]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// The library's words.
        why: String,
    },
    /// The key belongs to another certificate.
    #[error(
        "the private key {key} is not the key of the certificate {certificate} ({subject}); one of the two files is the wrong one"
    )]
    WrongKey {
        /// The key file.
        key: PathBuf,
        /// The certificate file.
        certificate: PathBuf,
        /// Subject of the leaf.
        subject: String,
    },
    /// The chain does not go leaf, issuer, issuer's issuer.
    #[error(
        "the chain in {path} is out of order: certificate {position} ({subject}) was issued by {issuer}, but certificate {next} is {found}; the order is leaf first, then each certificate's issuer"
    )]
    ChainOrder {
        /// The file.
        path: PathBuf,
        /// 1 is the leaf.
        position: usize,
        /// `position + 1`.
        next: usize,
        /// Subject at `position`.
        subject: String,
        /// Its issuer.
        issuer: String,
        /// Subject at `next`.
        found: String,
    },
    /// Others than owner and group can read or change the key, or the group can change it.
    #[error("the private key {path} is open to others (mode {mode:03o}); run: chmod 600 {path}")]
    KeyPermissions {
        /// The key file.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// The leaf has no common name.
    #[error(
        "the leaf in {path} has no common name (CN), which is the registration ID; its subject is {subject:?}"
    )]
    NoCommonName {
        /// The file.
        path: PathBuf,
        /// The whole subject.
        subject: String,
    },
    /// The common name is not acceptable to DPS.
    #[error("the common name of the leaf in {path} can't be used: {source}")]
    CommonName {
        /// The file.
        path: PathBuf,
        /// Which rule it breaks.
        source: RegistrationIdError,
    },
}

/// Why a certificate is not valid now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    /// It has ended.
    #[error("the certificate of {id} expired on {}; install a new one", date(.not_after))]
    Expired {
        /// The registration ID.
        id: RegistrationId,
        /// The last moment of validity.
        not_after: DateTime<Utc>,
    },
    /// It has not begun, by a clock that can be right.
    #[error("the certificate of {id} is valid from {} on, and the clock says {}; one of the two is wrong", date(.not_before), date(.now))]
    NotYet {
        /// The registration ID.
        id: RegistrationId,
        /// The first moment of validity.
        not_before: DateTime<Utc>,
        /// The clock.
        now: DateTime<Utc>,
    },
    /// The clock can't be right.
    #[error("the clock is wrong: it says {}, and this program was built on {}; waiting for the time from the network or from GPS", date(.now), date(&build_date()))]
    WrongClock {
        /// The clock.
        now: DateTime<Utc>,
    },
}

fn date(time: &DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

impl Identity {
    /// Loads and checks certificate, chain and key. Validity in time is [`Identity::validity`]'s business: it depends
    /// on a clock that may not be right yet.
    pub fn load(config: &IdentityConfig) -> Result<Self, IdentityError> {
        let IdentityConfig { certificate: path, key: key_path } = config;
        let chain = read_chain(path)?;
        let parsed = parse_chain(path, &chain)?;
        let leaf = &parsed[0];
        check_order(path, &parsed)?;
        let registration_id = registration_id(path, leaf)?;
        let key = read_key(key_path)?;
        let signer = any_supported_type(&key)
            .map_err(|error| IdentityError::UnusableKey { path: key_path.clone(), why: error.to_string() })?;
        let belongs = signer.public_key().is_none_or(|public| public.as_ref() == leaf.public_key);
        if !belongs {
            return Err(IdentityError::WrongKey {
                key: key_path.clone(),
                certificate: path.clone(),
                subject: leaf.subject.clone(),
            });
        }
        Ok(Self {
            registration_id,
            thumbprint: thumbprint(&chain[0]),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            certified_key: Arc::new(CertifiedKey::new(chain, signer)),
        })
    }

    /// Whether the leaf is valid at `now`, and if not, whether the clock may be to blame.
    pub fn validity(&self, now: DateTime<Utc>) -> Result<(), ValidityError> {
        let id = self.registration_id.clone();
        if now < build_date() && now < self.not_before {
            Err(ValidityError::WrongClock { now })
        } else if now < self.not_before {
            Err(ValidityError::NotYet { id, not_before: self.not_before, now })
        } else if now > self.not_after {
            Err(ValidityError::Expired { id, not_after: self.not_after })
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registration_id, thumbprint, not_after, .. } = self;
        write!(f, "Identity({registration_id}, SHA-256 {thumbprint}, until {not_after})")
    }
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        let why = format!("it is larger than {} KiB and so no PEM file of this kind", LARGEST_FILE / 1024);
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(bytes)
}

/// What a file without the PEM blocks looked for may be.
fn hint(bytes: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(bytes);
    if bytes.is_empty() {
        "; the file is empty"
    } else if bytes.first() == Some(&0x30) {
        "; it looks like DER, convert it: openssl x509 -inform DER, openssl pkey -inform DER, or openssl pkcs12 -nodes for a .pfx"
    } else if text.contains("ENCRYPTED") {
        "; it is encrypted, decrypt it: openssl pkey -in FILE -out NEWFILE"
    } else if text.contains("PRIVATE KEY-----") {
        "; it holds a private key"
    } else if text.contains("CERTIFICATE REQUEST-----") {
        "; it holds a certificate request, which a CA must sign first"
    } else if text.contains("BEGIN CERTIFICATE-----") {
        "; it holds a certificate"
    } else {
        ""
    }
}

pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let bytes =
        read_limited(path).map_err(|source| IdentityError::ReadCertificate { path: path.into(), source })?;
    let mut chain = Vec::new();
    for certificate in rustls_pemfile::certs(&mut bytes.as_slice()) {
        match certificate {
            Ok(certificate) => chain.push(certificate),
            Err(error) => {
                let position = chain.len() + 1;
                return Err(IdentityError::Damaged { path: path.into(), position, why: error.to_string() });
            }
        }
    }
    if chain.is_empty() {
        return Err(IdentityError::NoCertificate { path: path.into(), hint: hint(&bytes) });
    }
    Ok(chain)
}

pub(crate) fn parse_chain(
    path: &Path,
    chain: &[CertificateDer<'_>],
) -> Result<Vec<Certificate>, IdentityError> {
    let parse = |(index, der)| {
        Certificate::parse(der).map_err(|error| IdentityError::Damaged {
            path: path.into(),
            position: index + 1,
            why: error.to_string(),
        })
    };
    chain.iter().enumerate().map(parse).collect()
}

pub(crate) fn check_order(path: &Path, chain: &[Certificate]) -> Result<(), IdentityError> {
    for (index, pair) in chain.windows(2).enumerate() {
        if !pair[0].names_issuer(&pair[1]) {
            return Err(IdentityError::ChainOrder {
                path: path.into(),
                position: index + 1,
                next: index + 2,
                subject: pair[0].subject.clone(),
                issuer: pair[0].issuer.clone(),
                found: pair[1].subject.clone(),
            });
        }
    }
    Ok(())
}

pub(crate) fn registration_id(path: &Path, leaf: &Certificate) -> Result<RegistrationId, IdentityError> {
    let name = leaf
        .common_name
        .as_deref()
        .ok_or_else(|| IdentityError::NoCommonName { path: path.into(), subject: leaf.subject.clone() })?;
    name.parse().map_err(|source| IdentityError::CommonName { path: path.into(), source })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let read = |source| IdentityError::ReadKey { path: path.into(), source };
    check_permissions(path)?;
    let bytes = read_limited(path).map_err(read)?;
    match rustls_pemfile::private_key(&mut bytes.as_slice()) {
        Ok(Some(key)) => Ok(key),
        Ok(None) => Err(IdentityError::NoKey { path: path.into(), hint: hint(&bytes) }),
        Err(error) => Err(IdentityError::UnusableKey { path: path.into(), why: error.to_string() }),
    }
}

/// A group may read the key (as Debian's `ssl-cert` does), nobody else.
#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), IdentityError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata =
        fs::metadata(path).map_err(|source| IdentityError::ReadKey { path: path.into(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o037 != 0 {
        return Err(IdentityError::KeyPermissions { path: path.into(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_permissions(path: &Path) -> Result<(), IdentityError> {
    fs::metadata(path).map(|_| ()).map_err(|source| IdentityError::ReadKey { path: path.into(), source })
}
