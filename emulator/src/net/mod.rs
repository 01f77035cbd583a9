//! The outside world: ports with a bounded number of guests, TLS, WebSockets, and the calls that the emulator makes itself.

pub(crate) mod door;
pub(crate) mod outgoing;
pub(crate) mod tls;
pub(crate) mod websocket;
