//! TLS as the agent uses it: the `ring` provider, TLS 1.2 and 1.3, the device's certificate, the agent's own clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::UnixTime;
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use tracker_certificates::{Document, PemError};

use crate::identity::Identity;
use crate::identity::provider::provider;
use crate::link::roots::RootEnd;
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
    /// The file can't be taken apart into its PEM blocks.
    #[error("can't read the root certificates {path} as PEM: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
    /// There is no root to be found.
    #[error("{place} has no root certificate to check servers against{hint}; {mend}")]
    Empty {
        /// The file or the system's store.
        place: String,
        /// What it may have instead.
        hint: &'static str,
        /// What to do.
        mend: &'static str,
    },
}

/// The root certificates that the certificates of DPS, hub or gateway must lead to: those of `file`, or else of the
/// operating system.
pub fn roots(file: Option<&Path>) -> Result<RootCertStore, RootsError> {
    roots_and_end(file).map(|(store, _)| store)
}

/// As [`roots`], with the one that ends first: of a file's any, of the system's one of Azure's.
pub fn roots_and_end(file: Option<&Path>) -> Result<(RootCertStore, Option<RootEnd>), RootsError> {
    let mut store = RootCertStore::empty();
    let Some(path) = file else {
        let certificates = rustls_native_certs::load_native_certs().certs;
        let first = RootEnd::first(&certificates, true);
        store.add_parsable_certificates(certificates);
        if store.is_empty() {
            let place = "the system's certificate store".into();
            return Err(RootsError::Empty {
                place,
                hint: "",
                mend: "install ca-certificates, or name a file as connection.roots",
            });
        }
        return Ok((store, first));
    };
    let read = |source| RootsError::Read { path: path.into(), source };
    let bytes = plain_file::read(path, LARGEST_ROOTS).map_err(read)?;
    let pem = |source| RootsError::Pem { path: path.into(), source };
    let document = Document::read(&bytes).map_err(pem)?;
    let certificates = document.certificates().map_err(pem)?;
    let first = RootEnd::first(&certificates, false);
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        let mend = "connection.roots must be a PEM file with DigiCert Global Root G2, or the CA of your emulator or gateway";
        let place = path.display().to_string();
        return Err(RootsError::Empty { place, hint: document.instead(), mend });
    }
    Ok((store, first))
}

/// TLS with the device's certificate.
pub type Tls = Arc<ClientConfig>;

/// A TLS client that shows the device's certificate, where it has one. One configuration serves DPS and hub, so that reconnects can
/// resume their sessions.
pub fn client_config(
    roots: RootCertStore,
    identity: &Identity,
    clock: Arc<dyn Clock>,
) -> Result<Tls, rustls::Error> {
    let provider = Arc::new(provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(TlsTime(clock)))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut config = match identity.certified_key() {
        Some(certified) => {
            config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified.clone())))
        }
        None => config.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(config))
}

/// The same TLS client, with the leaf alone to show.
pub fn with_leaf_alone(tls: &Tls, identity: &Identity) -> Tls {
    let mut config = ClientConfig::clone(tls);
    if let Some(leaf) = identity.leaf_alone() {
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(leaf));
    }
    Arc::new(config)
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
