//! TLS by rustls over tokio's streams, without buffers that an idle connection would hold.
//!
//! ```text
//!   stream ──▶ the stack, 16 KB ──▶ records ──▶ session ──▶ the reader's buffer
//!                    └─ part of one: kept until the rest comes
//!   stream ◀── what waits to leave, nearly always nothing ◀── session ◀── the writer's bytes
//! ```
//!
//! rustls has two faces. With the usual one, around which `tokio-rustls` stands, 4 KB wait for the next bytes of each connection
//! for as long as it stands, and a read takes no more than that. Here is the other one, which leaves the buffers to its caller.
//! What is done in a handshake, and with what comes, is the same code of rustls.

mod session;
mod stream;
mod accept;
mod connect;

pub use accept::{Accepted, accept};
pub use connect::connect;
pub use session::Session;
pub use stream::TlsStream;
