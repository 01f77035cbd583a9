//! What the device shows to DPS and hub, and what it checks them against.

use std::sync::Arc;

use crate::config::Config;
use crate::identity::{Identity, IdentityError, ValidityError};
use crate::link::tls::Tls;
use crate::link::tls::{self, RootsError};
use crate::platform::clock::Clock;
use crate::platform::watched_file::WatchedFile;

/// An identity and the TLS client made with it. Worth keeping as long as the certificate file stays the same: TLS
/// sessions can then be resumed, and a token is asked for its PIN only once.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who the device is.
    pub identity: Identity,
    /// For connections to DPS and hub.
    pub tls: Tls,
    /// The certificate file that they were made from.
    pub file: WatchedFile,
}

/// Why there are no credentials, or why they can't be used now.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Certificate or key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificates that servers are checked against.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The TLS library does not take them.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    /// Nobody has told the time.
    #[error(
        "waiting for the time: neither the network (NTP) nor GPS has told it yet, and without it no certificate can be \
         checked; if this machine's clock is right, say so with clock.trust_system = true"
    )]
    NoTime,
    /// It is not the time of the certificate.
    #[error(transparent)]
    Validity(#[from] ValidityError),
}

impl Credentials {
    /// Loads what the configuration names; a token is logged in to. Servers' certificates will be judged by `clock`.
    /// Whether the time is right for the device's own is [`Credentials::check_validity`]'s business.
    pub fn load(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, CredentialsError> {
        let Config { identity, connection, state, .. } = config;
        let file = WatchedFile::new(&identity.certificate);
        let identity = Identity::load(&identity.certificate, &identity.key, &state.directory)?;
        let tls = tls::client_config(tls::roots(connection.roots.as_deref())?, &identity, clock)?;
        Ok(Self { identity, tls, file })
    }

    /// Whether they can be used now, if the time is known.
    pub fn check_validity(&self, clock: &dyn Clock) -> Result<(), CredentialsError> {
        let now = clock.certificate_time().ok_or(CredentialsError::NoTime)?;
        Ok(self.identity.validity(now, clock.source())?)
    }
}
