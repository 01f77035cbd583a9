//! What a namespace refuses.

use std::time::Duration;

use thiserror::Error;

use crate::pki::PkiError;

/// A call of a namespace that was refused.
#[derive(Debug, Error)]
pub enum IssuanceError {
    /// A name of a CA or of a policy that can be none.
    #[error("the name of {0} is 1 to 64 letters, digits and '-', the first and the last no '-'")]
    Name(&'static str),
    /// A policy's validity is out of range.
    #[error(
        "a policy issues certificates that live for 1 second to 90 days, in whole seconds, not for {0:?}"
    )]
    Validity(Duration),
    /// Three CAs are there already.
    #[error("the namespace has {0} issuing CAs, and may not have more: delete one")]
    TooManyAuthorities(usize),
    /// A CA of this name exists already.
    #[error("an issuing CA \"{0}\" exists: delete it first, or choose another name")]
    AuthorityConflict(String),
    /// No such CA.
    #[error("there is no issuing CA \"{0}\": make it first")]
    AuthorityNotFound(String),
    /// The CA still has its policy.
    #[error("the issuing CA \"{authority}\" has the policy \"{policy}\": delete that first")]
    AuthorityInUse {
        /// The CA.
        authority: String,
        /// Its policy.
        policy: String,
    },
    /// A policy of this name exists already.
    #[error("a certificate policy \"{0}\" exists: delete it first, or choose another name")]
    PolicyConflict(String),
    /// The CA has a policy, and may have one.
    #[error("the issuing CA \"{authority}\" has a policy, \"{policy}\", and may not have more than one")]
    AuthorityTaken {
        /// The CA.
        authority: String,
        /// Its policy.
        policy: String,
    },
    /// No such policy.
    #[error("there is no certificate policy \"{0}\": make it first")]
    PolicyNotFound(String),
    /// An enrollment names another CA than the policy's.
    #[error(
        "the certificate policy \"{policy}\" is one of the issuing CA \"{authority}\", not of \"{named}\""
    )]
    OtherAuthority {
        /// The policy.
        policy: String,
        /// The CA it belongs to.
        authority: String,
        /// The CA that was named.
        named: String,
    },
    /// An enrollment names another namespace.
    #[error("there is no namespace \"{named}\" here, but \"{name}\"")]
    OtherNamespace {
        /// The namespace that was named.
        named: String,
        /// The one there is.
        name: String,
    },
    /// Key generation or signing failed.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// What was kept over a restart is not readable.
    #[error(
        "the issuing CA \"{0}\" that was kept is not readable: delete it from the state, or begin with an empty state"
    )]
    Kept(String),
}
