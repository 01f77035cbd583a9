//! What a client presented in the handshake.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::security::x509::Certificate;

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
    /// The first `limit` certificates of what was presented, leaf first.
    pub(crate) fn read(presented: &[CertificateDer<'static>], limit: usize) -> Self {
        if presented.is_empty() {
            return Self::None;
        }
        let parse = |der: &CertificateDer<'static>| Certificate::from_der(der.clone()).map(Arc::new);
        match presented.iter().take(limit).map(parse).collect() {
            Ok(chain) => Self::Chain(chain),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    pub(crate) fn leaf(&self) -> Option<&Arc<Certificate>> {
        match self {
            Self::Chain(chain) => chain.first(),
            Self::None | Self::Unreadable(_) => None,
        }
    }
}
