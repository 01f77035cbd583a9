//! Elements of DER, put together by the crate `der`, and blocks of PEM.

use anyhow::Context;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::pem::{LineEnding, encode_string};
use x509_cert::der::{Encode as _, Error, Tag, TagNumber};

/// An element of these parts.
pub(super) fn element(tag: Tag, parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    AnyRef::new(tag, &parts.concat())?.to_der()
}

/// A sequence of these parts.
pub(super) fn sequence(parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    element(Tag::Sequence, parts)
}

/// A constructed element of the context-specific tag of this number.
pub(super) fn tagged(number: u32, parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    element(Tag::ContextSpecific { constructed: true, number: TagNumber(number) }, parts)
}

pub(super) fn identifier(of: &str) -> Result<Vec<u8>, Error> {
    element(
        Tag::ObjectIdentifier,
        &[ObjectIdentifier::new(of).map_err(|_| Tag::ObjectIdentifier.value_error())?.as_bytes()],
    )
}

/// A whole number that is not negative.
pub(super) fn integer(number: u32) -> Result<Vec<u8>, Error> {
    number.to_der()
}

pub(super) fn octets(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    element(Tag::OctetString, &[bytes])
}

/// A block of PEM.
pub(super) fn pem(label: &str, der: &[u8]) -> anyhow::Result<String> {
    encode_string(label, LineEnding::LF, der).ok().with_context(|| format!("can't write a {label} as PEM"))
}
