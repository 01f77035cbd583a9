//! Automatic device management (IoT Hub documentation, "automatic IoT device and module management"): configurations that set
//! desired properties of all twins that a condition holds for.
//!
//! ```text
//!  PUT /configurations/{id} ─▶ Store ─▶ every twin is stale ─┐
//!  a twin, or an identity, changes ─▶ this twin is stale ────┴─▶ rollout: whom does it target? ─▶ overlay ─▶ patch ─▶ twin
//! ```
//!
//! What is stale is worked off in a task of its own, some twins at a time; the call that made it stale does not wait.

mod model;
mod queries;
mod overlay;
mod managed;
mod store;

pub(in crate::hub) use managed::Managed;
pub use managed::{ConfigurationInfo, ConfigurationStatus};
pub(in crate::hub) use model::Modules;
pub use model::{Configuration, ConfigurationContent, ConfigurationMetrics};
pub(in crate::hub) use overlay::{Overlay, write};
pub(in crate::hub) use queries::Kind;
pub(crate) use queries::QueryErrors;
pub(in crate::hub) use store::{Active, KeptConfiguration, Store};
