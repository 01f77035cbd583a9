//! A way to the key: the token that the URI names, a session with it, logged in, and the key's handle.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::UserType;
use cryptoki::slot::{Slot, TokenInfo};
use secrecy::ExposeSecret;

use super::mechanism;
use super::module::Module;
use super::pin::{self, RefusedPins};
use super::words::{is_in_tpm, words};
use crate::identity::key_uri::{EncodedBytes, KeyUri};
use crate::identity::token_error::TokenError;

/// No sentence names more tokens or keys than this.
const NAMED: usize = 6;

/// A session in which the key can be used.
#[derive(Debug)]
pub(super) struct Session {
    // Closed before the library ends.
    session: cryptoki::session::Session,
    key: ObjectHandle,
    /// The kind of key, as far as the token tells it.
    pub(super) key_type: Option<KeyType>,
    /// What the token can do.
    pub(super) mechanisms: Vec<MechanismType>,
    _module: Module,
}

impl Session {
    pub(super) fn open(uri: &KeyUri, refused: &RefusedPins) -> Result<Self, TokenError> {
        let Entered { session, slot, token, module } = enter(uri, refused, false)?;
        let key = find_key(uri, &session, &token)?;
        let mechanisms = module.library().get_mechanism_list(slot).map_err(|error| failed(uri, &error))?;
        let key_type = match session.get_attributes(key, &[AttributeType::KeyType]).as_deref() {
            Ok([Attribute::KeyType(key_type)]) => Some(*key_type),
            _ => None,
        };
        Ok(Self { session, key, key_type, mechanisms, _module: module })
    }

    pub(super) fn sign(&self, scheme: rustls::SignatureScheme, message: &[u8]) -> Result<Vec<u8>, Error> {
        mechanism::sign(&self.session, self.key, scheme, message)
    }
}

/// A session with a token, logged in.
pub(super) struct Entered {
    // Closed before the library ends.
    pub(super) session: cryptoki::session::Session,
    pub(super) slot: Slot,
    pub(super) token: TokenInfo,
    pub(super) module: Module,
}

/// Opens a session with the token that the URI names, in which objects can be made and destroyed if it is `to_write`.
pub(super) fn enter(uri: &KeyUri, refused: &RefusedPins, to_write: bool) -> Result<Entered, TokenError> {
    let module = Module::take(&uri.module_path)?;
    let (slot, token) = find_token(uri, &module)?;
    let library = module.library();
    let session = if to_write { library.open_rw_session(slot) } else { library.open_ro_session(slot) };
    let session = session.map_err(|error| failed(uri, &error))?;
    log_in(uri, &session, &token, &module, refused)?;
    Ok(Entered { session, slot, token, module })
}

/// The one token that is as the URI says. One that nobody has set up yet is none.
fn find_token(uri: &KeyUri, module: &Module) -> Result<(Slot, TokenInfo), TokenError> {
    let slots = module.library().get_slots_with_token().map_err(|error| failed(uri, &error))?;
    // One that is pulled out meanwhile is none.
    let token = |slot: Slot| Some((slot, module.library().get_token_info(slot).ok()?));
    let there: Vec<_> =
        slots.into_iter().filter_map(token).filter(|(_, token)| token.token_initialized()).collect();
    let mut wanted: Vec<_> =
        there.iter().filter(|(slot, token)| is_wanted(uri, *slot, token)).cloned().collect();
    let key = uri.to_string();
    match (wanted.pop(), wanted.as_slice()) {
        (Some(one), []) => Ok(one),
        (Some(one), [.., other]) => {
            Err(TokenError::SeveralTokens { key, present: names(&[other.clone(), one]) })
        }
        (None, _) => {
            let present = if there.is_empty() { "none".into() } else { names(&there) };
            Err(TokenError::NoToken { key, path: module.path().into(), present })
        }
    }
}

fn is_wanted(uri: &KeyUri, slot: Slot, token: &TokenInfo) -> bool {
    let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
    fits(&uri.token, token.label())
        && fits(&uri.manufacturer, token.manufacturer_id())
        && fits(&uri.model, token.model())
        && fits(&uri.serial, token.serial_number())
        && uri.slot_id.is_none_or(|wanted| wanted == slot.id())
}

fn names(tokens: &[(Slot, TokenInfo)]) -> String {
    let name = |(slot, token): &(Slot, TokenInfo)| {
        format!("{:?} (serial {}, slot-id {})", token.label(), token.serial_number(), slot.id())
    };
    tokens.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ")
}

/// Shows the PIN, if there is one and it may be shown.
fn log_in(
    uri: &KeyUri,
    session: &cryptoki::session::Session,
    token: &TokenInfo,
    module: &Module,
    refused: &RefusedPins,
) -> Result<(), TokenError> {
    let Some(pin) = pin::read(uri)? else { return Ok(()) };
    let label = token.label().to_owned();
    let name = format!("{label} {}", token.serial_number());
    let refusal = || TokenError::PinRefused {
        token: label.clone(),
        key: uri.to_string(),
        place: pin::place(uri),
        record: refused.path().into(),
    };
    let known = refused.knows(&name, pin.expose_secret());
    if known.map_err(|source| TokenError::Record { record: refused.path().into(), source })? {
        return Err(refusal());
    }
    let is_in_tpm = is_in_tpm(module.path(), token);
    let locked = || {
        let token = label.clone();
        if is_in_tpm { TokenError::TpmLocked { token } } else { TokenError::PinLocked { token } }
    };
    if token.user_pin_locked() {
        return Err(locked());
    }
    if token.user_pin_final_try() {
        return Err(TokenError::LastTry { token: label, module: module.path().into() });
    }
    match session.login(UserType::User, Some(&pin)) {
        Ok(()) => {
            refused.forget();
            Ok(())
        }
        Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
            refused.remember(&name, pin.expose_secret());
            Err(refusal())
        }
        Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(locked()),
        Err(error @ Error::Pkcs11(RvError::GeneralError, _)) if is_in_tpm => {
            Err(TokenError::OtherTpm { token: label, why: words(&error) })
        }
        Err(error) => Err(failed(uri, &error)),
    }
}

/// The one private key that is as the URI says.
fn find_key(
    uri: &KeyUri,
    session: &cryptoki::session::Session,
    token: &TokenInfo,
) -> Result<ObjectHandle, TokenError> {
    let failed = |error: Error| failed(uri, &error);
    let any = Attribute::Class(ObjectClass::PRIVATE_KEY);
    let mut wanted = vec![any.clone()];
    wanted.extend(uri.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes())));
    wanted.extend(uri.id.clone().map(Attribute::Id));
    let found = session.find_objects(&wanted).map_err(failed)?;
    let (token, key) = (|| token.label().to_owned(), uri.to_string());
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let all = session.find_objects(&[any]).map_err(failed)?;
            let present = match (all.is_empty(), &uri.pin) {
                (false, _) => keys(session, &all),
                (true, Some(_)) => "no private key at all".into(),
                (true, None) => "none that it shows without a PIN; add pin-source= to identity.key".into(),
            };
            Err(TokenError::NoKey { token: token(), key, present })
        }
        several => Err(TokenError::SeveralKeys { token: token(), key, present: keys(session, several) }),
    }
}

/// Labels and IDs, as they stand in a URI.
fn keys(session: &cryptoki::session::Session, keys: &[ObjectHandle]) -> String {
    let name = |key: &ObjectHandle| {
        let attributes = session.get_attributes(*key, &[AttributeType::Label, AttributeType::Id]);
        let part = |attribute: &Attribute| match attribute {
            Attribute::Label(label) => Some(format!("object={}", String::from_utf8_lossy(label))),
            Attribute::Id(id) => Some(format!("id={}", EncodedBytes(id))),
            _ => None,
        };
        attributes.unwrap_or_default().iter().filter_map(part).collect::<Vec<_>>().join(";")
    };
    keys.iter().take(NAMED).map(name).collect::<Vec<_>>().join(", ")
}

/// In the words of an error.
pub(super) fn failed(uri: &KeyUri, error: &Error) -> TokenError {
    TokenError::Failed { key: uri.to_string(), why: words(error) }
}
