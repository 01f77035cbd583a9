//! The emulator as clients and services meet it, in one program: most of these tests wait, and so they wait together.

mod common;

mod amqp_devices;
mod amqp_door;
mod amqp_provisioning;
mod device_rest;
mod dps_rest;
mod endpoint;
mod event_grid;
mod feedback;
mod file_upload;
mod host_names;
mod hub;
mod hub_v5;
mod issuance;
mod management;
mod modules;
mod openssl;
mod pair;
mod provisioning;
mod registry_jobs;
mod renewal;
mod rough_clients;
mod rough_services;
mod routing;
mod rsa;
mod service_dps;
mod service_hub;
mod service_tools;
mod silence;
mod slow_clients;
mod state;
mod suites;
mod tpm;
mod webhook;
mod websocket;
