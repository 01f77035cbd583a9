//! X.509 as DPS and the hub look at it: what a certificate says, and which chains lead up from a leaf. Certificates are
//! read by `tracker-certificates`, as the agent reads its own.

mod certificate;
mod chain;
mod name;
#[cfg(test)]
mod tests;

pub(crate) use certificate::Certificate;
pub use certificate::{CertificateError, X509CertificateInfo};
pub(crate) use chain::{Ending, Flaw, GoodSignatures, Path, paths};

/// What is known when a client has shown no certificate.
pub(crate) const NONE_PRESENTED: &str = "no client certificate was presented (a client presents none either where TLS \
                                         has no signature for its key here: EC P-256, EC P-384, Ed25519 and RSA have one)";
