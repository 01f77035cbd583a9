//! Devices over AMQP: a device is connected while it has a link.
//!
//! ```text
//!  devices/{id}/messages/events         telemetry             telemetry.rs
//!  devices/{id}/messages/devicebound    messages to it        messages.rs
//!  devices/{id}/methods/devicebound     calls, answers        methods.rs
//!  devices/{id}/twin                    requests, answers     twin.rs
//!          │ each link a Berth
//!          ▼
//!  Presence of a device on this connection ◀── pushes of the hub, the end of its connection
//! ```
//!
//! A module has the same below `devices/{id}/modules/{module}`, and is in all of it what a device is.
//!
//! Several devices may share one connection, each with its own credentials.

mod bell;
mod calls;
mod channels;
mod presence;
mod incoming;
mod read;
mod telemetry;
mod messages;
mod methods;
mod twin;
mod links;

pub(super) use links::DeviceLinks;
