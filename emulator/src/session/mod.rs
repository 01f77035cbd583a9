//! What both MQTT services share: the session of one client, as a machine without sockets and as a loop over a link.
//!
//! ```text
//!  Link ──▶ run ──▶ Session ──▶ Service (of DPS or of a hub): what a packet means
//!    ▲                 ├ slow line, throttle, acknowledgements: faults common to both
//!    └───── packets ◀──┴◀─────── Outlet
//! ```

mod peer;
mod outlet;
mod acknowledge;
mod congestion;
mod service;
mod machine;
mod run;

pub(crate) use congestion::{SlowLine, Throttle};
pub(crate) use machine::Session;
pub(crate) use peer::PeerCertificates;
pub(crate) use run::{refuse, serve};
pub(crate) use service::{Exchange, Refused, Service, connect_fault, shown, violation};
