//! Why an identity can't be used, and why a certificate is not valid now.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use tracker_certificates::{CertificateError, KeyError, PemError};
use tracker_protocol::{RegistrationId, RegistrationIdError};

use super::token_error::TokenError;
use crate::platform::clock::{self, TimeSource, build_date};

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
        /// Why.
        why: CertificateError,
    },
    /// It can't be taken apart into its PEM blocks.
    #[error("can't read {path} as PEM: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
    /// A serial number that servers refuse.
    #[error(
        "certificate {position} in {path} has a serial number of {length} bytes, and servers need not take more than 20 (RFC 5280); have it issued anew with a shorter one"
    )]
    LongSerial {
        /// The file.
        path: PathBuf,
        /// 1 is the leaf.
        position: usize,
        /// In bytes.
        length: usize,
    },
    /// The key is of a kind that TLS can't use here.
    #[error("the private key {path} can't be used: {why}")]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// Why.
        why: KeyError,
    },
    /// The key belongs to another certificate.
    #[error(
        "the private key {key} is not the key of the certificate {certificate} ({subject}); one of the two is the wrong one"
    )]
    WrongKey {
        /// Where the key is.
        key: String,
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
    /// The file of a symmetric key is not there or can't be read.
    #[cfg(feature = "sas")]
    #[error(
        "can't read the symmetric key {path}: {source}; put it there, readable by the user of this program, or change identity.symmetric_key"
    )]
    ReadSymmetricKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No usable symmetric key in the file.
    #[cfg(feature = "sas")]
    #[error(
        "{path} holds no symmetric key in base64: {why}; put the primary or secondary key of the device's enrollment there (identity.symmetric_key)"
    )]
    BadSymmetricKey {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// The TPM can't be used.
    #[cfg(feature = "tpm")]
    #[error(transparent)]
    Tpm(#[from] super::TpmError),
    /// The key in a token can't be used.
    #[error(transparent)]
    Token(#[from] TokenError),
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

impl IdentityError {
    /// The file of a key or a PIN that can't be read, if that is what is wrong.
    pub fn unreadable_secret(&self) -> Option<&Path> {
        match self {
            Self::ReadKey { path, .. } | Self::Token(TokenError::ReadPin { path, .. }) => Some(path),
            #[cfg(feature = "sas")]
            Self::ReadSymmetricKey { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// Why a certificate is not valid now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    /// It has ended.
    #[error("the certificate of {id} expired on {}, and it is {} {by}; install a new one", date(.not_after), date(.now))]
    Expired {
        /// The registration ID.
        id: RegistrationId,
        /// The last moment of validity.
        not_after: DateTime<Utc>,
        /// The clock.
        now: DateTime<Utc>,
        /// Who tells the time.
        by: TimeSource,
    },
    /// It has not begun, by a clock that can be right.
    #[error("the certificate of {id} is valid from {} on, and it is {} {by}; one of the two is wrong", date(.not_before), date(.now))]
    NotYet {
        /// The registration ID.
        id: RegistrationId,
        /// The first moment of validity.
        not_before: DateTime<Utc>,
        /// The clock.
        now: DateTime<Utc>,
        /// Who tells the time.
        by: TimeSource,
    },
    /// The clock can't be right.
    #[error("the clock is wrong: it says {}, and this program was built on {}; waiting for the time from the network or from GPS", date(.now), date(&build_date()))]
    WrongClock {
        /// The clock.
        now: DateTime<Utc>,
    },
}

fn date(time: &DateTime<Utc>) -> String {
    clock::minute(*time)
}
