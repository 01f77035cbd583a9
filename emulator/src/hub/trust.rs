//! CA certificates that a hub was given, as they are stored.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::security::x509::Certificate;

/// By name.
pub(super) type Authorities = BTreeMap<String, Arc<Certificate>>;

/// One of them as it is kept over a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptAuthority {
    name: String,
    /// Base64 of DER.
    certificate: String,
}

pub(super) fn restore(kept: Vec<KeptAuthority>) -> Authorities {
    let restore = |kept: KeptAuthority| match Certificate::from_text(&kept.certificate) {
        Ok(certificate) => Some((kept.name, Arc::new(certificate))),
        Err(error) => {
            tracing::warn!(name = kept.name, %error, "a CA certificate that was kept is left out");
            None
        }
    };
    kept.into_iter().filter_map(restore).collect()
}

pub(super) fn keep(authorities: &Authorities) -> Vec<KeptAuthority> {
    let keep = |(name, certificate): (&String, &Arc<Certificate>)| KeptAuthority {
        name: name.clone(),
        certificate: certificate.base64(),
    };
    authorities.iter().map(keep).collect()
}
