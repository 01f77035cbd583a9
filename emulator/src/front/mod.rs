//! The one port of the devices: accepts connections, lets TLS and CONNECT pass within their time, and hands each client
//! to the service its user name speaks of.

mod dispatch;
mod connection;
mod accept;

pub(crate) use accept::accept;
pub(crate) use dispatch::{Client, open};
