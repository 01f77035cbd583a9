//! A hub over AMQP: which node an address of it names.
//!
//! ```text
//!  messages/devicebound                    services send messages to devices          send.rs
//!  messages/serviceBound/feedback          what became of them                        handouts.rs
//!  messages/serviceBound/filenotifications uploaded files                             handouts.rs
//!  messages/events…, …/ConsumerGroups/…, $management    the built-in endpoint         events.rs
//!  devices/{id}/…                          devices                                    devices.rs
//! ```

mod claims;
mod properties;
mod rights;
mod send;
mod handouts;
mod event_message;
mod partition;
mod management;
mod events;
mod devices;
mod place;

pub(crate) use place::HubPlace;
