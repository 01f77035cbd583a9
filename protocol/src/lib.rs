//! The conventions by which a device talks to Azure's Device Provisioning Service (DPS) and to an IoT hub over
//! MQTT 3.1.1, and to a hub of the second kind over MQTT 5 (feature `mqtt5`), as pure values and functions.
//!
//! ```text
//!            print ▶ MQTT user name, topic, JSON body ▶ parse
//!   agent ──────────────────────────────────────────────────── DPS, hub (real or emulated)
//!            parse ◀ MQTT topic, JSON body            ◀ print
//!
//!   (now, event) ─▶ dps::Registration ─▶ publish this │ wait until │ assigned, refused, try later
//!   (now, event) ─▶ hub::TwinClient   ─▶ publish this │ these desired properties changed
//! ```
//!
//! Both directions are here, so that a device and an emulated cloud share one grammar.
//!
//! What this crate does *not* do: it opens no socket and no file, reads no clock and rolls no dice. Time is a
//! [`Duration`](std::time::Duration) since any fixed moment, handed in; randomness is a number in `0.0..1.0`,
//! handed in. MQTT packets themselves are the business of the MQTT client or server.

mod backoff;
mod error;
mod names;
mod percent;
mod printable;
mod properties;
mod query;
mod registration_id;

pub mod dps;
pub mod hub;
#[cfg(feature = "mqtt5")]
pub mod hub_v5;

pub use backoff::{Backoff, BackoffPolicy, fraction};
pub use error::ParseError;
pub use names::{check_device_id, check_host_name};
pub use printable::{Printable, printable, printable_json};
pub use properties::PropertyBag;
pub use registration_id::{RegistrationId, RegistrationIdError};

/// The port of MQTT over TLS at DPS, hubs and gateways.
pub const MQTT_TLS_PORT: u16 = 8883;

/// Port of MQTT over `WebSockets`, over TLS.
pub const WEBSOCKET_PORT: u16 = 443;

/// The path at which DPS and hubs upgrade to a WebSocket.
pub const WEBSOCKET_PATH: &str = "/$iothub/websocket";

/// What is spoken in that WebSocket.
pub const WEBSOCKET_SUBPROTOCOL: &str = "mqtt";

/// The DPS endpoint that all tenants share; the ID scope selects the instance.
pub const GLOBAL_DPS_HOST: &str = "global.azure-devices-provisioning.net";

/// A message to be published at `QoS` 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The MQTT topic.
    pub topic: String,
    /// The body, usually JSON.
    pub payload: Vec<u8>,
}
