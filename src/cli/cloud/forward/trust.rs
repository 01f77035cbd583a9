//! Whom TLS trusts.

use std::path::Path;

use anyhow::{Context, bail};
use tracker_certificates::Document;
use ureq::tls::Certificate;

/// The certificates of a file, or of the system.
pub(super) fn roots(file: Option<&Path>) -> anyhow::Result<Vec<Certificate<'static>>> {
    let Some(path) = file else {
        let all = rustls_native_certs::load_native_certs().certs;
        if all.is_empty() {
            bail!(
                "the system's certificate store is empty: install ca-certificates, or name a file with --to-ca"
            );
        }
        return Ok(all.iter().map(|root| Certificate::from_der(root).to_owned()).collect());
    };
    let named = || format!("--to-ca {} has no certificate that can be read", path.display());
    let pem = std::fs::read(path).with_context(|| format!("--to-ca: can't read {}", path.display()))?;
    let found = Document::read(&pem).with_context(named)?.certificates().with_context(named)?;
    if found.is_empty() {
        bail!(named());
    }
    Ok(found.iter().map(|root| Certificate::from_der(root).to_owned()).collect())
}
