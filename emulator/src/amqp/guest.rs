//! Who is at the other end of a connection, and what it has proven so far.

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock},
};

use rustls::pki_types::CertificateDer;

use super::Grant;
use crate::{
    clock::Clock,
    lock::lock,
    security::{access::Right, sas::TokenText},
    session::PeerCertificates,
};

/// Tokens that one connection may show: gateways show one for each of their devices.
const MAX_GRANTS: usize = 2000;

/// How a connection came in.
pub(crate) struct Visit {
    /// The address at the other end, for people.
    pub peer: String,
    /// The name asked for in the TLS handshake, or in the head of the request for a WebSocket.
    pub server_name: Option<String>,
    /// As presented in the handshake, leaf first; the client holds the key of the leaf.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// What a client said with SASL PLAIN. The word stays out of logs.
#[derive(Clone)]
pub(crate) struct Password {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The client of one connection: shared by all nodes of it.
pub(crate) struct Guest {
    pub visit: Visit,
    clock: Arc<dyn Clock>,
    host_name: OnceLock<String>,
    container: OnceLock<String>,
    proven: Mutex<Proven>,
}

#[derive(Default)]
struct Proven {
    plain: Option<Password>,
    grants: Vec<Grant>,
}

impl Guest {
    pub(crate) fn new(visit: Visit, clock: Arc<dyn Clock>) -> Self {
        Self {
            visit,
            clock,
            host_name: OnceLock::new(),
            container: OnceLock::new(),
            proven: Mutex::default(),
        }
    }

    /// The emulator's time.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The host that the client means: what its Open says, or else what it has asked for in the handshake.
    pub(crate) fn host_name(&self) -> Option<&str> {
        self.host_name.get().or(self.visit.server_name.as_ref()).map(String::as_str)
    }

    /// The container ID of its Open; empty before it.
    pub(crate) fn container(&self) -> &str {
        self.container.get().map(String::as_str).unwrap_or_default()
    }

    pub(super) fn opened(&self, container: &str, host_name: Option<&str>) {
        // Open comes once.
        let _ = self.container.set(container.to_owned());
        if let Some(host_name) = host_name.filter(|name| !name.is_empty()) {
            let _ = self.host_name.set(host_name.to_owned());
        }
    }

    /// Certificates that it has shown, leaf first.
    pub(crate) fn certificates(&self) -> PeerCertificates {
        PeerCertificates::read(&self.visit.certificates)
    }

    /// What it said with SASL PLAIN.
    pub(crate) fn password(&self) -> Option<Password> {
        lock(&self.proven).plain.clone()
    }

    pub(crate) fn keep_password(&self, password: Password) {
        lock(&self.proven).plain = Some(password);
    }

    /// Adds what a token opens, in place of an older one for the same; `Err` when there are too many.
    pub(crate) fn add(&self, grant: Grant) -> Result<(), String> {
        let now = self.clock.now();
        let mut proven = lock(&self.proven);
        proven.grants.retain(|known| known.is_alive(now) && !known.is_for_the_same_as(&grant));
        if proven.grants.len() >= MAX_GRANTS {
            return Err(format!("one connection may show at most {MAX_GRANTS} tokens; open another one"));
        }
        proven.grants.push(grant);
        Ok(())
    }

    /// Whether a token that it has shown, and that has not expired, gives this right at this path.
    pub(crate) fn may(&self, right: Right, path: &str) -> bool {
        self.has(|grant| grant.rights.contains(&right) && grant.reaches(path))
    }

    /// Whether it has shown a token of this device, or of a policy that may connect devices.
    pub(crate) fn is_device(&self, device_id: &str) -> bool {
        self.has(|grant| grant.may_be(device_id))
    }

    /// The tokens by which it may be this device, the newest first.
    pub(crate) fn device_tokens(&self, device_id: &str) -> Vec<TokenText> {
        let now = self.clock.now();
        let proven = lock(&self.proven);
        let meant = proven.grants.iter().rev().filter(|grant| grant.is_alive(now) && grant.may_be(device_id));
        meant.filter_map(|grant| grant.token.clone()).collect()
    }

    /// Whether one of the tokens that it has shown can expire: only then is there something to look after.
    pub(super) fn can_expire(&self) -> bool {
        lock(&self.proven).grants.iter().any(|grant| grant.expires.is_some())
    }

    fn has(&self, is_wanted: impl Fn(&Grant) -> bool) -> bool {
        let now = self.clock.now();
        lock(&self.proven).grants.iter().any(|grant| grant.is_alive(now) && is_wanted(grant))
    }
}
