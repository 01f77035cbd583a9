//! One connection, of either side, without input and output.
//!
//! Bytes that came go in with `input`, what happened comes out of `poll_event`, and what is to be written stands in `output`.
//! Time comes with `pass_time`. What the standard lets a machine do by itself is done here: sessions are begun and windows kept
//! open, messages are cut into frames and put together again, ends are answered. Who may do what is left to the caller.

mod engine;
mod event;
mod handshake;
mod incoming;
mod limits;
mod link;
mod names;
mod outgoing;
mod session;
#[cfg(test)]
mod tests;
mod transfers;

pub use engine::Connection;
pub use event::Event;
pub use limits::{Limits, MECHANISMS, SaslClient};
pub use names::{ConnectionError, DeliveryId, LinkId, SendError, SessionId};
