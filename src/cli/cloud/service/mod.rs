//! The service APIs of DPS and hub as they are on the wire: HTTPS, shared access signatures, pages, events, refusals.

pub(in crate::cli) mod client;
pub(in crate::cli) mod connection_string;
pub(in crate::cli) mod event_stream;
mod gate;
pub(in crate::cli) mod sas;
pub(in crate::cli) mod service_error;
#[cfg(test)]
mod throttled_tests;
