//! What Azure refuses, and where. Asked before anything is written, and by `show`; the table is that of docs/pki.md.

use chrono::{DateTime, Utc};
use rustls::pki_types::alg_id;
use tracker_certificates::{Fields, Name};
use tracker_protocol::RegistrationId;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::BitStringRef;
use x509_cert::ext::pkix::ExtendedKeyUsage;

/// A common name has no more (RFC 5280, `ub-common-name`).
const LONGEST_NAME: usize = 64;
/// RFC 5280 has 20 octets; one may keep the sign.
const LONGEST_SERIAL: usize = 21;
const COMMON_NAME: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];

/// What a certificate is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Device,
    Authority,
}

/// One thing that Azure refuses.
pub(super) struct Rule {
    /// As in the document.
    pub(super) refused: &'static str,
    of: &'static [Role],
    is_broken: fn(&Fields<'_>, DateTime<Utc>) -> bool,
}

/// All of them.
pub(super) static RULES: [Rule; 11] = [
    Rule {
        refused: "no common name, or more than one",
        of: &[Role::Device],
        is_broken: |it, _| common_names(it) != 1,
    },
    Rule {
        refused: "a common name that is no registration ID",
        of: &[Role::Device],
        is_broken: |it, _| common_name(it).is_some_and(|name| registration_id(&name, true).is_err()),
    },
    Rule {
        refused: "a key of another kind than EC P-256, EC P-384 and RSA",
        of: &[Role::Device, Role::Authority],
        is_broken: |it, _| !is_known_key(it.kind()),
    },
    Rule {
        refused: "an RSA key of less than 2048 bits",
        of: &[Role::Device, Role::Authority],
        is_broken: |it, _| it.rsa_bits().is_some_and(|bits| bits.next_multiple_of(8) < 2048),
    },
    Rule {
        refused: "a signature by SHA-1 or MD5",
        of: &[Role::Device, Role::Authority],
        is_broken: |it, _| is_old_hash(it.signature_algorithm),
    },
    Rule {
        refused: "a certificate that has ended, or has not begun",
        of: &[Role::Device, Role::Authority],
        is_broken: |it, now| !(it.not_before..=it.not_after).contains(&now.timestamp()),
    },
    Rule {
        refused: "a device's certificate with CA:TRUE",
        of: &[Role::Device],
        is_broken: |it, _| !matches!(it.says_ca(), Ok(None | Some(false))),
    },
    Rule {
        refused: "an extended key usage without clientAuth",
        of: &[Role::Device],
        is_broken: |it, _| !may_be_client(it),
    },
    Rule {
        refused: "a key usage without digitalSignature",
        of: &[Role::Device],
        is_broken: |it, _| !key_usage_has(it, 0b1000_0000),
    },
    Rule {
        refused: "a CA without CA:TRUE, or without keyCertSign",
        of: &[Role::Authority],
        is_broken: |it, _| !matches!(it.says_ca(), Ok(Some(true))) || !key_usage_has(it, 0b0000_0100),
    },
    Rule {
        refused: "a serial number of more than 20 octets",
        of: &[Role::Device, Role::Authority],
        is_broken: |it, _| it.serial.len() > LONGEST_SERIAL,
    },
];

/// What of a certificate would be refused.
pub(super) fn broken(fields: &Fields<'_>, role: Role, now: DateTime<Utc>) -> Vec<&'static str> {
    let broken = RULES.iter().filter(|rule| rule.of.contains(&role) && (rule.is_broken)(fields, now));
    broken.map(|rule| rule.refused).collect()
}

/// Whether certificates are made for keys of this kind.
pub(super) fn is_known_key(kind: &str) -> bool {
    matches!(kind, "P-256" | "P-384" | "RSA")
}

/// Whether a text can be registration ID, device ID and common name at once, and if not, why not. Capitals are let through where
/// they are wanted: DPS does not tell them from small letters, hubs do.
pub(super) fn registration_id(text: &str, with_capitals: bool) -> Result<RegistrationId, String> {
    let id: RegistrationId =
        text.parse().map_err(|error: tracker_protocol::RegistrationIdError| error.to_string())?;
    if text.len() > LONGEST_NAME {
        return Err(format!(
            "{text:?} is too long: a common name has {LONGEST_NAME} characters at the most, not {}",
            text.len()
        ));
    }
    if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return Err(format!(
            "{text:?} can't be a registration ID: the first character must be a letter or a digit"
        ));
    }
    if !with_capitals && text.contains(|c: char| c.is_ascii_uppercase()) {
        return Err(format!(
            "{text:?} has capitals, which DPS does not tell from small letters, and hubs do: write it small, or say --capitals"
        ));
    }
    Ok(id)
}

/// The first common name of the subject.
pub(super) fn common_name(fields: &Fields<'_>) -> Option<String> {
    Some(Name::read(fields.subject).ok()?.common_name()?.into_owned())
}

fn common_names(fields: &Fields<'_>) -> usize {
    count_common_names(fields.subject)
}

/// How many common names a name has, by its DER.
pub(super) fn count_common_names(name: &[u8]) -> usize {
    name.windows(COMMON_NAME.len()).filter(|window| *window == COMMON_NAME).count()
}

fn is_old_hash(algorithm: &[u8]) -> bool {
    let known = [
        alg_id::ECDSA_SHA256,
        alg_id::ECDSA_SHA384,
        alg_id::ECDSA_SHA512,
        alg_id::ED25519,
        alg_id::RSA_PKCS1_SHA256,
        alg_id::RSA_PKCS1_SHA384,
        alg_id::RSA_PKCS1_SHA512,
        alg_id::RSA_PSS_SHA256,
        alg_id::RSA_PSS_SHA384,
        alg_id::RSA_PSS_SHA512,
    ];
    !known.iter().any(|known| known.as_ref() == algorithm)
}

/// It may if nothing is said of it.
fn may_be_client(fields: &Fields<'_>) -> bool {
    let usage = match fields.extension_value("2.5.29.37") {
        Ok(None) => return true,
        Ok(Some(usage)) => usage,
        Err(_) => return false,
    };
    let wanted = ["1.3.6.1.5.5.7.3.2", "2.5.29.37.0"];
    ExtendedKeyUsage::from_der(usage)
        .is_ok_and(|usage| usage.0.iter().any(|one| wanted.contains(&one.to_string().as_str())))
}

/// As [`may_be_client`].
fn key_usage_has(fields: &Fields<'_>, bit: u8) -> bool {
    match fields.extension_value("2.5.29.15") {
        Ok(None) => true,
        Ok(Some(usage)) => BitStringRef::from_der(usage)
            .is_ok_and(|usage| usage.raw_bytes().first().is_some_and(|first| first & bit != 0)),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_same_table() {
        let text = include_str!("../../../docs/pki.md");
        let (_, section) = text.split_once("\n## What Azure refuses\n").expect("the section");
        let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        let told: Vec<_> = rows.filter(|row| *row != "refused").collect();
        assert_eq!(told, RULES.iter().map(|rule| rule.refused).collect::<Vec<_>>());
    }

    #[test]
    fn names_are_registration_ids_device_ids_and_common_names_at_once() {
        for fine in ["box-1", "a", "0", "a:b_c.d", "ends-with-dash-", &"x".repeat(64)] {
            assert_eq!(registration_id(fine, false).map(|id| id.to_string()), Ok(fine.to_owned()));
        }
        for bad in ["", "box 1", "-x", ".", "..", "box.", "kä", "a/b", "box-1\r", "BOX", &"x".repeat(65)] {
            assert!(registration_id(bad, false).is_err(), "{bad:?}");
        }
        assert!(registration_id("BOX", true).is_ok());
    }
}
