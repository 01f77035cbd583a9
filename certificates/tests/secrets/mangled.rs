//! What happens to key files on their way through shells, portals, editors and broken disks.

use proptest::prelude::*;

/// One mishap.
#[derive(Debug, Clone)]
pub enum Mishap {
    Truncated(prop::sample::Index),
    BeheadedAt(prop::sample::Index),
    Flipped(prop::sample::Index, u8),
    /// Something in place of every line feed.
    LineFeeds(&'static str),
    /// All but the first or last of them.
    SomeLineFeeds(&'static str, bool),
    Mark,
    Utf16,
    /// Something in place of something else, everywhere.
    Replaced(&'static str, &'static str),
    /// Before or after the certificate.
    WithCertificate(bool),
    Doubled,
}

pub fn mishaps() -> impl Strategy<Value = Vec<Mishap>> {
    let line_feeds =
        prop::sample::select(vec!["", " ", "\r", "\r\n", "\\n", "\\r\\n", "\n\n", "\0", "\n> ", "%0A", ":"]);
    let replaced = prop::sample::select(vec![
        ("PRIVATE KEY", "CERTIFICATE"),
        ("PRIVATE KEY", "EC PRIVATE KEY"),
        ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
        ("PRIVATE KEY", "PUBLIC KEY"),
        ("PRIVATE KEY", "CERTIFICATE REQUEST"),
        ("PRIVATE KEY", "TRUSTED CERTIFICATE"),
        ("RSA PRIVATE KEY", "PRIVATE KEY"),
        ("EC PRIVATE KEY", "PRIVATE KEY"),
        ("-----BEGIN", "----BEGIN"),
        ("-----\n", "----\n"),
        ("-----END", "----END"),
        ("-----END", "----- END"),
        ("KEY-----\n", "KEY"),
        ("KEY-----\n", "KEY----- "),
        ("END ", ""),
        ("-----BEGIN ", "\"-----BEGIN "),
        ("\n-----END", "\nProc-Type: 4,ENCRYPTED\n-----END"),
        ("=", ""),
        ("+", " "),
    ]);
    let mishap = prop_oneof![
        any::<prop::sample::Index>().prop_map(Mishap::Truncated),
        any::<prop::sample::Index>().prop_map(Mishap::BeheadedAt),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Mishap::Flipped(at, byte)),
        line_feeds.clone().prop_map(Mishap::LineFeeds),
        (line_feeds, any::<bool>()).prop_map(|(with, first)| Mishap::SomeLineFeeds(with, first)),
        Just(Mishap::Mark),
        Just(Mishap::Utf16),
        replaced.prop_map(|(from, to)| Mishap::Replaced(from, to)),
        any::<bool>().prop_map(Mishap::WithCertificate),
        Just(Mishap::Doubled),
    ];
    prop::collection::vec(mishap, 1..4)
}

/// The file after all that.
pub fn mangled(file: &str, certificate: &str, mishaps: &[Mishap]) -> Vec<u8> {
    let mut bytes = file.as_bytes().to_vec();
    for mishap in mishaps {
        bytes = mishap.befalls(bytes, certificate);
    }
    bytes
}

impl Mishap {
    fn befalls(&self, mut bytes: Vec<u8>, certificate: &str) -> Vec<u8> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match self {
            _ if bytes.is_empty() => {}
            Self::Truncated(at) => bytes.truncate(at.index(bytes.len())),
            Self::BeheadedAt(at) => bytes = bytes.split_off(at.index(bytes.len())),
            Self::Flipped(at, by) => {
                let at = at.index(bytes.len());
                bytes[at] ^= by;
            }
            Self::LineFeeds(with) => return text.replace('\n', with).into(),
            Self::SomeLineFeeds(with, true) => {
                let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
                return format!("{first}\n{}", rest.replace('\n', with)).into();
            }
            Self::SomeLineFeeds(with, false) => {
                let (rest, last) = text.trim_end().rsplit_once('\n').unwrap_or((&text, ""));
                return format!("{}\n{last}\n", rest.replace('\n', with)).into();
            }
            Self::Mark => return format!("\u{feff}{text}").into(),
            Self::Utf16 => return text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::Replaced(from, to) => return text.replace(from, to).into(),
            Self::WithCertificate(true) => return [certificate.as_bytes(), &bytes].concat(),
            Self::WithCertificate(false) => bytes.extend(certificate.as_bytes()),
            Self::Doubled => bytes = bytes.repeat(2),
        }
        bytes
    }
}
