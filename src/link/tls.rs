//! TLS as the agent uses it: the `ring` provider, TLS 1.2 and 1.3, the device's certificate, the agent's own clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, NamedGroup, RootCertStore};
use tokio::sync::watch;

use crate::identity::Identity;
use crate::link::stage::Stage;
use crate::platform::clock::Clock;
use crate::platform::plain_file;

/// Sessions kept: DPS and hub, and room for a move.
const SESSIONS: usize = 4;

/// A file of roots is not larger: those of a whole system have 220 KiB.
const LARGEST_ROOTS: u64 = 4 * 1024 * 1024;

/// Why the roots for server certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file can't be read.
    #[error("can't read the root certificates {path}: {source}; check connection.roots")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no root to be found.
    #[error("{place} has no root certificate to check servers against; {mend}")]
    Empty {
        /// The file or the system's store.
        place: String,
        /// What to do.
        mend: &'static str,
    },
}

/// The root certificates that the certificates of DPS, hub or gateway must lead to: those of `file`, or else of the
/// operating system.
pub fn roots(file: Option<&Path>) -> Result<RootCertStore, RootsError> {
    let mut store = RootCertStore::empty();
    let Some(path) = file else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            let place = "the system's certificate store".into();
            return Err(RootsError::Empty {
                place,
                mend: "install ca-certificates, or name a file as connection.roots",
            });
        }
        return Ok(store);
    };
    let read = |source| RootsError::Read { path: path.into(), source };
    let pem = plain_file::read(path, LARGEST_ROOTS).map_err(read)?;
    let certificates =
        rustls_pemfile::certs(&mut pem.as_slice()).collect::<Result<Vec<_>, _>>().map_err(read)?;
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        let mend = "connection.roots must be a PEM file with DigiCert Global Root G2, or the CA of your emulator or gateway";
        return Err(RootsError::Empty { place: path.display().to_string(), mend });
    }
    Ok(store)
}

/// A TLS client that shows the device's certificate. One configuration serves DPS and hub, so that reconnects can
/// resume their sessions.
pub fn client_config(
    roots: RootCertStore,
    identity: &Identity,
    clock: Arc<dyn Clock>,
) -> Result<Tls, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(TlsTime(clock)))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key.clone())));
    Ok(Tls::new(config))
}

/// TLS with the device's certificate, for one connection at a time.
#[derive(Debug, Clone)]
pub struct Tls {
    /// For the MQTT client.
    pub config: Arc<ClientConfig>,
    stage: watch::Sender<Stage>,
}

impl Tls {
    /// Makes the configuration watch its stages, and resume its sessions.
    pub fn new(mut config: ClientConfig) -> Self {
        let stage = watch::Sender::new(Stage::Resolving);
        let cache = ClientSessionMemoryCache::new(SESSIONS);
        config.resumption =
            rustls::client::Resumption::store(Arc::new(WatchedStore { cache, stage: stage.clone() }));
        Self { config: Arc::new(config), stage }
    }

    /// A new attempt begins; its stages can be awaited.
    pub fn begin(&self) -> watch::Receiver<Stage> {
        self.stage.send_replace(Stage::Resolving);
        self.stage.subscribe()
    }
}

#[derive(Debug)]
struct WatchedStore {
    cache: ClientSessionMemoryCache,
    stage: watch::Sender<Stage>,
}

impl WatchedStore {
    fn reached(&self, stage: Stage) {
        self.stage.send_if_modified(|current| {
            let further = stage > *current;
            *current = stage.max(*current);
            further
        });
    }
}

impl ClientSessionStore for WatchedStore {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.reached(Stage::Greeting);
        self.cache.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.reached(Stage::Securing);
        self.cache.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.reached(Stage::Greeting);
        self.cache.set_tls12_session(server_name, value);
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.reached(Stage::Securing);
        self.cache.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.cache.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.reached(Stage::Greeting);
        self.cache.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.reached(Stage::Securing);
        self.cache.take_tls13_ticket(server_name)
    }
}

/// Certificates are judged by the agent's clock, which may know better than the system's.
#[derive(Debug)]
struct TlsTime(Arc<dyn Clock>);

impl TimeProvider for TlsTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.certificate_time()?.timestamp();
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(seconds).ok()?)))
    }
}
