//! What a hub hands on over AMQP alone: telemetry from its built-in endpoint, messages to devices, and what became of them.
//!
//! ```text
//!  Caller: a hub, its policy ─▶ Wire: TLS and the engine of tracker-amqp ─▶ Tap: partitions of the built-in endpoint
//!                                                                        └▶ send: a message to a device, its feedback
//! ```
//!
//! The ways are those of the Azure CLI: at the hub's name one signs in with the policy and a token as SASL's PLAIN has it, the
//! built-in endpoint is behind a redirection, and there tokens are shown at `$cbs`.

mod caller;
mod claims;
mod error;
mod send;
mod tap;
mod telemetry;
mod wire;

pub(in crate::cli) use caller::{Caller, HubPlace};
pub(in crate::cli) use error::AmqpError;
pub(in crate::cli) use send::{Outgoing, send};
pub(in crate::cli) use tap::{Mark, Position, Tap};
pub(in crate::cli) use telemetry::Telemetry;
