//! The one port of the devices: accepts connections, lets TLS and CONNECT pass within their time, and hands each client
//! to the service its user name speaks of. Devices that come to the port of the services, by WebSocket, are received here too.

mod dispatch;
mod connection;
mod accept;

pub(crate) use accept::accept;
pub(crate) use connection::{Arrival, Reception, receive};
pub(crate) use dispatch::{Client, open};
