//! The fields of a certificate as bytes, where they lie in its DER.
//!
//! The types of `x509-cert` are for certificates as RFC 5280 wants them: they sort the attributes of a name, take no
//! path length above 255, no date before 1970 and no serial number above 21 octets. What a service is told must be
//! what is written, and a certificate is not unreadable for being odd, so the fields are taken one by one.

use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef};
use x509_cert::der::{Decode as _, Error, Reader as _, SliceReader, Tag, Tagged as _};

use crate::der::{contents, optional};
use crate::public_key::PublicKey;

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");

/// Where `keyCertSign` is in the first octet of a key usage.
const KEY_CERT_SIGN: u8 = 0b0000_0100;

/// Why bytes are no certificate. The parser's own words are not handed on: they may repeat what it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate's DER.
    #[error("its DER is not that of a certificate: it was cut or edited")]
    Malformed,
    /// More than one certificate's DER.
    #[error("{0} bytes after its end")]
    Trailing(usize),
}

impl From<Error> for CertificateError {
    fn from(_: Error) -> Self {
        Self::Malformed
    }
}

/// The fields of a certificate.
#[derive(Debug)]
pub struct Fields<'a> {
    /// What is signed.
    pub signed: &'a [u8],
    /// Contents of the algorithm identifier of the signature: object identifier and parameters.
    pub signature_algorithm: &'a [u8],
    /// The signature itself.
    pub signature: &'a [u8],
    /// 0 for version 1, as it is encoded.
    pub version: u32,
    /// Octets of the integer; a leading 00 keeps a number positive.
    pub serial: &'a [u8],
    /// DER of the issuer's name.
    pub issuer: &'a [u8],
    /// First second of validity, since 1970.
    pub not_before: i64,
    /// Last second of validity, since 1970.
    pub not_after: i64,
    /// DER of the subject's name.
    pub subject: &'a [u8],
    /// The whole `SubjectPublicKeyInfo`.
    pub public_key_info: &'a [u8],
    pub(crate) public_key: PublicKey<'a>,
    extensions: Vec<Extension<'a>>,
}

/// Its name, and its value in DER.
pub(crate) type Extension<'a> = (ObjectIdentifier, &'a [u8]);

/// The extension `basicConstraints`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BasicConstraints {
    pub(crate) ca: bool,
    pub(crate) path_len: Option<u32>,
}

impl<'a> Fields<'a> {
    /// Reads a certificate, and nothing after its end.
    pub fn read(der: &'a [u8]) -> Result<Self, CertificateError> {
        match Self::read_first(der)? {
            (fields, 0) => Ok(fields),
            (_, rest) => Err(CertificateError::Trailing(rest)),
        }
    }

    fn read_first(der: &'a [u8]) -> Result<(Self, usize), Error> {
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
        let public_key = PublicKey::read(public_key_info)?;
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

    /// The subject's public key: contents of its algorithm identifier, and the key itself, as verifiers of signatures take them.
    pub fn key(&self) -> (&'a [u8], &'a [u8]) {
        (self.public_key.algorithm, self.public_key.bits)
    }

    /// Whether the basic constraints say that it is a CA's; `None` if they are not there.
    pub fn says_ca(&self) -> Result<Option<bool>, CertificateError> {
        Ok(self.basic_constraints()?.map(|constraints| constraints.ca))
    }

    /// Whether the key may sign certificates: it may if nothing is said of its use.
    pub(crate) fn may_sign_certificates(&self) -> Result<bool, Error> {
        let Some(usage) = self.extension(KEY_USAGE)? else {
            return Ok(true);
        };
        let usage = BitStringRef::from_der(usage)?.raw_bytes();
        Ok(usage.first().is_some_and(|first| first & KEY_CERT_SIGN != 0))
    }

    pub(crate) fn basic_constraints(&self) -> Result<Option<BasicConstraints>, Error> {
        basic_constraints(&self.extensions)
    }

    /// What the kind of key is called, with its curve: `P-256`, `RSA`; empty if it is not known.
    pub fn kind(&self) -> &'static str {
        self.public_key.kind()
    }

    /// How many bits the modulus of an RSA key has.
    pub fn rsa_bits(&self) -> Option<usize> {
        self.public_key.rsa_bits()
    }

    /// The value of the extension of this object identifier, in DER, if it is there.
    pub fn extension_value(&self, name: &str) -> Result<Option<&'a [u8]>, CertificateError> {
        let name = ObjectIdentifier::new(name).map_err(|_| CertificateError::Malformed)?;
        Ok(self.extension(name)?)
    }

    /// The name of its key, for the certificates that it signs.
    pub fn subject_key_identifier(&self) -> Result<Option<&'a [u8]>, CertificateError> {
        let identifier = self.extension(SUBJECT_KEY_IDENTIFIER)?;
        Ok(identifier.map(<&OctetStringRef>::from_der).transpose()?.map(OctetStringRef::as_bytes))
    }

    /// The value of an extension, which may be there once.
    fn extension(&self, name: ObjectIdentifier) -> Result<Option<&'a [u8]>, Error> {
        extension(&self.extensions, name)
    }
}

fn extension<'a>(list: &[Extension<'a>], name: ObjectIdentifier) -> Result<Option<&'a [u8]>, Error> {
    let mut values = list.iter().filter(|(of, _)| *of == name).map(|(_, value)| *value);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Tag::Sequence.value_error().into()),
    }
}

/// What a list of extensions says in its basic constraints.
pub(crate) fn basic_constraints(list: &[Extension<'_>]) -> Result<Option<BasicConstraints>, Error> {
    let Some(constraints) = extension(list, BASIC_CONSTRAINTS)? else {
        return Ok(None);
    };
    SliceReader::new(constraints)?
        .sequence(|reader| {
            let ca = Option::<bool>::decode(reader)?.unwrap_or(false);
            Ok(BasicConstraints { ca, path_len: Option::<u32>::decode(reader)? })
        })
        .map(Some)
}

/// All extensions of a list.
pub(crate) fn extensions<'a>(list: &mut SliceReader<'a>) -> Result<Vec<Extension<'a>>, Error> {
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

/// A moment of the validity, in seconds since 1970: `YYMMDDhhmmssZ` up to 2049, and `YYYYMMDDhhmmssZ`.
fn time(reader: &mut SliceReader<'_>) -> Result<i64, Error> {
    let time = AnyRef::decode(reader)?;
    let tag = time.tag();
    let seconds = time.value().strip_suffix(b"Z").and_then(|digits| match (tag, digits) {
        (Tag::GeneralizedTime, [first, second, rest @ ..]) => moment(pair(*first, *second)?, rest),
        (Tag::UtcTime, [decade, ..]) => moment(if *decade >= b'5' { 19 } else { 20 }, digits),
        _ => None,
    });
    seconds.ok_or_else(|| tag.value_error().into())
}

/// `YYMMDDhhmmss` of a century.
fn moment(century: i64, digits: &[u8]) -> Option<i64> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut parts = [0; 6];
    if pairs.len() != parts.len() {
        return None;
    }
    for (part, [tens, ones]) in parts.iter_mut().zip(pairs) {
        *part = pair(*tens, *ones)?;
    }
    let [year, month, day, hour, minute, second] = parts;
    let year = century * 100 + year;
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let length = match month {
        2 => 28 + leap,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March have their leap day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

fn pair(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}
