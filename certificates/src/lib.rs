//! PEM, certificates and private keys, read in one place for both programs.
//!
//! | file | job |
//! |---|---|
//! | `pem.rs` | takes a text apart into its blocks, and names what it can't read |
//! | `label.rs` | what the blocks are called |
//! | `fields.rs`, `name.rs` | what a certificate says, as it is written, by the elements of `der.rs` |
//! | `signature.rs`, `path.rs` | whether one certificate has issued another, and if not, why |
//! | `request.rs` | what a certification request asks for |
//! | `public_key.rs`, `key.rs` | which keys belong together; a private key as TLS wants it |
//!
//! No error here repeats a byte of what was read: a file may be a key where a certificate is expected.

mod label;
mod pem;

mod der;
mod public_key;

mod fields;
mod name;

mod signature;
mod path;
mod request;

mod key;

pub use fields::{CertificateError, Fields};
pub use key::{Key, KeyError};
pub use name::{Name, same_name};
pub use path::{NotIssued, check_issuer, issued_by, may_issue};
pub use pem::{Document, PemError, certificate_pem};
pub use public_key::same_key;
pub use request::{Request, RequestError};
pub use signature::{SignatureError, verify};

/// Bytes of DER as they are handed on.
pub use rustls_pki_types::{CertificateDer, PrivateKeyDer};
