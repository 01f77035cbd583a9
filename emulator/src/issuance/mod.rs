//! A namespace that issues certificates to devices, as Azure Device Registry does it (a preview there): a root, up to
//! three issuing CAs below it, and for each of them at most one policy, which says how long leafs live.
//!
//! ```text
//!  CSR (base64) ─▶ csr.rs: PKCS#10, its signature, its name, its key ─▶ Namespace::issue(policy) ─▶ leaf, issuing CA, root
//!  hub ◀─ the issuing CAs are what it trusts
//! ```
//!
//! Root and CAs are made when the first of them is asked for, with keys on P-384 as documented, and are kept over a restart.

mod error;
mod csr;
mod authority;
mod model;
mod namespace;

pub(crate) use csr::{CertificateRequest, CsrError, decode};
pub use error::IssuanceError;
pub use model::{CertificatePolicy, IssuingAuthority};
pub(crate) use namespace::KeptNamespace;
pub use namespace::Namespace;
