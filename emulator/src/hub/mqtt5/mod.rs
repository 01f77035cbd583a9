//! A hub of MQTT 5 (`connectionProfile` `mqttV5`, a preview) as it serves one device: a broker with the topics of that
//! device, and behind it presence, twin, direct methods and telemetry, in the envelopes of `tracker_protocol::hub_v5`.
//!
//! Registry, twins, routes and telemetry are those of every hub.

mod admission;
mod call;
mod session;
mod outgoing;
mod twin;
mod methods;
mod telemetry;
mod service;

pub(crate) use service::open as open_five;
