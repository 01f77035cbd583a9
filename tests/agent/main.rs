//! The agent and its commands as a whole. In one program, since most of these tests wait, and so wait side by side.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::panic)]

#[path = "../support/mod.rs"]
mod support;

mod alarms;
mod check;
mod closed_ports;
mod cloud;
mod cloud_amqp;
mod cloud_files;
mod cloud_many;
mod cloud_routes;
mod command_line;
mod consume;
mod diagnostics;
mod early;
mod end_to_end;
mod evidence;
mod factory;
mod faults;
mod guests;
mod host_names;
#[cfg(feature = "mqtt5")]
mod hub_v5;
mod intervals;
mod left_by_a_kill;
mod life;
mod link;
#[cfg(feature = "mqtt5")]
mod link_v5;
mod link_websocket;
mod load;
mod model;
#[cfg(feature = "mqtt5")]
mod mqtt5;
mod odd_cloud;
mod odd_files;
mod pasted;
mod pki;
mod places;
mod provision;
mod renewal;
mod sas;
mod secrets;
mod slow_disk;
mod status_file;
mod voyage;
mod watchdog;
