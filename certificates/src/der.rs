//! Elements of DER, taken one by one.

use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode as _, Error, Reader as _, SliceReader, Tag, TagNumber, Tagged as _};

/// The contents of the next element.
pub(crate) fn contents<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Result<&'a [u8], Error> {
    let element = AnyRef::decode(reader)?;
    element.tag().assert_eq(tag)?;
    Ok(element.value())
}

/// The next element if it is the context-specific one of this number.
pub(crate) fn optional<'a>(reader: &mut SliceReader<'a>, number: u32) -> Result<Option<AnyRef<'a>>, Error> {
    if reader.is_finished() {
        return Ok(None);
    }
    let tag = Tag::peek(reader)?;
    let is_next = tag.is_context_specific() && tag.number() == TagNumber(number);
    is_next.then(|| AnyRef::decode(reader)).transpose()
}

/// The object identifier that comes first, and what follows after it.
pub(crate) fn object_identifier(der: &[u8]) -> Option<(ObjectIdentifier, &[u8])> {
    let (id, rest): (ObjectIdentifier, _) = ObjectIdentifier::from_der_partial(der).ok()?;
    Some((id, rest))
}
