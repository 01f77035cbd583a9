//! A certificate as the services take it.

use std::path::Path;

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Reads a certificate: PEM as it is, DER as base64.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    let bytes =
        std::fs::read(path).with_context(|| format!("can't read the certificate {}", path.display()))?;
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    if has(b"-----BEGIN CERTIFICATE-----") {
        return String::from_utf8(bytes).with_context(|| format!("{} is not text", path.display()));
    }
    if has(b"PRIVATE KEY-----") {
        bail!("{} is a private key: it stays where it is, the certificate is wanted", path.display());
    }
    // The tag of a DER sequence.
    if bytes.first() != Some(&0x30) {
        bail!("{} is not a certificate: PEM (-----BEGIN CERTIFICATE-----) or DER is wanted", path.display());
    }
    Ok(STANDARD.encode(bytes))
}
