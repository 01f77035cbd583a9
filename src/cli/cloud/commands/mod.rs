//! One noun a file, with its verbs.

pub(in crate::cli::cloud) mod c2d;
pub(in crate::cli::cloud) mod ca;
pub(in crate::cli::cloud) mod certificate;
pub(in crate::cli::cloud) mod certificate_policy;
pub(in crate::cli::cloud) mod consumer_group;
pub(in crate::cli::cloud) mod deprovision;
pub(in crate::cli::cloud) mod device;
pub(in crate::cli::cloud) mod diagnose;
pub(in crate::cli::cloud) mod enrichment;
pub(in crate::cli::cloud) mod enrollment;
pub(in crate::cli::cloud) mod enrollment_group;
pub(in crate::cli::cloud) mod enrollments;
pub(in crate::cli::cloud) mod event_subscription;
pub(in crate::cli::cloud) mod fault;
pub(in crate::cli::cloud) mod fleet;
pub(in crate::cli::cloud) mod hub_certificate;
pub(in crate::cli::cloud) mod method;
pub(in crate::cli::cloud) mod monitor;
pub(in crate::cli::cloud) mod query;
pub(in crate::cli::cloud) mod registration;
pub(in crate::cli::cloud) mod route;
mod routing_document;
pub(in crate::cli::cloud) mod routing_endpoint;
pub(in crate::cli::cloud) mod silence;
pub(in crate::cli::cloud) mod twin;
