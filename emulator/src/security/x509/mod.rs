//! X.509 as DPS and the hub look at it: what a certificate says, and which chains lead up from a leaf.

mod certificate;
mod chain;
mod fields;
mod name;
#[cfg(test)]
mod tests;

pub(crate) use certificate::Certificate;
pub use certificate::{CertificateError, X509CertificateInfo};
pub(crate) use chain::{Flaw, GoodSignatures, Path, paths};
pub(crate) use fields::Fields;
