//! The certificate file: leaf first, then each certificate's issuer.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use tracker_protocol::RegistrationId;

use super::IdentityError;
use super::file::{hint, read_limited};
use crate::identity::certificate::Certificate;

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
