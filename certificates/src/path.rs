//! Whether one certificate has issued another: by name, by what the issuer may do, and by the signature.

use crate::fields::Fields;
use crate::name::same_name;
use crate::signature::{SignatureError, verify};

/// Why a certificate has not issued another, or was not allowed to. Each follows after the issuer's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotIssued {
    /// The other names another issuer.
    #[error("it has another name than the issuer")]
    Name,
    /// It has no basic constraints, or they say that it is none.
    #[error("it is no CA: its basic constraints do not say CA:TRUE")]
    NoAuthority,
    /// Its key usage is without `keyCertSign`.
    #[error("it may not sign certificates: its key usage is without keyCertSign")]
    KeyUsage,
    /// Too many intermediates are below it.
    #[error("its path length of {0} allows no CA that far below it")]
    PathLength(u32),
    /// The signature does not fit, or can't be checked.
    #[error("{0}")]
    Signature(SignatureError),
}

/// Whether `issuer` may have issued `child`, with so many intermediates between it and the leaf: by name and by what it
/// is allowed. The signature is not looked at.
pub fn check_issuer(child: &Fields<'_>, issuer: &Fields<'_>, below: usize) -> Result<(), NotIssued> {
    if !same_name(child.issuer, issuer.subject) {
        return Err(NotIssued::Name);
    }
    may_issue(issuer, below)
}

/// Whether `issuer` has issued `child`, with so many intermediates between it and the leaf.
pub fn issued_by(child: &Fields<'_>, issuer: &Fields<'_>, below: usize) -> Result<(), NotIssued> {
    check_issuer(child, issuer, below)?;
    verify(child, issuer).map_err(NotIssued::Signature)
}

/// Whether a certificate may issue others, with so many intermediates between it and the leaf.
pub fn may_issue(issuer: &Fields<'_>, below: usize) -> Result<(), NotIssued> {
    let constraints = issuer.basic_constraints().ok().flatten().filter(|constraints| constraints.ca);
    let path_len = constraints.ok_or(NotIssued::NoAuthority)?.path_len;
    if !issuer.may_sign_certificates().is_ok_and(|may| may) {
        return Err(NotIssued::KeyUsage);
    }
    match path_len {
        Some(limit) if below > limit as usize => Err(NotIssued::PathLength(limit)),
        _ => Ok(()),
    }
}
