//! Distinguished names as text.

use std::fmt::Write as _;

use x509_cert::der::{
    Decode as _, Error, Reader as _, SliceReader, Tag, Tagged as _,
    asn1::{AnyRef, ObjectIdentifier},
};

use crate::id::upper_hex;

/// What stands for a name whose text is no text.
const INVALID: &str = "<X509Error: Invalid X.509 name>";

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// How the attributes of a name are called.
const LABELS: [(&str, &str); 38] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "Email"),
    ("0.9.2342.19200300.100.1.1", "uid"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.3", "contentType"),
    ("1.2.840.113549.1.9.4", "id-messageDigest"),
    ("1.2.840.113549.1.9.5", "signing-time"),
    ("1.2.840.113549.1.9.7", "challengePassword"),
    ("1.2.840.113549.1.9.14", "extensionRequest"),
    ("1.2.840.113549.1.9.15", "smimeCapabilities"),
    ("1.2.840.113549.1.9.20", "friendlyName"),
    ("1.3.6.1.4.1.311.60.2.1.1", "msJurisdictionLocality"),
    ("1.3.6.1.4.1.311.60.2.1.2", "msJurisdictionStateOrProvince"),
    ("1.3.6.1.4.1.311.60.2.1.3", "msJurisdictionCountry"),
    ("2.5.4.0", "objectClass"),
    ("2.5.4.1", "aliasedEntryName"),
    ("2.5.4.2", "knowledgeInformation"),
    ("2.5.4.4", "surname"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.9", "streetAddress"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.14", "searchGuide"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "givenName"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.45", "uniqueIdentifier"),
    ("2.5.4.46", "dnQualifier"),
];

/// A distinguished name: sets of attributes in the order of the certificate, nearly always one in each.
#[derive(Debug)]
pub(super) struct Name<'a>(Vec<Vec<Attribute<'a>>>);

type Attribute<'a> = (ObjectIdentifier, AnyRef<'a>);

impl<'a> Name<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Error> {
        let mut reader = SliceReader::new(der)?;
        let sets = reader.sequence(|sets| {
            all(sets, |sets| {
                let set = AnyRef::decode(sets)?;
                set.tag().assert_eq(Tag::Set)?;
                all(&mut SliceReader::new(set.value())?, |set| {
                    set.sequence(|attribute| {
                        Ok((ObjectIdentifier::decode(attribute)?, AnyRef::decode(attribute)?))
                    })
                })
            })
        })?;
        Ok(Self(sets))
    }

    /// The first common name that is text and not empty.
    pub(super) fn common_name(&self) -> Option<&'a str> {
        let names = self.0.iter().flatten().filter(|(kind, _)| *kind == COMMON_NAME);
        names
            .filter(|(_, value)| {
                matches!(
                    value.tag(),
                    Tag::NumericString | Tag::PrintableString | Tag::Utf8String | Tag::Ia5String
                )
            })
            .filter_map(|(_, value)| str::from_utf8(value.value()).ok())
            .find(|name| !name.is_empty())
    }

    /// `C=NL, O=Cheese, CN=cheese-001`; attributes of one set are joined by ` + `.
    pub(super) fn text(&self) -> String {
        self.written().unwrap_or_else(|| INVALID.to_owned())
    }

    fn written(&self) -> Option<String> {
        let mut text = String::new();
        for set in &self.0 {
            let mut separator = ", ";
            for (kind, value) in set {
                if !text.is_empty() {
                    text.push_str(separator);
                }
                let kind = kind.to_string();
                match LABELS.iter().find(|(of, _)| *of == kind) {
                    Some((_, label)) => text.push_str(label),
                    None => write!(text, "OID({kind})").ok()?,
                }
                text.push('=');
                text.push_str(&printable(*value)?);
                separator = " + ";
            }
        }
        Some(text)
    }
}

/// All elements that are left.
fn all<'a, T>(
    reader: &mut SliceReader<'a>,
    mut element: impl FnMut(&mut SliceReader<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(element(reader)?);
    }
    Ok(elements)
}

/// Text as it is, and everything else as hexadecimal digits; `None` for text that is none.
fn printable(value: AnyRef<'_>) -> Option<String> {
    match value.tag() {
        Tag::NumericString
        | Tag::VisibleString
        | Tag::PrintableString
        | Tag::GeneralString
        | Tag::TeletexString
        | Tag::VideotexString
        | Tag::Utf8String
        | Tag::Ia5String => str::from_utf8(value.value()).ok().map(str::to_owned),
        Tag::BmpString => {
            let (pairs, []) = value.value().as_chunks::<2>() else { return None };
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16(&units).ok()
        }
        _ => Some(upper_hex(value.value())),
    }
}
