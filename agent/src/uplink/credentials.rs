//! What the device shows to DPS and hub, and what it checks them against.

use std::sync::Arc;
use std::time::Duration;

use tracker_timers::sleep_about;

use crate::config::Config;
use crate::identity::{Identity, IdentityError, ValidityError};
use crate::link::roots::RootEnd;
use crate::link::tls::Tls;
use crate::link::tls::{self, RootsError};
use crate::platform::clock::Clock;
use crate::platform::kernel_clock;
use crate::platform::watched_file::WatchedFile;

/// An identity and the TLS client made with it. Worth keeping as long as the certificate file stays the same: TLS
/// sessions can then be resumed, and a token is asked for its PIN only once.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Who the device is.
    pub identity: Identity,
    /// For connections to DPS, and to the hub unless it is shown the leaf alone.
    pub tls: Tls,
    /// For connections to the hub.
    pub hub_tls: Tls,
    /// The certificate file that they were made from.
    pub file: WatchedFile,
    /// The file of roots, where one is named.
    pub roots: Option<WatchedFile>,
    /// The root that ends first, as far as that matters.
    pub first_root_end: Option<RootEnd>,
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
         checked; {}if this machine's clock is right, say so with clock.trust_system = true",
        another_ntp()
    )]
    NoTime,
    /// It is not the time of the certificate.
    #[error(transparent)]
    Validity(#[from] ValidityError),
}

/// What to do where chrony or ntpd keeps the time and the sandbox hides it.
fn another_ntp() -> &'static str {
    if kernel_clock::may_be_asked() {
        ""
    } else {
        "this service may not ask the kernel for it: where another program than systemd-timesyncd keeps the time, install \
         the drop-in other-ntp.conf; "
    }
}

/// What is said of a renewal that can't be used.
pub fn kept(problem: &CredentialsError) -> String {
    format!("the new certificate can't be used, and the one in use stays: {problem}")
}

impl Credentials {
    /// Loads what the configuration names; a token is logged in to. Servers' certificates will be judged by `clock`.
    /// Whether the time is right for the device's own is [`Credentials::check_validity`]'s business.
    pub fn load(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, CredentialsError> {
        let Config { identity, connection, state, .. } = config;
        let file = WatchedFile::new(&identity.certificate);
        let roots = connection.roots.as_deref().map(WatchedFile::new);
        let leaf_alone = identity.leaf_alone_at_hub;
        let identity = identity.load(&state.directory)?;
        let (store, first_root_end) = tls::roots_and_end(connection.roots.as_deref())?;
        let tls = tls::client_config(store, &identity, clock)?;
        let hub_tls = if leaf_alone { tls::with_leaf_alone(&tls, &identity) } else { tls.clone() };
        Ok(Self { identity, tls, hub_tls, file, roots, first_root_end })
    }

    /// As [`Credentials::load`], and they can be used now.
    pub fn load_valid(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, CredentialsError> {
        let loaded = Self::load(config, clock.clone())?;
        loaded.check_validity(&**clock)?;
        Ok(loaded)
    }

    /// Waits for a certificate in place of the one from `file`, until it and its key can be used: between the two files
    /// of a renewal, or after a mistake, they can't yet. Looks every `look_every`, and tells what is wrong meanwhile.
    pub async fn renewed(
        config: &Config,
        clock: &Arc<dyn Clock>,
        file: &WatchedFile,
        look_every: Duration,
        mut tell: impl FnMut(CredentialsError),
    ) -> Self {
        file.replaced(look_every).await;
        loop {
            match Self::load_valid(config, clock) {
                Ok(credentials) => return credentials,
                Err(problem) => tell(problem),
            }
            sleep_about(look_every).await;
        }
    }

    /// Whether other files are in the place of those that they were made from.
    pub fn have_changed(&self) -> bool {
        self.file.has_changed() || self.roots.as_ref().is_some_and(WatchedFile::has_changed)
    }

    /// Whether they can be used now, if the time is known.
    pub fn check_validity(&self, clock: &dyn Clock) -> Result<(), CredentialsError> {
        let now = clock.certificate_time().ok_or(CredentialsError::NoTime)?;
        Ok(self.identity.validity(now, clock.source())?)
    }
}

#[cfg(test)]
mod tests {
    use rustls::SignatureScheme;

    use super::*;
    use crate::platform::clock::SystemClock;

    #[test]
    fn a_hub_that_wants_no_chain_gets_the_leaf_alone_and_dps_the_whole() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = crate::config::for_tests::of_device(directory.path());
        let shown = |tls: &Tls| {
            let shown = tls.client_auth_cert_resolver.resolve(&[], &[SignatureScheme::ECDSA_NISTP256_SHA256]);
            shown.unwrap().cert.clone()
        };
        for (leaf_alone, at_hub) in [(false, 2), (true, 1)] {
            config.identity.leaf_alone_at_hub = leaf_alone;
            let loaded = Credentials::load(&config, Arc::new(SystemClock::new(true))).unwrap();
            let (dps, hub) = (shown(&loaded.tls), shown(&loaded.hub_tls));
            assert_eq!((dps.len(), hub.len(), &hub[0]), (2, at_hub, &dps[0]));
        }
    }
}
