//! The fields of a certificate as bytes, where they lie in its DER.
//!
//! The types of `x509-cert` are for certificates as RFC 5280 wants them: they sort the attributes of a name, take no
//! path length above 255, no date before 1970 and no serial number above 21 octets. What a service is told must be
//! what is written, and a certificate is not unreadable for being odd, so the fields are taken one by one.

use chrono::{DateTime, NaiveDate, Utc};
use x509_cert::der::{
    Decode as _, Error, ErrorKind, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
    asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef},
};

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");

/// Where `keyCertSign` is in the first octet of a key usage.
const KEY_CERT_SIGN: u8 = 0b0000_0100;

/// The fields of a certificate.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    /// What is signed.
    pub signed: &'a [u8],
    /// Contents of the algorithm identifier of the signature: object identifier and parameters.
    pub signature_algorithm: &'a [u8],
    pub signature: &'a [u8],
    /// 0 for version 1, as it is encoded.
    pub version: u32,
    /// Octets of the integer; a leading 00 keeps a number positive.
    pub serial: &'a [u8],
    pub issuer: &'a [u8],
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    pub subject: &'a [u8],
    /// The whole `SubjectPublicKeyInfo`.
    pub public_key_info: &'a [u8],
    /// The key in it.
    pub public_key: &'a [u8],
    extensions: Vec<(ObjectIdentifier, &'a [u8])>,
}

/// The extension `basicConstraints`.
#[derive(Clone, Copy, Debug)]
pub(super) struct BasicConstraints {
    pub ca: bool,
    pub path_len: Option<u32>,
}

impl<'a> Fields<'a> {
    /// Reads a certificate; gives the number of bytes after its end too.
    pub(crate) fn read(der: &'a [u8]) -> Result<(Self, usize), Error> {
        let mut reader = SliceReader::new(der)?;
        let (signed, signature_algorithm, signature) = reader.sequence(|certificate| {
            let signed = certificate.tlv_bytes()?;
            let algorithm = contents(certificate, Tag::Sequence)?;
            Ok::<_, Error>((signed, algorithm, BitStringRef::decode(certificate)?.raw_bytes()))
        })?;
        let rest = usize::try_from(reader.remaining_len())?;
        let fields = SliceReader::new(signed)?
            .sequence(|tbs| Self::of(tbs, signed, signature_algorithm, signature))?;
        Ok((fields, rest))
    }

    fn of(
        tbs: &mut SliceReader<'a>,
        signed: &'a [u8],
        signature_algorithm: &'a [u8],
        signature: &'a [u8],
    ) -> Result<Self, Error> {
        let version = match optional(tbs, 0)? {
            Some(version) => u32::from_der(version.value())?,
            None => 0,
        };
        let serial = contents(tbs, Tag::Integer)?;
        contents(tbs, Tag::Sequence)?;
        let issuer = tbs.tlv_bytes()?;
        let (not_before, not_after) =
            tbs.sequence(|validity| Ok::<_, Error>((time(validity)?, time(validity)?)))?;
        let subject = tbs.tlv_bytes()?;
        let public_key_info = tbs.tlv_bytes()?;
        let public_key = SliceReader::new(public_key_info)?.sequence(|info| {
            contents(info, Tag::Sequence)?;
            Ok::<_, Error>(BitStringRef::decode(info)?.raw_bytes())
        })?;
        optional(tbs, 1)?;
        optional(tbs, 2)?;
        let extensions = match optional(tbs, 3)? {
            Some(list) => SliceReader::new(list.value())?.sequence(extensions)?,
            None => Vec::new(),
        };
        Ok(Self {
            signed,
            signature_algorithm,
            signature,
            version,
            serial,
            issuer,
            not_before,
            not_after,
            subject,
            public_key_info,
            public_key,
            extensions,
        })
    }

    /// Whether the key may sign certificates: it may if nothing is said of its use.
    pub(super) fn may_sign_certificates(&self) -> Result<bool, Error> {
        let Some(usage) = self.extension(KEY_USAGE)? else {
            return Ok(true);
        };
        let usage = BitStringRef::from_der(usage)?.raw_bytes();
        Ok(usage.first().is_some_and(|first| first & KEY_CERT_SIGN != 0))
    }

    pub(super) fn basic_constraints(&self) -> Result<Option<BasicConstraints>, Error> {
        let Some(constraints) = self.extension(BASIC_CONSTRAINTS)? else {
            return Ok(None);
        };
        SliceReader::new(constraints)?
            .sequence(|reader| {
                let ca = Option::<bool>::decode(reader)?.unwrap_or(false);
                Ok(BasicConstraints { ca, path_len: Option::<u32>::decode(reader)? })
            })
            .map(Some)
    }

    /// The name of its key, for the certificates that it signs.
    pub(crate) fn subject_key_identifier(&self) -> Result<Option<&'a [u8]>, Error> {
        let identifier = self.extension(SUBJECT_KEY_IDENTIFIER)?;
        identifier.map(|der| Ok(<&OctetStringRef>::from_der(der)?.as_bytes())).transpose()
    }

    /// The value of an extension, which may be there once.
    fn extension(&self, name: ObjectIdentifier) -> Result<Option<&'a [u8]>, Error> {
        let mut values = self.extensions.iter().filter(|(of, _)| *of == name).map(|(_, value)| *value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(ErrorKind::Failed.into()),
        }
    }
}

fn extensions<'a>(list: &mut SliceReader<'a>) -> Result<Vec<(ObjectIdentifier, &'a [u8])>, Error> {
    let mut extensions = Vec::new();
    while !list.is_finished() {
        extensions.push(list.sequence(|extension| {
            let name = ObjectIdentifier::decode(extension)?;
            let mut value = AnyRef::decode(extension)?;
            if value.tag() == Tag::Boolean {
                value = AnyRef::decode(extension)?;
            }
            value.tag().assert_eq(Tag::OctetString)?;
            Ok::<_, Error>((name, value.value()))
        })?);
    }
    Ok(extensions)
}

/// The contents of the next element.
fn contents<'a>(reader: &mut SliceReader<'a>, tag: Tag) -> Result<&'a [u8], Error> {
    let element = AnyRef::decode(reader)?;
    element.tag().assert_eq(tag)?;
    Ok(element.value())
}

/// The next element if it is the context-specific one of this number.
fn optional<'a>(reader: &mut SliceReader<'a>, number: u32) -> Result<Option<AnyRef<'a>>, Error> {
    if reader.is_finished() {
        return Ok(None);
    }
    let tag = Tag::peek(reader)?;
    let is_next = tag.is_context_specific() && tag.number() == TagNumber(number);
    is_next.then(|| AnyRef::decode(reader)).transpose()
}

/// A moment of the validity: `YYMMDDhhmmssZ` up to 2049, and `YYYYMMDDhhmmssZ`.
fn time(reader: &mut SliceReader<'_>) -> Result<DateTime<Utc>, Error> {
    let time = AnyRef::decode(reader)?;
    let tag = time.tag();
    let century = match tag {
        Tag::UtcTime if time.value().first().is_some_and(|decade| *decade >= b'5') => "19",
        Tag::UtcTime => "20",
        _ => "",
    };
    let digits = format!("{century}{}", String::from_utf8_lossy(time.value()));
    let utc = match tag {
        Tag::UtcTime | Tag::GeneralizedTime => digits.strip_suffix('Z').and_then(moment),
        _ => None,
    };
    utc.ok_or_else(|| tag.value_error().into())
}

/// `YYYYMMDDhhmmss`.
fn moment(digits: &str) -> Option<DateTime<Utc>> {
    if digits.len() != 14 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| digits.get(from..from + 2)?.parse::<u32>().ok();
    let date = NaiveDate::from_ymd_opt(digits.get(..4)?.parse().ok()?, part(4)?, part(6)?)?;
    Some(date.and_hms_opt(part(8)?, part(10)?, part(12)?)?.and_utc())
}
