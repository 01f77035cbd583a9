//! Message routing: what the hub has received, or tells of itself, goes where its routes lead (IoT Hub developer guide,
//! "message routing").
//!
//! ```text
//!  device ─▶ receive ─┐                     ┌─ condition holds ─▶ enrichments ─▶ events (the telemetry feed)
//!  twin, identity,    ├─▶ RoutedMessage ─▶ Router                              └▶ Outlet: webhook or file
//!  connection ─ notice┘                     └─ no route of a device's ─▶ fallback
//! ```

mod message;
mod condition;
mod model;
mod stamp;
mod router;
mod trial;

/// Whether a text is a condition of the language.
pub(crate) fn is_condition(text: &str) -> bool {
    condition::Condition::parse(text).is_ok()
}

pub use message::MessageSource;
pub(in crate::hub) use message::RoutedMessage;
pub(in crate::hub) use model::{EVENT_GRID, check_file, check_name, check_url};
pub use model::{
    Endpoints, Enrichment, FallbackRoute, FileEndpoint, RetryPolicy, Route, Routing, WebhookEndpoint,
};
pub(in crate::hub) use router::{KeptRouting, Router, RouterParts};
pub(crate) use trial::{RouteTrial, RoutesTrial};
