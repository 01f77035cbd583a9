//! TLS as the front door of DPS and of the hubs: one server identity for all names, client certificates asked for
//! and passed on unjudged, sessions resumed by tickets.

mod client_certificate;
mod entrance;
mod rsa_key;
mod server_identity;
mod versions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::{ServerConfig, crypto::ring};

pub(crate) use entrance::Entrance;
pub use server_identity::ServerIdentityError;
pub(crate) use server_identity::{KeptAuthority, ServerIdentity};
pub use versions::TlsVersions;

/// The entrance of the devices, as `identity`.
pub(crate) fn device_entrance(
    identity: &Arc<ServerIdentity>,
    versions: TlsVersions,
) -> Result<Entrance, rustls::Error> {
    Entrance::new(versions, |versions| server_config(Arc::clone(identity), versions))
}

/// The entrance of the services, as `identity`.
pub(crate) fn service_entrance(
    identity: &Arc<ServerIdentity>,
    versions: TlsVersions,
) -> Result<Entrance, rustls::Error> {
    Entrance::new(versions, |versions| service_config(Arc::clone(identity), versions))
}

/// The configuration for accepting connections as `identity`.
fn server_config(
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

/// The configuration of the service side. Its clients prove themselves by tokens; devices that come here, by WebSockets or by
/// REST, may do so by certificate.
fn service_config(
    identity: Arc<ServerIdentity>,
    versions: TlsVersions,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = server_config(identity, versions)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
