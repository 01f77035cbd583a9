//! A certificate as the services take it. Nothing else of its file leaves the machine.

use std::path::Path;

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tracker_certificates::{Document, Fields, Name, certificate_pem};

/// The certificates of a file, of which there is at least one.
pub(super) struct CertificateFile {
    der: Vec<Vec<u8>>,
    is_pem: bool,
}

/// Reads PEM or DER. A file with a private key in it is refused.
pub(super) fn read(path: &Path) -> anyhow::Result<CertificateFile> {
    let bytes =
        std::fs::read(path).with_context(|| format!("can't read the certificate {}", path.display()))?;
    let not = |why: &str| format!("{} is not a certificate: {why}", path.display());
    let wanted = not("PEM (-----BEGIN CERTIFICATE-----) or DER is wanted");
    let document = Document::read(&bytes).with_context(|| format!("can't read {}", path.display()))?;
    // The tag of a DER sequence. Keys begin with it too.
    if bytes.first() == Some(&0x30) {
        if Fields::read(&bytes).is_err() {
            bail!(
                "{wanted}{}",
                Some(document.instead()).filter(|form| form.contains("PKCS")).unwrap_or_default()
            );
        }
        return Ok(CertificateFile { der: vec![bytes], is_pem: false });
    }
    let der = document.certificates().with_context(|| format!("can't read {}", path.display()))?;
    if document.holds_key() && der.is_empty() {
        bail!("{} is a private key: it stays where it is, the certificate is wanted", path.display());
    }
    if document.holds_key() {
        bail!(
            "{} holds a private key too: it stays where it is. Take the certificate out of the file: openssl x509 -in {} \
             -out NEWFILE",
            path.display(),
            path.display()
        );
    }
    if der.is_empty() {
        bail!("{wanted}{}", document.instead());
    }
    for der in &der {
        // A block may be called a certificate and be something else, a key too.
        Fields::read(der).with_context(|| not("a block in it is called one, and is none"))?;
    }
    Ok(CertificateFile { der: der.iter().map(|der| der.to_vec()).collect(), is_pem: true })
}

impl CertificateFile {
    /// For the services: PEM, or the base64 of DER that was no PEM.
    pub(super) fn text(&self) -> String {
        let base64 = self.der.iter().map(|der| STANDARD.encode(der));
        if self.is_pem { base64.map(|base64| certificate_pem(&base64)).collect() } else { base64.collect() }
    }

    /// Whether it says that it is a CA's. Without a word on it a certificate is none, but for those of version 1, which
    /// can't say anything.
    pub(super) fn says_ca(&self) -> Option<bool> {
        let fields = Fields::read(self.der.first()?).ok()?;
        match fields.says_ca() {
            Ok(None) if fields.version == 0 => None,
            Ok(says) => Some(says.unwrap_or(false)),
            Err(_) => None,
        }
    }

    /// The common name of its subject.
    pub(super) fn common_name(&self) -> Option<String> {
        let fields = Fields::read(self.der.first()?).ok()?;
        Some(Name::read(fields.subject).ok()?.common_name()?.into_owned())
    }
}
