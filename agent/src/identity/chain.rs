//! The certificate file: leaf first, then each certificate's issuer.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustls::pki_types::CertificateDer;
use tracker_certificates::{Document, Fields, NotIssued, issued_by};
use tracker_protocol::RegistrationId;

use super::certificate::{Certificate, thumbprint};
use super::error::IdentityError;
use super::file::read_limited;

/// Octets of the longest serial number that every server takes: RFC 5280 has 20, and one may keep the sign.
const LONGEST_SERIAL: usize = 21;

/// The certificates of one file, of which there is at least one.
#[derive(Debug, Clone)]
pub struct Chain {
    path: PathBuf,
    der: Vec<CertificateDer<'static>>,
    /// As many.
    parsed: Vec<Certificate>,
}

impl Chain {
    /// Reads and parses every certificate in a PEM file of at most 256 KiB. Their order is [`Chain::check_order`]'s
    /// business.
    pub fn read(path: &Path) -> Result<Self, IdentityError> {
        let bytes = read_limited(path)
            .map_err(|source| IdentityError::ReadCertificate { path: path.into(), source })?;
        Self::of_pem(path, &bytes)
    }

    /// As [`Chain::read`], of what is in a file already read.
    pub(super) fn of_pem(path: &Path, bytes: &[u8]) -> Result<Self, IdentityError> {
        let pem = |source| IdentityError::Pem { path: path.into(), source };
        let document = Document::read(bytes).map_err(pem)?;
        let der = document.certificates().map_err(pem)?;
        if der.is_empty() {
            return Err(IdentityError::NoCertificate { path: path.into(), hint: document.instead() });
        }
        Self::of_der(path, der)
    }

    /// As [`Chain::read`], of at least one certificate; `path` is what sentences call the place that they come from.
    pub(super) fn of_der(path: &Path, der: Vec<CertificateDer<'static>>) -> Result<Self, IdentityError> {
        let parse = |(index, der)| {
            let position = index + 1;
            match Certificate::parse(der) {
                Err(why) => Err(IdentityError::Damaged { path: path.into(), position, why }),
                Ok(Certificate { serial_length, .. }) if serial_length > LONGEST_SERIAL => {
                    Err(IdentityError::LongSerial { path: path.into(), position, length: serial_length })
                }
                Ok(certificate) => Ok(certificate),
            }
        };
        let parsed = der.iter().enumerate().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { path: path.into(), der, parsed })
    }

    /// Whether each certificate is followed by that of its issuer, by name.
    pub fn check_order(&self) -> Result<(), IdentityError> {
        for (index, pair) in self.parsed.windows(2).enumerate() {
            if !pair[0].names_issuer(&pair[1]) {
                return Err(IdentityError::ChainOrder {
                    path: self.path.clone(),
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

    /// Whether each certificate has issued the one before it, signature and all. The position of the one that has not
    /// been, with the reason; 1 is the leaf.
    pub fn check_signatures(&self) -> Result<(), (usize, NotIssued)> {
        for (index, pair) in self.der.windows(2).enumerate() {
            // They were read when the file was.
            if let (Ok(child), Ok(issuer)) = (Fields::read(&pair[0]), Fields::read(&pair[1])) {
                issued_by(&child, &issuer, index).map_err(|why| (index + 1, why))?;
            }
        }
        Ok(())
    }

    /// When the first of the issuers ends that are in the file.
    pub fn issuers_end(&self) -> Option<DateTime<Utc>> {
        self.parsed.iter().skip(1).map(|issuer| issuer.not_after).min()
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The device's own certificate.
    pub fn leaf(&self) -> &Certificate {
        // Without one there is no chain.
        &self.parsed[0]
    }

    /// SHA-256 of the leaf, in hexadecimal.
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.der[0])
    }

    /// The common name of the leaf.
    pub fn registration_id(&self) -> Result<RegistrationId, IdentityError> {
        let leaf = self.leaf();
        let name = leaf.common_name.as_deref().ok_or_else(|| IdentityError::NoCommonName {
            path: self.path.clone(),
            subject: leaf.subject.clone(),
        })?;
        name.parse().map_err(|source| IdentityError::CommonName { path: self.path.clone(), source })
    }

    /// All of them, the leaf first.
    pub fn certificates(&self) -> &[Certificate] {
        &self.parsed
    }

    /// All of them as TLS sends them.
    pub fn der(&self) -> &[CertificateDer<'static>] {
        &self.der
    }

    /// As [`Chain::der`].
    pub fn into_der(self) -> Vec<CertificateDer<'static>> {
        self.der
    }
}
