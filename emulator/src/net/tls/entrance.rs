//! The door to TLS of one port: takes in a connection with the versions that are spoken under the name it asks for.

use std::{io, sync::Arc};

use rustls::{PeerIncompatible, ServerConfig};
use tokio::net::TcpStream;
use tracker_tls::{Accepted, accept};

use super::versions::TlsVersions;
use crate::host_names::HostKind;

/// How connections are taken in. Clones are the same.
#[derive(Clone)]
pub(crate) enum Entrance {
    /// Under every name alike.
    One(Arc<ServerConfig>),
    /// By the name in the client's first message.
    ByName(Arc<ByName>),
}

/// One configuration for each kind of name, which differ in the versions of TLS.
pub(crate) struct ByName {
    classic: Arc<ServerConfig>,
    modern: Arc<ServerConfig>,
    /// For names that are not Azure's, addresses, and clients that name nobody.
    other: Arc<ServerConfig>,
    modern_versions: TlsVersions,
}

impl Entrance {
    /// An entrance with these versions; `configure` makes the configuration for one set of them.
    pub(crate) fn new(
        versions: TlsVersions,
        configure: impl Fn(TlsVersions) -> Result<ServerConfig, rustls::Error>,
    ) -> Result<Self, rustls::Error> {
        let modern_versions = match versions {
            TlsVersions::All | TlsVersions::Tls12 | TlsVersions::Tls13 => {
                return Ok(Self::One(Arc::new(configure(versions)?)));
            }
            TlsVersions::Azure => TlsVersions::All,
            TlsVersions::Split => TlsVersions::Tls13,
        };
        Ok(Self::ByName(Arc::new(ByName {
            classic: Arc::new(configure(TlsVersions::Tls12)?),
            modern: Arc::new(configure(modern_versions)?),
            other: Arc::new(configure(TlsVersions::All)?),
            modern_versions,
        })))
    }

    /// Makes TLS. `kind` tells which of a service's names one is, if it is Azure's or a hub's.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        kind: impl FnOnce(&str) -> Option<HostKind>,
    ) -> io::Result<Accepted<TcpStream>> {
        let by_name = match self {
            Self::One(config) => return accept(stream, |_name| Arc::clone(config)).await,
            Self::ByName(by_name) => by_name,
        };
        let mut chosen = None;
        let accepted = accept(stream, |name| {
            let (config, versions) = match name.and_then(kind) {
                None => (&by_name.other, TlsVersions::All),
                Some(HostKind::Classic) => (&by_name.classic, TlsVersions::Tls12),
                Some(HostKind::Device | HostKind::Service) => (&by_name.modern, by_name.modern_versions),
            };
            chosen = Some((name.unwrap_or_default().to_owned(), versions));
            Arc::clone(config)
        });
        let accepted = accepted.await;
        accepted.map_err(|error| match chosen {
            Some((name, versions)) => with_versions(error, &name, versions),
            None => error,
        })
    }
}

/// Says what is spoken under the name, where the client speaks something else.
fn with_versions(error: io::Error, name: &str, versions: TlsVersions) -> io::Error {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let spoken = match versions {
        TlsVersions::Tls12 => "1.2",
        TlsVersions::Tls13 => "1.3",
        _ => return error,
    };
    match cause {
        Some(rustls::Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired,
        )) => io::Error::new(
            error.kind(),
            format!("{error}; at {name} TLS {spoken} alone is spoken, as the emulator was asked for"),
        ),
        _ => error,
    }
}
