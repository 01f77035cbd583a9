//! The one port of the devices: accepts connections, lets TLS and CONNECT pass within their time, and hands each client
//! to the service its user name speaks of. Beside it the port of AMQP, for devices and services alike. Who comes to the port of
//! the services, by WebSocket, is received here too.

mod no_handshake;
mod dispatch;
mod connection;
mod accept;
mod amqp;

pub(crate) use accept::accept;
pub(crate) use amqp::{AmqpReception, accept as accept_amqp};
pub(crate) use connection::{Arrival, Reception, receive};
pub(crate) use dispatch::{Client, open};
