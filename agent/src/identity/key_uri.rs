//! `pkcs11:` URIs (RFC 7512) that name a private key.
//!
//! ```text
//! pkcs11:token=tracker;object=device;type=private?module-path=/usr/lib/…/libtpm2_pkcs11.so&pin-source=file:/…/token.pin
//!        └── path: which token, which object ───┘ └── query: how to reach it ──────────────────────────────────────┘
//! ```
//!
//! What is not understood is refused, never passed over: a URI that means more than it is taken for may lead to another
//! key. A PIN in the URI is never shown, wherever in it a mistake has put it: messages name attributes that are known, and
//! count the others; they show no value.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::key_uri_error::KeyUriError;

/// What every such URI begins with, in any case.
pub(super) const SCHEME: &str = "pkcs11:";

/// Which key, in which token, and how to get there. An attribute that is absent may have any value.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyUri {
    /// Label of the token.
    pub token: Option<String>,
    /// Who made the token.
    pub manufacturer: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// The number of the slot that it is in.
    pub slot_id: Option<u64>,
    /// Label of the key (`CKA_LABEL`).
    pub object: Option<String>,
    /// ID of the key (`CKA_ID`).
    pub id: Option<Vec<u8>>,
    /// The library that speaks to the token.
    pub module_path: PathBuf,
    /// Where the PIN comes from; `None` for a token that wants none.
    pub pin: Option<PinSource>,
}

/// Where the PIN comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum PinSource {
    /// The first line of a file.
    File(PathBuf),
    /// The URI itself.
    Value(String),
}

impl fmt::Debug for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Value(_) => f.write_str("Value"),
        }
    }
}

/// Names of attributes that may be shown although they are not known here: those of the standard, and what is easily
/// taken for them.
const OTHER_NAMES: [&str; 12] = [
    "library-description",
    "library-manufacturer",
    "library-version",
    "slot-description",
    "slot-manufacturer",
    "module-path",
    "module-name",
    "pin-source",
    "pin-value",
    "pin",
    "label",
    "key",
];
const PATH_NAMES: [&str; 8] = ["token", "manufacturer", "model", "serial", "slot-id", "object", "id", "type"];
/// What `type` may say.
const CLASSES: [&str; 5] = ["private", "public", "cert", "secret-key", "data"];

/// Where an attribute stands: what is shown of one whose text may be a PIN, or a part of it.
#[derive(Clone, Copy)]
enum Place {
    /// One of so many before the `?`.
    Path(usize),
    /// One of so many after it.
    Query(usize),
}

impl Place {
    fn name(self, name: &str) -> String {
        // Vendors' names are short words; after the ? one may as well be the rest of a PIN with a & in it.
        let is_vendors = || matches!(self, Self::Path(_)) && name.starts_with("x-") && name.len() <= 11;
        if PATH_NAMES.iter().chain(&OTHER_NAMES).any(|known| *known == name) || is_vendors() {
            return name.into();
        }
        match self {
            Self::Path(number) => format!("attribute {number} before the ?"),
            Self::Query(number) => format!("attribute {number} after the ?"),
        }
    }

    /// What stands there, if it may be shown, as it is written.
    fn text(self, attribute: &str) -> String {
        let shown = self.name(attribute);
        if shown == attribute { format!("{shown:?}") } else { shown }
    }
}

/// Whether an attribute with a PIN, however it is spelt, begins somewhere in this.
pub(super) fn has_pin(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let goes_on = |rest: &str| {
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || "-_ ".contains(c));
        rest.starts_with(['=', ':'])
    };
    let begins = |before: &str| !before.ends_with(char::is_alphanumeric);
    ["pin-value", "pin_value", "pinvalue"].iter().any(|name| text.contains(name))
        || text.match_indices("pin").any(|(at, pin)| begins(&text[..at]) && goes_on(&text[at + pin.len()..]))
}

impl FromStr for KeyUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (path, query) = text.get(SCHEME.len()..).unwrap_or_default().split_once('?').unzip();
        let path = path.unwrap_or_else(|| text.get(SCHEME.len()..).unwrap_or_default());
        let mut parts = Parts::default();
        for (attribute, number) in path.split(';').zip(1..).filter(|(attribute, _)| !attribute.is_empty()) {
            parts.take_path(attribute, Place::Path(number))?;
        }
        let query = query.unwrap_or_default().split('&').zip(1..);
        for (attribute, number) in query.filter(|(attribute, _)| !attribute.is_empty()) {
            parts.take_query(attribute, Place::Query(number))?;
        }
        parts.whole()
    }
}

/// What has been read of a URI so far.
#[derive(Default)]
struct Parts {
    token: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    serial: Option<String>,
    slot_id: Option<String>,
    object: Option<String>,
    id: Option<Vec<u8>>,
    class: Option<String>,
    module_path: Option<String>,
    pin_source: Option<String>,
    pin_value: Option<String>,
}

impl Parts {
    fn take_path(&mut self, attribute: &str, place: Place) -> Result<(), KeyUriError> {
        let (name, value) = name_and_value(attribute, place)?;
        match name {
            "token" => put(&mut self.token, name, text(name, value)?),
            "manufacturer" => put(&mut self.manufacturer, name, text(name, value)?),
            "model" => put(&mut self.model, name, text(name, value)?),
            "serial" => put(&mut self.serial, name, text(name, value)?),
            "slot-id" => put(&mut self.slot_id, name, text(name, value)?),
            "object" => put(&mut self.object, name, text(name, value)?),
            "id" => put(&mut self.id, name, bytes(name, value)?),
            "type" => put(&mut self.class, name, text(name, value)?),
            _ => Err(KeyUriError::UnknownPath(place.name(name))),
        }
    }

    fn take_query(&mut self, attribute: &str, place: Place) -> Result<(), KeyUriError> {
        let (name, value) = name_and_value(attribute, place)?;
        match name {
            "module-path" => put(&mut self.module_path, name, path(name, value)?),
            "pin-source" => put(&mut self.pin_source, name, path(name, value)?),
            "pin-value" => put(&mut self.pin_value, name, pin(name, value)?),
            "module-name" => Err(KeyUriError::ModuleName),
            _ => Err(KeyUriError::UnknownQuery(place.name(name))),
        }
    }

    fn whole(self) -> Result<KeyUri, KeyUriError> {
        if let Some(class) = self.class.filter(|class| class != "private") {
            let shown = if CLASSES.contains(&&*class) { format!("type={class}") } else { "type".into() };
            return Err(KeyUriError::NotPrivate(shown));
        }
        let slot_id = match self.slot_id {
            Some(number) => Some(number.parse().map_err(|_| KeyUriError::SlotId)?),
            None => None,
        };
        let module_path = self.module_path.ok_or(KeyUriError::NoModule)?;
        if !Path::new(&module_path).is_absolute() {
            return Err(KeyUriError::RelativeModule);
        }
        let pin = match (self.pin_source, self.pin_value) {
            (Some(_), Some(_)) => return Err(KeyUriError::TwoPins),
            (Some(source), None) => Some(PinSource::File(pin_file(&source)?)),
            (None, value) => value.map(PinSource::Value),
        };
        Ok(KeyUri {
            token: self.token,
            manufacturer: self.manufacturer,
            model: self.model,
            serial: self.serial,
            slot_id,
            object: self.object,
            id: self.id,
            module_path: module_path.into(),
            pin,
        })
    }
}

fn name_and_value(attribute: &str, place: Place) -> Result<(&str, &str), KeyUriError> {
    let (name, value) =
        attribute.split_once('=').ok_or_else(|| KeyUriError::NoValue(place.text(attribute)))?;
    if value.is_empty() { Err(KeyUriError::Empty(place.name(name))) } else { Ok((name, value)) }
}

fn put<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), KeyUriError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(KeyUriError::Twice(name.into())),
    }
}

fn text(name: &str, value: &str) -> Result<String, KeyUriError> {
    String::from_utf8(bytes(name, value)?).map_err(|_| KeyUriError::Encoding(name.into()))
}

/// The name of a file. One with a separator in it is more likely two attributes, the second of which may be the PIN.
fn path(name: &str, value: &str) -> Result<String, KeyUriError> {
    if value.contains([';', '?']) { Err(KeyUriError::Separator(name.into())) } else { text(name, value) }
}

/// The PIN. What is taken for one by mistake would cost a try.
fn pin(name: &str, value: &str) -> Result<String, KeyUriError> {
    let other = |rest: &str| ["module-", "pin-"].iter().any(|name| rest.starts_with(name));
    if value.split([';', '?']).skip(1).any(other) {
        return Err(KeyUriError::Separator(name.into()));
    }
    String::from_utf8(decoded(name, value)?).map_err(|_| KeyUriError::Encoding(name.into()))
}

/// A value that is shown, in this or another message.
fn bytes(name: &str, value: &str) -> Result<Vec<u8>, KeyUriError> {
    let bytes = decoded(name, value)?;
    if has_pin(&String::from_utf8_lossy(&bytes)) {
        return Err(KeyUriError::Separator(name.into()));
    }
    Ok(bytes)
}

fn decoded(name: &str, value: &str) -> Result<Vec<u8>, KeyUriError> {
    let bad = || KeyUriError::Encoding(name.into());
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = digit().zip(digit()).ok_or_else(bad)?;
                (high << 4 | low) as u8
            }
            byte => byte,
        });
    }
    Ok(decoded)
}

fn pin_file(source: &str) -> Result<PathBuf, KeyUriError> {
    let path = match source.split_once(':') {
        Some((scheme, path)) if scheme.eq_ignore_ascii_case("file") => {
            path.strip_prefix("//localhost").or(path.strip_prefix("//")).unwrap_or(path)
        }
        Some(_) => return Err(KeyUriError::NoPinFile),
        None => source,
    };
    if path.is_empty() || path.starts_with(['|', ' ']) {
        return Err(KeyUriError::NoPinFile);
    }
    Ok(path.into())
}

impl KeyUri {
    pub(super) fn make_relative_to(&mut self, directory: &Path) {
        if let Some(PinSource::File(path)) = &mut self.pin {
            *path = directory.join(&path);
        }
    }
}

/// The URI without its query: what is meant, and nothing that is secret.
impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, manufacturer, model, serial, slot_id, object, id, .. } = self;
        let slot_id = slot_id.map(|number| number.to_string());
        let texts = [
            ("model", model),
            ("manufacturer", manufacturer),
            ("serial", serial),
            ("token", token),
            ("slot-id", &slot_id),
            ("object", object),
        ];
        f.write_str(SCHEME)?;
        let mut separator = "";
        for (name, value) in texts {
            if let Some(value) = value {
                write!(f, "{separator}{name}={}", Encoded(value.as_bytes()))?;
                separator = ";";
            }
        }
        if let Some(id) = id {
            write!(f, "{separator}id={}", EncodedBytes(id))?;
        }
        Ok(())
    }
}

impl fmt::Debug for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// Text as it stands in such a URI.
struct Encoded<'a>(&'a [u8]);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b',' => {
                    write!(f, "{}", char::from(*byte))?;
                }
                byte => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// Bytes as they stand in such a URI.
pub(super) struct EncodedBytes<'a>(pub(super) &'a [u8]);

impl fmt::Display for EncodedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &str = "module-path=/usr/lib/softhsm/libsofthsm2.so";

    fn parse(path: &str, query: &str) -> Result<KeyUri, KeyUriError> {
        format!("pkcs11:{path}?{MODULE}{query}").parse()
    }

    fn refusal(path: &str, query: &str) -> String {
        parse(path, query).unwrap_err().to_string()
    }

    #[test]
    fn every_known_attribute_is_taken() {
        let uri = parse(
            "model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=90ab;token=tracker%20%C3%A9;slot-id=7;\
             id=%01%a2;object=device;type=private",
            "&pin-source=file:/run/credentials/x/token.pin",
        )
        .unwrap();
        assert_eq!(uri.token.as_deref(), Some("tracker é"));
        assert_eq!((uri.model.as_deref(), uri.slot_id), (Some("SoftHSM v2"), Some(7)));
        assert_eq!((uri.object.as_deref(), uri.id.as_deref()), (Some("device"), Some(&[1, 0xa2][..])));
        assert_eq!(uri.module_path, Path::new("/usr/lib/softhsm/libsofthsm2.so"));
        assert_eq!(uri.pin, Some(PinSource::File("/run/credentials/x/token.pin".into())));
        // What is shown is a URI again, and means the same.
        let shown = format!("{uri}?{MODULE}");
        assert_eq!(shown.parse::<KeyUri>().unwrap(), KeyUri { pin: None, ..uri });
    }

    #[test]
    fn pin_files_are_named_in_the_usual_ways() {
        let file = |source: &str| parse("token=t", &format!("&pin-source={source}")).map(|uri| uri.pin);
        for source in ["file:/etc/a%20b", "file:///etc/a b", "file://localhost/etc/a b", "/etc/a b"] {
            assert_eq!(file(source), Ok(Some(PinSource::File("/etc/a b".into()))), "{source}");
        }
        let mut relative = parse("token=t", "&pin-source=token.pin").unwrap();
        relative.make_relative_to(Path::new("/etc/container-tracker"));
        assert_eq!(relative.pin, Some(PinSource::File("/etc/container-tracker/token.pin".into())));
        for source in ["%7C/bin/pin", "https://pins.example/1", "file:"] {
            assert_eq!(file(source), Err(KeyUriError::NoPinFile), "{source}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(refusal("token=t;x-vendor=1", "").contains("has x-vendor, which is not known here; token,"));
        assert!(refusal("library-version=3", "").contains("has library-version, which is not known here"));
        assert!(refusal("token=t", "&module-name=softhsm2").contains("module-path=/usr/lib/"));
        assert!(refusal("token=t", "&pin=1").contains("has pin, which is not known here; module-path,"));
        assert!(refusal("token=t;token=u", "").contains("token stands twice"));
        assert!(refusal("token", "").contains("\"token\" in the pkcs11: URI is not name=value"));
        assert!(refusal("token=", "").contains("token in the pkcs11: URI has no value"));
        assert!(refusal("token=%4", "").contains("the value of token"));
        assert!(refusal("token=%ff", "").contains("the value of token"));
        assert!(refusal("type=public", "").contains("type=public in the pkcs11: URI names no private key"));
        assert!(refusal("slot-id=first", "").contains("slot-id in the pkcs11: URI is no number"));
        assert!(refusal("token=t", "&pin-value=1&pin-source=/x").contains("one of them is enough"));
        let error = |uri: &str| uri.parse::<KeyUri>().unwrap_err();
        assert_eq!(error("pkcs11:token=t"), KeyUriError::NoModule);
        assert!(error("pkcs11:token=t?module-path=x.so").to_string().contains("is not absolute"));
    }

    #[test]
    fn a_pin_is_never_shown() {
        let uri = parse("token=t", "&pin-value=12%2634").unwrap();
        assert_eq!(uri.pin, Some(PinSource::Value("12&34".into())));
        assert_eq!(
            (uri.to_string(), format!("{uri:?}")),
            ("pkcs11:token=t".into(), "\"pkcs11:token=t\"".into())
        );
        let wrong = ["&pin-value=1234", "&pin-source=/x", "%", "&1234"];
        for query in wrong.map(|more| format!("&pin-value=1234{more}")) {
            assert!(!refusal("token=t", &query).contains("1234"), "{query}");
        }
    }

    #[test]
    fn an_attribute_after_the_wrong_separator_is_refused() {
        let separated = |text: &str| text.contains(" in the pkcs11: URI goes on with something else; ");
        // MODULE is before these: each is the end of its value.
        for query in
            [";pin-value=1234", "?pin-value=1234", "%3Bpin-value=1234", " PIN=1234", ";1234", ",pin%3D1"]
        {
            let text = refusal("token=t", query);
            assert!(text.starts_with("the value of module-path in") && separated(&text), "{query}: {text}");
        }
        for path in ["token=t&pin-value=1234", "token=t,pin_value:1234", "object=a;id=%01&pinvalue=1234"] {
            assert!(separated(&refusal(path, "")), "{path}");
        }
        assert!(separated(&refusal("token=t", "&pin-source=/x;pin-value=1234")));
        let misled = format!("pkcs11:token=t?pin-value=1234;{MODULE}").parse::<KeyUri>();
        assert_eq!(misled, Err(KeyUriError::Separator("pin-value".into())));
        // What only looks like it is let through.
        for fine in ["token=shipping:7", "token=spin=x", "object=pins%20and%20needles", "token=pin"] {
            assert!(parse(fine, "").is_ok(), "{fine}");
        }
        assert_eq!(parse("", "&pin-value=12;3?4").unwrap().pin, Some(PinSource::Value("12;3?4".into())));
    }

    #[test]
    fn what_has_no_known_name_is_told_by_its_place() {
        assert!(
            refusal("token=t;1234=5", "").contains("URI has attribute 2 before the ?, which is not known")
        );
        assert!(refusal("token=t", "&pin-value=12&34=5").contains("URI has attribute 3 after the ?, which"));
        assert!(
            refusal("token=t;1234", "").starts_with("attribute 2 before the ? in the pkcs11: URI is not")
        );
        assert!(refusal("1234=", "").starts_with("attribute 1 before the ? in the pkcs11: URI has no value"));
    }

    proptest::proptest! {
        #[test]
        fn every_name_and_id_can_be_written(token in ".{1,40}", object in ".{1,40}", id in proptest::collection::vec(0..=255_u8, 1..20)) {
            let uri = KeyUri { token: Some(token), object: Some(object), id: Some(id), ..parse("", "").unwrap() };
            proptest::prop_assert_eq!(format!("{uri}?{MODULE}").parse(), Ok(uri));
        }

        #[test]
        fn no_text_is_too_odd_to_be_read(text in ".{0,200}") {
            let _ = format!("pkcs11:{text}").parse::<KeyUri>();
        }
    }
}
