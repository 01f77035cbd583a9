//! TLS of thousands of devices: what they trust is there once, and each has no more than its key and, where it wants to resume,
//! one ticket.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, NamedGroup, RootCertStore};

use crate::identity::provider::provider;
use crate::link::tls::Tls;

/// What servers are judged by.
#[derive(Debug, Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Servers whose certificates lead to one of these.
    pub fn new(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config)))
    }

    /// TLS of a device with this key. With a ticket it resumes.
    pub(super) fn of(&self, key: &Arc<CertifiedKey>, ticket: Option<&Arc<Ticket>>) -> Tls {
        let mut config = ClientConfig::clone(&self.0);
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(Arc::clone(key)));
        if let Some(ticket) = ticket {
            config.resumption = Resumption::store(Arc::<Ticket>::clone(ticket));
        }
        Arc::new(config)
    }
}

/// The newest ticket of one server, and nothing else: a library's store has room for eight of each.
#[derive(Debug, Default)]
pub(super) struct Ticket(Mutex<Option<Tls13ClientSessionValue>>);

impl ClientSessionStore for Ticket {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
