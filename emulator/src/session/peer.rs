//! What a client presented in the handshake.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::security::x509::Certificate;

/// Certificates looked at in a presented chain.
const MAX_CHAIN: usize = 10;

/// What a client presented in the handshake.
#[derive(Debug)]
pub(crate) enum PeerCertificates {
    None,
    /// Leaf first.
    Chain(Vec<Arc<Certificate>>),
    /// Why not.
    Unreadable(String),
}

impl PeerCertificates {
    /// The first certificates of what was presented, leaf first.
    pub(crate) fn read(presented: &[CertificateDer<'static>]) -> Self {
        if presented.is_empty() {
            return Self::None;
        }
        let parse = |der: &CertificateDer<'static>| Certificate::from_der(der.clone()).map(Arc::new);
        match presented.iter().take(MAX_CHAIN).map(parse).collect() {
            Ok(chain) => Self::Chain(chain),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    /// The leaf, and of those above it as many as can be read: what is odd up there is no matter to a service that may know
    /// the leaf by itself.
    pub(crate) fn readable(presented: &[CertificateDer<'static>]) -> Vec<Arc<Certificate>> {
        let parse = |der: &CertificateDer<'static>| Certificate::from_der(der.clone()).map(Arc::new).ok();
        presented.iter().take(MAX_CHAIN).map_while(parse).collect()
    }
}
