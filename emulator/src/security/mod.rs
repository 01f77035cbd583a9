//! By what devices and services prove who they are: keys, the tokens made with them, the policies of a service, and
//! certificates.

pub(crate) mod access;
pub(crate) mod keys;
pub(crate) mod sas;
pub(crate) mod tpm;
pub(crate) mod x509;
