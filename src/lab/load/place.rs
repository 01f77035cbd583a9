//! Where a part of the fleet goes: an emulator, or a provisioning service with all its hubs.

use std::fmt;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::tls::Trust;
use crate::config::{Endpoint, Proxy, Transport};

/// A provisioning service, and how it and its hubs are reached.
#[derive(Debug, Clone)]
pub struct Place {
    /// For people.
    pub name: String,
    /// What devices name.
    pub id_scope: String,
    /// The provisioning service.
    pub dps: Endpoint,
    /// Where all hubs are; `None`: at the names that they have, at the port of the provisioning service.
    pub gateway: Option<Endpoint>,
    /// What MQTT is carried by.
    pub transport: Transport,
    /// Through which everything is dialled.
    pub proxy: Option<Proxy>,
    /// Seconds without traffic after which a device pings.
    pub keep_alive: u16,
    /// Whom devices believe.
    pub trust: Trust,
    /// Host names of its hubs, as far as somebody wants to know at which a device is.
    pub hubs: Vec<String>,
}

impl Place {
    /// Where a hub is reached.
    pub(super) fn hub(&self, name: &str) -> Endpoint {
        let direct = || Endpoint { host: name.into(), port: self.dps.port };
        self.gateway.clone().unwrap_or_else(direct)
    }
}

/// Who gives devices their keys and certificates.
pub trait Leafs: Send + Sync + fmt::Debug {
    /// Of the device of this number and name: a new one, where they are made.
    fn leaf(&self, number: u32, name: &str) -> anyhow::Result<Arc<CertifiedKey>>;

    /// The name of the device of this number, where names come with the certificates.
    fn name(&self, _number: u32) -> Option<String> {
        None
    }
}
