//! The service APIs of DPS and hub as they are on the wire: HTTPS, shared access signatures, pages, events, refusals.

pub(in crate::cli::cloud) mod client;
pub(in crate::cli::cloud) mod connection_string;
pub(in crate::cli::cloud) mod event_stream;
pub(in crate::cli::cloud) mod sas;
pub(in crate::cli::cloud) mod service_error;
