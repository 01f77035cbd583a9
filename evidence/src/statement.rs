//! What the device itself says, as entries of the chain beside the readings.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::base64;
use crate::hash::Hash;

/// The message property that carries the hash of a message's last reading.
pub const PROPERTY: &str = "chain";
/// The version of all this.
pub const VERSION: u32 = 1;
/// What is signed begins so; nothing in TLS does.
pub const TO_SIGN_BY: &str = "container-tracker evidence 1";

/// One statement; as JSON an object whose member `evidence` says which, beside the `time` and `seq` that every entry has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "evidence", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Statement {
    /// From the entry `from` on the chain goes on from `head`, the hash of the entry `after`; or it begins.
    Start {
        /// Of the format.
        version: u32,
        /// The first entry of what follows: this one, but where others got their numbers before it.
        from: u64,
        /// The last entry that the device knows of; without one there was no chain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
        /// Its hash.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<Hash>,
    },
    /// Whose key signs from here on.
    Certificate {
        /// SHA-256 of the leaf, in hexadecimal.
        thumbprint: String,
        /// DER of the leaf and of those above it, in base64 for URLs.
        chain: Vec<String>,
    },
    /// The key has signed [`to_sign`] of these.
    Signature {
        /// The entry whose hash is signed.
        up_to: u64,
        /// Its hash.
        head: Hash,
        /// Thumbprint of the certificate.
        certificate: String,
        /// As TLS calls it, for example `ECDSA_NISTP256_SHA256`.
        scheme: String,
        /// The signature as TLS would carry it, in base64 for URLs.
        signature: String,
    },
    /// The history has become coarser.
    Thinned {
        /// Readings that went.
        gone: u64,
        /// Where.
        runs: Vec<Run>,
    },
    /// Times of readings that are in the chain already were ahead.
    Redated {
        /// The earliest of them as it stands there, RFC 3339.
        from: String,
        /// The latest.
        to: String,
        /// Milliseconds to take from their times.
        ahead_ms: i64,
    },
    /// A trip begins: by what it is measured.
    TripBegin(Map<String, Value>),
    /// A trip has ended: its report.
    TripEnd(Map<String, Value>),
}

/// Readings that became fewer. The chain over those that are left goes from the hash before `from` to `digest`; after `to` it
/// goes on from `head`, as if none were gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The first, which is left.
    pub from: u64,
    /// The last, which may be gone.
    pub to: u64,
    /// The hash over what is left.
    pub digest: Hash,
    /// What the hash of `to` was.
    pub head: Hash,
}

impl Statement {
    /// A start.
    pub fn start(from: u64, known: Option<(u64, Hash)>) -> Self {
        let (after, head) = known.unzip();
        Self::Start { version: VERSION, from, after, head }
    }

    /// The certificates of a key, each as DER, the leaf first.
    pub fn certificate<'a>(thumbprint: &str, chain: impl Iterator<Item = &'a [u8]>) -> Self {
        Self::Certificate { thumbprint: thumbprint.into(), chain: chain.map(base64::encode).collect() }
    }

    /// The JSON object, without time and number.
    pub fn to_fields(&self) -> String {
        // What consists of numbers and text is written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// How the fields of a statement begin.
pub const STATEMENT: &str = "{\"evidence\":";

/// Whether these fields are those of a statement and of no reading.
pub fn is_statement(fields: &str) -> bool {
    fields.starts_with(STATEMENT)
}

/// The bytes that a signature signs.
pub fn to_sign(up_to: u64, head: Hash, certificate: &str) -> String {
    format!("{TO_SIGN_BY}\n{up_to}\n{head}\n{certificate}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read_as_they_are_written() {
        let hash = Hash::NONE;
        let all = [
            Statement::start(8, None),
            Statement::start(9, Some((7, hash))),
            Statement::Certificate { thumbprint: "ab".into(), chain: vec!["AA".into()] },
            Statement::Signature {
                up_to: 9,
                head: hash,
                certificate: "ab".into(),
                scheme: "ED25519".into(),
                signature: "AA".into(),
            },
            Statement::Thinned { gone: 3, runs: vec![Run { from: 1, to: 8, digest: hash, head: hash }] },
            Statement::Redated { from: "a".into(), to: "b".into(), ahead_ms: 18_000 },
            Statement::TripBegin(Map::from_iter([("trip".to_owned(), "x".into())])),
        ];
        for statement in all {
            let fields = statement.to_fields();
            assert!(is_statement(&fields), "{fields}");
            // As it arrives: with what every entry has.
            let body = format!(
                "{},\"time\":\"2026-11-28T00:00:00.000Z\",\"seq\":70}}",
                fields.trim_end_matches('}')
            );
            match (serde_json::from_str(&fields), &statement) {
                (Ok(read), _) => assert_eq!(statement, read),
                (Err(error), _) => panic!("{error}"),
            }
            if !matches!(statement, Statement::TripBegin(_) | Statement::Thinned { .. }) {
                assert_eq!(serde_json::from_str::<Statement>(&body).unwrap(), statement);
            }
        }
        assert!(!is_statement("{\"temperature\":4.5}"));
        let signed = to_sign(70, hash, "ab");
        assert_eq!(signed, format!("container-tracker evidence 1\n70\n{hash}\nab\n"));
    }
}
