//! TLS as the front door of DPS and of the hubs: one server identity for all names, client certificates asked for
//! and passed on unjudged, sessions resumed by tickets.

mod client_certificate;
mod server_identity;

use std::sync::Arc;

use rustls::{ServerConfig, crypto::ring};

pub use server_identity::ServerIdentityError;
pub(crate) use server_identity::{KeptAuthority, ServerIdentity};

/// The configuration for accepting connections as `identity`: TLS 1.2 and 1.3 with `ring`.
pub(crate) fn server_config(identity: Arc<ServerIdentity>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = client_certificate::ProofOfPossession::new(provider.signature_verification_algorithms);
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(identity);
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}

/// The configuration of the service side: its clients prove themselves by tokens, so no certificate is asked for.
pub(crate) fn service_config(identity: Arc<ServerIdentity>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.ticketer = ring::Ticketer::new()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
