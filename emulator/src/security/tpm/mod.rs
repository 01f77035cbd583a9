//! What a service does with a TPM 2.0 that it can't see: it wraps a key so that this TPM alone can take it in.
//!
//! ```text
//!  endorsement key ──▶ credential: the inner key, for the TPM that has the storage root key too (MakeCredential)
//!  storage root key ─▶ duplicate: an HMAC key, wrapped by the inner key and by one that the storage root key opens
//! ```
//!
//! After the TPM 2.0 Library Specification, part 1 (sections 11.4.10 on `KDFa`, 23 duplication, 24 credentials, annex B.4 OAEP) and
//! part 2 (structures). RSA keys of 2048 bits with SHA-256 and AES-128 in CFB mode are what Azure's clients make, and all
//! that is taken.

mod error;
mod public;
mod wire;
mod wrap;

pub(crate) use public::PublicKey;
pub(crate) use wrap::activation;
