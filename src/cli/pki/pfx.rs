//! PFX files (PKCS#12, RFC 7292): certificates and a key under a password, for programs that take nothing else.
//!
//! Encrypted by PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, with a MAC of SHA-256: OpenSSL 1.1 and later, Windows 10 and Server 2019
//! and later, .NET and Java read that.

use std::num::NonZeroU32;

use aes::Aes256;
use anyhow::anyhow;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::{hmac, pbkdf2};
use tracker_certificates::{CertificateDer, Document};
use x509_cert::der::{Error, Tag};

use super::der::{element, identifier, integer, octets, sequence, tagged};

/// So often is a guess of the password hashed. Both keys of a file take 20 ms.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(20_000).expect("a number");

const DATA: &str = "1.2.840.113549.1.7.1";
const ENCRYPTED_DATA: &str = "1.2.840.113549.1.7.6";
const KEY_BAG: &str = "1.2.840.113549.1.12.10.1.2";
const CERTIFICATE_BAG: &str = "1.2.840.113549.1.12.10.1.3";
const X509: &str = "1.2.840.113549.1.9.22.1";
const FRIENDLY_NAME: &str = "1.2.840.113549.1.9.20";
const LOCAL_KEY_ID: &str = "1.2.840.113549.1.9.21";
const PBES2: &str = "1.2.840.113549.1.5.13";
const PBKDF2: &str = "1.2.840.113549.1.5.12";
const HMAC_SHA256: &str = "1.2.840.113549.2.9";
const AES_256_CBC: &str = "2.16.840.1.101.3.4.1.42";
const SHA_256: &str = "2.16.840.1.101.3.4.2.1";

/// A file of this key (PKCS#8) and these certificates (PEM, the leaf first).
pub(super) fn write(name: &str, key: &[u8], chain: &[u8], password: &str) -> anyhow::Result<Vec<u8>> {
    let certificates = Document::read(chain)?.certificates()?;
    file(name, key, &certificates, password).map_err(|_| anyhow!("the PFX file can't be written"))
}

fn file(
    name: &str,
    key: &[u8],
    certificates: &[CertificateDer<'_>],
    password: &str,
) -> Result<Vec<u8>, Error> {
    // Joins key and leaf.
    let first = certificates.first().map(|der| digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref().to_vec());
    let attributes = attributes(name, &first.unwrap_or_default())?;
    let mut bags = Vec::new();
    for (index, der) in certificates.iter().enumerate() {
        let value = sequence(&[&identifier(X509)?, &tagged(0, &[&octets(der)?])?])?;
        let attributes = if index == 0 { attributes.as_slice() } else { &[] };
        bags.extend(sequence(&[&identifier(CERTIFICATE_BAG)?, &tagged(0, &[&value])?, attributes])?);
    }
    let (algorithm, encrypted) = encrypt(&sequence(&[&bags])?, password)?;
    // The encrypted octets are [0], not constructed.
    let tag = Tag::ContextSpecific { constructed: false, number: x509_cert::der::TagNumber(0) };
    let content = sequence(&[&identifier(DATA)?, &algorithm, &element(tag, &[&encrypted])?])?;
    let certificates =
        sequence(&[&identifier(ENCRYPTED_DATA)?, &tagged(0, &[&sequence(&[&integer(0)?, &content])?])?])?;
    let (algorithm, encrypted) = encrypt(key, password)?;
    let key = sequence(&[&algorithm, &octets(&encrypted)?])?;
    let bag = sequence(&[&identifier(KEY_BAG)?, &tagged(0, &[&key])?, &attributes])?;
    let content = sequence(&[&certificates, &data(&sequence(&[&bag])?)?])?;
    let mac = mac(&content, password)?;
    sequence(&[&integer(3)?, &data(&content)?, &mac])
}

/// `ContentInfo` of data.
fn data(content: &[u8]) -> Result<Vec<u8>, Error> {
    sequence(&[&identifier(DATA)?, &tagged(0, &[&octets(content)?])?])
}

fn attributes(name: &str, id: &[u8]) -> Result<Vec<u8>, Error> {
    let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let attribute =
        |kind: &str, value: Vec<u8>| sequence(&[&identifier(kind)?, &element(Tag::Set, &[&value])?]);
    let name = attribute(FRIENDLY_NAME, element(Tag::BmpString, &[&units])?)?;
    element(Tag::Set, &[&name, &attribute(LOCAL_KEY_ID, octets(id)?)?])
}

/// The identifier of the algorithm with its salt, and what was encrypted.
fn encrypt(plain: &[u8], password: &str) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let (salt, vector): ([u8; 16], [u8; 16]) = (rand::random(), rand::random());
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut key);
    let encrypted =
        cbc::Encryptor::<Aes256>::new(&key.into(), &vector.into()).encrypt_padded_vec::<Pkcs7>(plain);
    let null = element(Tag::Null, &[])?;
    let function = sequence(&[&identifier(HMAC_SHA256)?, &null])?;
    let parameters = sequence(&[&octets(&salt)?, &integer(ITERATIONS.get())?, &function])?;
    let derivation = sequence(&[&identifier(PBKDF2)?, &parameters])?;
    let cipher = sequence(&[&identifier(AES_256_CBC)?, &octets(&vector)?])?;
    let algorithm = sequence(&[&identifier(PBES2)?, &sequence(&[&derivation, &cipher])?])?;
    Ok((algorithm, encrypted))
}

fn mac(content: &[u8], password: &str) -> Result<Vec<u8>, Error> {
    let salt: [u8; 16] = rand::random();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &mac_key(password, &salt));
    let tag = hmac::sign(&key, content);
    let algorithm = sequence(&[&identifier(SHA_256)?, &element(Tag::Null, &[])?])?;
    let digest = sequence(&[&algorithm, &octets(tag.as_ref())?])?;
    sequence(&[&digest, &octets(&salt)?, &integer(ITERATIONS.get())?])
}

/// The derivation of RFC 7292, appendix B, for a key of a MAC (3) that is as long as the digest.
fn mac_key(password: &str, salt: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let units: Vec<u8> = password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect();
    let filled = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().copied().cycle().take(bytes.len().next_multiple_of(BLOCK)).collect()
    };
    let mut key = digest(&SHA256, &[vec![3; BLOCK], filled(salt), filled(&units)].concat());
    for _ in 1..ITERATIONS.get() {
        key = digest(&SHA256, key.as_ref());
    }
    key.as_ref().to_vec()
}
