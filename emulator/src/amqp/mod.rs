//! One AMQP 1.0 connection at a service: who the client is, what it may, and the nodes that its links lead to.
//!
//! ```text
//!  stream ◀──▶ serve ◀──▶ tracker_amqp::Connection (frames, sessions, credit)
//!                │ SASL, Open            │ Attach                        │ messages, credit, outcomes
//!                ▼                       ▼                               ▼
//!            Reception ── a Place (hub, event hub, DPS) ── a Node for each link: polled for what it has to send
//!                └────────────── Guest: what the client has proven so far, shared by all of them
//! ```
//!
//! This room knows no service. A service brings a [`Place`], made for one connection, which keeps what belongs to that
//! connection; the door of the services brings the [`Reception`], which finds the place.

mod address;
mod tracking;
mod grant;
mod guest;
mod place;
mod ready;
mod replies;
mod intake;
mod link;
mod driver;
mod serve;
#[cfg(test)]
mod tests;

pub(crate) use address::path_of;
pub(crate) use grant::{Grant, scope_of};
pub(crate) use guest::{Guest, Password, Visit};
pub(crate) use intake::{Due, Intake};
pub(crate) use place::{Act, Asked, Node, Place, Reception, SignIn, SignedIn, Verdict};
pub(crate) use replies::{Replies, status};
pub(crate) use serve::{House, serve};
