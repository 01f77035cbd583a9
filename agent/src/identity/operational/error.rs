//! Why a certificate that Azure issues can't be asked for, taken or kept. No error repeats a byte of a key.

use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use tracker_certificates::NotIssued;

use crate::identity::error::IdentityError;
use crate::identity::token_error::TokenError;

/// A leaf, an intermediate and a root are usual.
pub(super) const CERTIFICATES: usize = 8;
/// Of all certificates of a chain together.
pub(super) const BYTES: usize = 32 * 1024;

/// Why a certificate that Azure issues can't be asked for, taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum OperationalError {
    /// A file can't be read, written, or given its name.
    #[error("can't {what} {path}: {source}; the certificate in use stays")]
    Disk {
        /// `write`, say.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No key could be made.
    #[error("can't make a key: this machine gives no random numbers")]
    NoKey,
    /// The key is of another kind than requests are signed with.
    #[error("can't write a certificate request: its key is no EC P-256 key that can be used")]
    Request,
    /// It does not sign.
    #[error("can't sign the certificate request: {0}")]
    Sign(rustls::Error),
    /// A token does not what it should.
    #[error("{}", in_token(.0))]
    Token(#[from] TokenError),
    /// A certificate came, and nobody has asked.
    #[error("a certificate was issued that was not asked for, and is not taken")]
    NotAskedFor,
    /// The service has answered without a certificate.
    #[error("the issued chain is empty; does the enrollment name a certificate policy?")]
    Empty,
    /// More than any service has.
    #[error(
        "the issued chain has {count} certificates in {bytes} bytes, and at most {} in {} are taken",
        CERTIFICATES,
        BYTES
    )]
    TooLarge {
        /// So many.
        count: usize,
        /// All of them together.
        bytes: usize,
    },
    /// A certificate does not parse, or they are out of order.
    #[error("the issued certificate can't be used: {0}")]
    Damaged(IdentityError),
    /// The answer to another request.
    #[error("the issued certificate ({subject}) is for another key than the one that was asked for")]
    OtherKey {
        /// The whole subject.
        subject: String,
    },
    /// Another name.
    #[error("the issued certificate is for {found:?}, and {wanted} has asked for it")]
    OtherName {
        /// Its common name.
        found: String,
        /// The registration ID.
        wanted: String,
    },
    /// The chain does not hold together.
    #[error("the issued chain can't be used: certificate {} has not issued certificate {position}: {why}", position + 1)]
    NotIssued {
        /// 1 is the leaf.
        position: usize,
        /// Why not.
        why: NotIssued,
    },
    /// It is of no use any more.
    #[error("the issued certificate has ended on {not_after}, and it is {now}; one of the two is wrong")]
    Expired {
        /// The last moment of its validity.
        not_after: DateTime<Utc>,
        /// The clock.
        now: DateTime<Utc>,
    },
    /// It is of no use yet.
    #[error("the issued certificate is valid from {not_before} on, and it is {now}; one of the two is wrong")]
    NotYet {
        /// The first moment of its validity.
        not_before: DateTime<Utc>,
        /// The clock.
        now: DateTime<Utc>,
    },
}

/// A token's sentence, with the setting that names this token.
pub(super) fn in_token(error: &TokenError) -> String {
    error.to_string().replace("identity.key", "identity.operational.key")
}
