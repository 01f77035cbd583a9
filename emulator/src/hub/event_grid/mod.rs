//! Event Grid as an IoT hub uses it: events of devices to webhooks, in Event Grid's own schema (Event Grid documentation, "Azure
//! IoT Hub as an Event Grid source").
//!
//! A subscription is made when its webhook has given back the validation code that it was sent. Deliveries are those of
//! [`Outlet`](super::outlet), as those of routes are.

mod model;
mod event;
mod handshake;
mod grid;

pub(in crate::hub) use event::{connection_data, life_data, telemetry_data};
pub(in crate::hub) use grid::{EventGrid, KeptSubscription};
pub(in crate::hub) use handshake::validate;
pub use model::{
    DeadLetterDestination, EventDeliverySchema, EventDestination, EventFilter, EventSubscription, EventType,
};
