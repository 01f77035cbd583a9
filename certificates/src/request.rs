//! A certification request (PKCS#10, RFC 2986): who wants a certificate, for which key, signed by that key.

use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::{Decode as _, Error, Reader as _, SliceReader, Tag};

use crate::der::{contents, optional};
use crate::fields::{basic_constraints, extensions};
use crate::public_key::PublicKey;
use crate::signature::{SignatureError, verify_signed};

/// The attribute with the extensions that are wanted.
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// Why bytes are no certification request. The parser's own words are not handed on: they may repeat what it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No certification request's DER.
    #[error("its DER is not that of a certification request (PKCS#10)")]
    Malformed,
    /// More than one certification request's DER.
    #[error("{0} bytes after its end")]
    Trailing(usize),
}

impl From<Error> for RequestError {
    fn from(_: Error) -> Self {
        Self::Malformed
    }
}

/// The fields of a certification request.
#[derive(Debug)]
pub struct Request<'a> {
    signed: &'a [u8],
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
    /// DER of the name that is asked for.
    pub subject: &'a [u8],
    /// The whole `SubjectPublicKeyInfo`.
    pub public_key_info: &'a [u8],
    public_key: PublicKey<'a>,
    /// Contents of the set of attributes.
    attributes: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads a request, and nothing after its end. What its attributes say is not looked at.
    pub fn read(der: &'a [u8]) -> Result<Self, RequestError> {
        let mut reader = SliceReader::new(der)?;
        let (signed, signature_algorithm, signature) = reader.sequence(|request| {
            let signed = request.tlv_bytes()?;
            let algorithm = contents(request, Tag::Sequence)?;
            Ok::<_, Error>((signed, algorithm, BitStringRef::decode(request)?.raw_bytes()))
        })?;
        let rest = usize::try_from(reader.remaining_len())?;
        if rest > 0 {
            return Err(RequestError::Trailing(rest));
        }
        let (subject, public_key_info, attributes) = SliceReader::new(signed)?.sequence(|info| {
            contents(info, Tag::Integer)?;
            let (subject, key) = (info.tlv_bytes()?, info.tlv_bytes()?);
            Ok::<_, Error>((
                subject,
                key,
                optional(info, 0)?.map_or(&[][..], |attributes| attributes.value()),
            ))
        })?;
        let public_key = PublicKey::read(public_key_info)?;
        Ok(Self { signed, signature_algorithm, signature, subject, public_key_info, public_key, attributes })
    }

    /// Whether the key that a certificate is wanted for has signed the request.
    pub fn verify(&self) -> Result<(), SignatureError> {
        verify_signed(self.signature_algorithm, self.signed, self.signature, &self.public_key)
    }

    /// What the kind of key is called, with its curve: `P-256`, `RSA`; empty if it is not known.
    pub fn kind(&self) -> &'static str {
        self.public_key.kind()
    }

    /// How many bits the modulus of an RSA key has.
    pub fn rsa_bits(&self) -> Option<usize> {
        self.public_key.rsa_bits()
    }

    /// Whether it asks for the certificate of a CA: basic constraints with `CA:TRUE` among the extensions that it wants.
    pub fn asks_for_ca(&self) -> Result<bool, RequestError> {
        let mut attributes = SliceReader::new(self.attributes)?;
        let mut asks = false;
        while !attributes.is_finished() {
            let (kind, values) = attributes.sequence(|attribute| {
                Ok::<_, Error>((ObjectIdentifier::decode(attribute)?, AnyRef::decode(attribute)?))
            })?;
            if kind == EXTENSION_REQUEST {
                let wanted = SliceReader::new(values.value())?.sequence(extensions)?;
                asks |= basic_constraints(&wanted)?.is_some_and(|constraints| constraints.ca);
            }
        }
        Ok(asks)
    }

    /// The key itself, without its algorithm.
    pub fn key(&self) -> &'a [u8] {
        self.public_key.bits
    }
}
