//! The request for a certificate: PKCS#10 (RFC 2986), signed by the key that it is for, wherever that is.
//!
//! Put together of elements, each encoded by the crate `der`: the types of `x509-cert` for it, which encode the same bytes (the
//! tests read them so), take ten times the room in the firmware, and its builder more.

use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use tracker_protocol::RegistrationId;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::pem::{LineEnding, encode_string};
use x509_cert::der::{Encode as _, Error, Tag, TagNumber};

use super::error::OperationalError;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
/// The attributes of a request: `[0]`.
const ATTRIBUTES: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

/// The DER of a request whose whole subject is the registration ID as common name, and which asks for no extensions: those are
/// the service's business.
pub(super) fn request(id: &RegistrationId, key: &dyn SigningKey) -> Result<Vec<u8>, OperationalError> {
    let public_key = key.public_key().ok_or(OperationalError::Request)?;
    let info = info(id, &public_key).map_err(|_| OperationalError::Request)?;
    let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
    let signature = signer.ok_or(OperationalError::Request)?.sign(&info).map_err(OperationalError::Sign)?;
    signed(&info, &signature).map_err(|_| OperationalError::Request)
}

fn info(id: &RegistrationId, public_key: &[u8]) -> Result<Vec<u8>, Error> {
    let name = element(Tag::Utf8String, &[id.as_str().as_bytes()])?;
    let attribute = element(Tag::Sequence, &[&identifier(COMMON_NAME)?, &name])?;
    let subject = element(Tag::Sequence, &[&element(Tag::Set, &[&attribute])?])?;
    let version = element(Tag::Integer, &[&[0]])?;
    element(Tag::Sequence, &[&version, &subject, public_key, &element(ATTRIBUTES, &[])?])
}

fn signed(info: &[u8], signature: &[u8]) -> Result<Vec<u8>, Error> {
    let algorithm = element(Tag::Sequence, &[&identifier(ECDSA_WITH_SHA256)?])?;
    // No bit of its last octet is unused.
    let signature = element(Tag::BitString, &[&[0], signature])?;
    element(Tag::Sequence, &[info, &algorithm, &signature])
}

fn identifier(of: ObjectIdentifier) -> Result<Vec<u8>, Error> {
    element(Tag::ObjectIdentifier, &[of.as_bytes()])
}

fn element(tag: Tag, parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    AnyRef::new(tag, &parts.concat())?.to_der()
}

/// A block of PEM.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    // It refuses labels that are none, and what is too long for this machine.
    encode_string(label, LineEnding::LF, der).unwrap_or_default()
}

/// In one line of the standard alphabet.
pub(super) fn base64(der: &[u8]) -> String {
    pem("CERTIFICATE", der).lines().filter(|line| !line.starts_with('-')).collect()
}
