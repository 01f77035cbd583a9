//! The door of AMQP: which service a client means, and what its sign-in and its tokens open there.
//!
//! ```text
//!  name in TLS or Open ─┐
//!  SASL PLAIN user ─────┼─▶ Meant: a hub, its event hub, DPS ──▶ Lobby ── $cbs ─▶ grants of the guest
//!  first token, address ┘   (later, for a client at localhost)      └── all else ─▶ the service's place
//! ```

mod meant;
mod plain;
mod cbs;
mod lobby;
mod reception;
mod accept;

pub(crate) use accept::accept;
pub(crate) use reception::AmqpReception;
