//! Distinguished names: as text, and compared by what they mean.

use std::borrow::Cow;
use std::fmt::Write as _;

use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Decode as _, Error, Reader as _, SliceReader, Tag, Tagged as _};

use crate::fields::CertificateError;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// How the usual attributes of a name are called.
const LABELS: [(&str, &str); 8] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "Email"),
];

/// A distinguished name: sets of attributes in the order of the certificate, nearly always one in each.
#[derive(Debug)]
pub struct Name<'a>(Vec<Vec<Attribute<'a>>>);

type Attribute<'a> = (ObjectIdentifier, AnyRef<'a>);

impl<'a> Name<'a> {
    /// Reads the DER of a name.
    pub fn read(der: &'a [u8]) -> Result<Self, CertificateError> {
        Ok(Self(sets(der)?))
    }

    /// The first common name that is text and not empty, in whatever type of string it is written.
    pub fn common_name(&self) -> Option<Cow<'a, str>> {
        let names = self.0.iter().flatten().filter(|(kind, _)| *kind == COMMON_NAME);
        names.filter_map(|(_, value)| text(*value)).find(|name| !name.is_empty())
    }

    /// `C=NL, O=Cheese, CN=cheese-001`; attributes of one set are joined by ` + `, and what is no text is written in
    /// hexadecimal digits. `more` has further names of attributes. `None` when a text is none.
    pub fn text(&self, more: &[(&str, &str)]) -> Option<String> {
        let mut written = String::new();
        for set in &self.0 {
            let mut separator = ", ";
            for (kind, value) in set {
                if !written.is_empty() {
                    written.push_str(separator);
                }
                let kind = kind.to_string();
                match LABELS.iter().chain(more).find(|(of, _)| *of == kind) {
                    Some((_, label)) => written.push_str(label),
                    None => write!(written, "OID({kind})").ok()?,
                }
                written.push('=');
                match text(*value) {
                    Some(text) => written.push_str(&text),
                    None if is_text(value.tag()) => return None,
                    None => value.value().iter().try_for_each(|byte| write!(written, "{byte:02X}")).ok()?,
                }
                separator = " + ";
            }
        }
        Some(written)
    }

    /// Whether both are the same by RFC 5280, 7.1: the type of string, capitals, and blanks at the ends or several in a
    /// row make no difference.
    fn means(&self, other: &Self) -> bool {
        let same_set = |(one, two): (&Vec<Attribute<'_>>, &Vec<Attribute<'_>>)| {
            one.len() == two.len()
                && one.iter().all(|attribute| two.iter().any(|other| same(attribute, other)))
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same_set)
    }
}

/// Whether two names, given as DER, mean the same. Names that can't be read do if they are the same bytes.
pub fn same_name(one: &[u8], two: &[u8]) -> bool {
    one == two || matches!((Name::read(one), Name::read(two)), (Ok(one), Ok(two)) if one.means(&two))
}

fn same(one: &Attribute<'_>, two: &Attribute<'_>) -> bool {
    one.0 == two.0
        && match (text(one.1), text(two.1)) {
            (Some(one), Some(two)) => folded(&one).eq(folded(&two)),
            _ => one.1 == two.1,
        }
}

/// Small letters, and one blank where there are several.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let words = text.split_whitespace().flat_map(|word| std::iter::once(' ').chain(word.chars()));
    words.flat_map(char::to_lowercase)
}

fn sets(der: &[u8]) -> Result<Vec<Vec<Attribute<'_>>>, Error> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|sets| {
        all(sets, |sets| {
            let set = AnyRef::decode(sets)?;
            set.tag().assert_eq(Tag::Set)?;
            all(&mut SliceReader::new(set.value())?, |set| {
                set.sequence(|attribute| {
                    Ok((ObjectIdentifier::decode(attribute)?, AnyRef::decode(attribute)?))
                })
            })
        })
    })
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

fn is_text(tag: Tag) -> bool {
    matches!(
        tag,
        Tag::NumericString
            | Tag::VisibleString
            | Tag::PrintableString
            | Tag::GeneralString
            | Tag::TeletexString
            | Tag::VideotexString
            | Tag::Utf8String
            | Tag::Ia5String
            | Tag::BmpString
    )
}

/// `None` for what is no text.
fn text(value: AnyRef<'_>) -> Option<Cow<'_, str>> {
    let bytes = value.value();
    match value.tag() {
        Tag::BmpString => {
            let (pairs, []) = bytes.as_chunks::<2>() else { return None };
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            char::decode_utf16(units).collect::<Result<String, _>>().ok().map(Cow::Owned)
        }
        tag if is_text(tag) => match str::from_utf8(bytes) {
            Ok(text) => Some(Cow::Borrowed(text)),
            // OpenSSL and others write Latin-1 as T61String.
            Err(_) if tag == Tag::TeletexString => {
                Some(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()))
            }
            Err(_) => None,
        },
        _ => None,
    }
}
