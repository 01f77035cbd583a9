//! Who calls a hub over AMQP, and where it is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tracker_amqp::SaslClient;

use super::wire::{Route, Wire};
use super::{AmqpError, claims};
use crate::cli::cloud::service::connection_string::ConnectionString;
use crate::cli::cloud::service::sas;
use crate::platform::clock::system_time;

/// AMQP over TLS.
const AMQPS: u16 = 5671;

/// How long a token is good.
pub(super) const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Where the AMQP of a hub is, beyond its connection string.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct HubPlace {
    /// Its host name at Azure, where the connection string has another one.
    pub name: Option<String>,
    /// The port of an emulator's AMQP, where it is known.
    pub amqp_port: Option<u16>,
}

/// A hub to be called with one policy.
pub(in crate::cli) struct Caller {
    connection: ConnectionString,
    is_azure: bool,
    place: HubPlace,
    tls: Arc<ClientConfig>,
}

impl Caller {
    pub(in crate::cli) fn new(
        connection: &ConnectionString,
        is_azure: bool,
        place: &HubPlace,
        roots: &[CertificateDer<'static>],
    ) -> anyhow::Result<Self> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("TLS could not be set up")?
            .with_root_certificates(store)
            .with_no_client_auth();
        let (connection, place, tls) = (connection.clone(), place.clone(), Arc::new(tls));
        Ok(Self { connection, is_azure, place, tls })
    }

    /// The name of its policy.
    pub(super) fn policy(&self) -> &str {
        &self.connection.policy
    }

    /// The host that is called, without a port.
    pub(super) fn host(&self) -> &str {
        match self.connection.host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
            _ => &self.connection.host,
        }
    }

    /// A connection to the hub, signed in.
    pub(super) fn at_hub(&self) -> Result<Wire, AmqpError> {
        let name = self.place.name.as_deref().unwrap_or(self.host());
        let expiry = system_time().timestamp() + TOKEN_LIFE.as_secs() as i64;
        let knows_name = self.is_azure || self.place.name.is_some();
        let Some(label) = name.split('.').next().filter(|_| knows_name) else {
            // Under another name, tokens say which hub is meant.
            let mut wire = Wire::open(&self.route(name), &self.tls, SaslClient::Mssbcbs)?;
            let token = sas::sign(&self.connection.key, name, expiry, self.policy());
            claims::put_token(&mut wire, name, &token)?;
            return Ok(wire);
        };
        let user = format!("{}@sas.root.{label}", self.policy());
        let password = sas::sign(&self.connection.key, name, expiry, self.policy());
        Wire::open(&self.route(name), &self.tls, SaslClient::Plain { user, password })
    }

    /// A connection to the host of the built-in endpoint; tokens follow.
    pub(super) fn at_endpoint(&self, host: &str) -> Result<Wire, AmqpError> {
        Wire::open(&self.route(host), &self.tls, SaslClient::Mssbcbs)
    }

    /// A token for what is at the built-in endpoint. It is signed with the key's text, as all clients of Event Hubs do.
    pub(super) fn token(&self, audience: &str) -> String {
        let expiry = system_time().timestamp() + TOKEN_LIFE.as_secs() as i64;
        sas::sign(self.connection.key_text().as_bytes(), audience, expiry, self.policy())
    }

    /// The way to a host. An emulator is where it is, whatever name is meant.
    fn route(&self, host: &str) -> Route {
        if self.is_azure {
            return Route { dial: host.to_owned(), port: AMQPS, host_name: host.to_owned() };
        }
        let port = self.place.amqp_port.unwrap_or(AMQPS);
        let dial = self.host().trim_matches(['[', ']']).to_owned();
        Route { dial, port, host_name: host.to_owned() }
    }
}
