//! What the blocks of a PEM text are called. Labels are never repeated as they stand in a file, as a damaged one may
//! have swallowed part of a key.

/// What is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Certificate,
    /// OpenSSL's own: a certificate with something after its end.
    Trusted,
    Request,
    Key,
    EncryptedKey,
    /// A key of a form that TLS can't use.
    OtherKey,
    Pkcs7,
    Other,
}

/// The labels that are known.
const LABELS: [(&str, Kind); 15] = [
    ("CERTIFICATE", Kind::Certificate),
    ("X509 CERTIFICATE", Kind::Certificate),
    ("TRUSTED CERTIFICATE", Kind::Trusted),
    ("CERTIFICATE REQUEST", Kind::Request),
    ("NEW CERTIFICATE REQUEST", Kind::Request),
    ("PRIVATE KEY", Kind::Key),
    ("EC PRIVATE KEY", Kind::Key),
    ("RSA PRIVATE KEY", Kind::Key),
    ("ENCRYPTED PRIVATE KEY", Kind::EncryptedKey),
    ("DSA PRIVATE KEY", Kind::OtherKey),
    ("OPENSSH PRIVATE KEY", Kind::OtherKey),
    ("PUBLIC KEY", Kind::Other),
    ("EC PARAMETERS", Kind::Other),
    ("PKCS7", Kind::Pkcs7),
    ("CMS", Kind::Pkcs7),
];

/// The label in words that are safe to repeat, and what it stands for.
pub(crate) fn known(label: &[u8]) -> (&'static str, Kind) {
    match LABELS.iter().find(|(known, _)| known.as_bytes() == label) {
        Some(known) => *known,
        None if label.ends_with(b"PRIVATE KEY") => ("… PRIVATE KEY", Kind::OtherKey),
        None => ("of an unknown kind", Kind::Other),
    }
}
