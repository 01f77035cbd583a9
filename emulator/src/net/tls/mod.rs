//! TLS as the front door of DPS and of the hubs: one server identity for all names, client certificates asked for
//! and passed on unjudged, sessions resumed by tickets.

mod client_certificate;
mod rsa_key;
mod server_identity;

use std::sync::Arc;

use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    version::{TLS12, TLS13},
};

pub use server_identity::ServerIdentityError;
pub(crate) use server_identity::{KeptAuthority, ServerIdentity};

/// The versions of TLS that the emulator speaks, on both of its ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsVersions {
    /// 1.2 and 1.3, as the client prefers.
    #[default]
    All,
    /// 1.2 alone: what DPS and the hubs with names in `azure-devices.net` speak.
    Tls12,
    /// 1.3 alone.
    Tls13,
}

impl TlsVersions {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static ALL: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            Self::All => &ALL,
            Self::Tls13 => &ALL[..1],
            Self::Tls12 => &ALL[1..],
        }
    }
}

/// The configuration for accepting connections as `identity`.
pub(crate) fn server_config(
    identity: Arc<ServerIdentity>,
    versions: TlsVersions,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = client_certificate::ProofOfPossession::new(provider.signature_verification_algorithms);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions.supported())?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(identity);
    config.ticketer = ring::Ticketer::new()?;
    // A device has one connection at a time, and every connection brings a new ticket.
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// The configuration of the service side: its clients prove themselves by tokens, so no certificate is asked for.
pub(crate) fn service_config(
    identity: Arc<ServerIdentity>,
    versions: TlsVersions,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions.supported())?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.ticketer = ring::Ticketer::new()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
