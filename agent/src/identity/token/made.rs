//! Keys that are made in the token, by a name of our own, and destroyed there.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::mechanism::CertificateKey;
use super::pin::RefusedPins;
use super::session::{Entered, enter, failed};
use super::words::words;
use crate::identity::key_uri::KeyUri;
use crate::identity::token_error::TokenError;

/// DER of the name of the curve P-256.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// A `SubjectPublicKeyInfo` of that curve, up to the point.
const P256_INFO: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
/// Bytes of a point with both coordinates.
const POINT: usize = 65;

/// Makes a key of the name in `uri`, and gives its public half.
pub(super) fn make(uri: &KeyUri, refused: &RefusedPins) -> Result<CertificateKey, TokenError> {
    let Entered { session, slot, token, module } = enter(uri, refused, true)?;
    let not_made =
        |why: String| TokenError::NotMade { token: token.label().to_owned(), key: uri.to_string(), why };
    let mechanisms = module.library().get_mechanism_list(slot).map_err(|error| failed(uri, &error))?;
    if !mechanisms.contains(&MechanismType::ECC_KEY_PAIR_GEN) {
        let why = "it offers no CKM_EC_KEY_PAIR_GEN; identity.operational.key = \"file\" keeps keys in files";
        return Err(not_made(why.into()));
    }
    let name = uri.object.clone().unwrap_or_default().into_bytes();
    let same = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(name.clone())];
    if !session.find_objects(&same).map_err(|error| failed(uri, &error))?.is_empty() {
        return Err(not_made("a key of this name is there already".into()));
    }
    // The public half is kept beside it: some tokens make no half key.
    let public = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(P256.to_vec()),
        Attribute::Label(name.clone()),
        Attribute::Id(name.clone()),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(name.clone()),
        Attribute::Id(name),
    ];
    let made = session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private);
    let (public, _) = made.map_err(|error| not_made(reason(&error)))?;
    let attributes = session.get_attributes(public, &[AttributeType::EcPoint]);
    match attributes.map_err(|error| failed(uri, &error))?.as_slice() {
        [Attribute::EcPoint(point)] => info(point).and_then(|info| CertificateKey::parse(&info)),
        _ => None,
    }
    .ok_or_else(|| other_key(uri))
}

/// The whole public key of a point, which is wrapped as the standard wants it, or, by some tokens, is not.
fn info(point: &[u8]) -> Option<Vec<u8>> {
    let point = point.strip_prefix(&[4, POINT as u8]).filter(|point| point.len() == POINT).unwrap_or(point);
    (point.len() == POINT && point[0] == 4).then(|| [P256_INFO, point].concat())
}

/// What the token has made is not what was ordered.
pub(super) fn other_key(uri: &KeyUri) -> TokenError {
    let why = "the key that it has made is no EC P-256 key that can be used".into();
    TokenError::Unsupported { key: uri.to_string(), why }
}

fn reason(error: &Error) -> String {
    let mend = match error {
        Error::Pkcs11(RvError::DeviceMemory | RvError::HostMemory, _) => {
            "; it has no room: destroy keys that nobody needs (pkcs11-tool --delete-object)"
        }
        Error::Pkcs11(RvError::TokenWriteProtected | RvError::SessionReadOnly, _) => {
            "; it is write-protected"
        }
        Error::Pkcs11(RvError::UserNotLoggedIn, _) => {
            "; it wants a PIN: add pin-source= to identity.operational.key"
        }
        Error::Pkcs11(RvError::CurveNotSupported | RvError::DomainParamsInvalid, _) => {
            "; it does not know the curve P-256; identity.operational.key = \"file\" keeps keys in files"
        }
        _ => "",
    };
    format!("{}{mend}", words(error))
}

/// Destroys both halves of the name in `uri`.
pub(super) fn destroy(uri: &KeyUri, refused: &RefusedPins) -> Result<(), TokenError> {
    let Entered { session, .. } = &enter(uri, refused, true)?;
    // Without a name it would be every key.
    let Some(name) = &uri.object else { return Ok(()) };
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        let wanted = [Attribute::Class(class), Attribute::Label(name.clone().into_bytes())];
        let found = session.find_objects(&wanted).map_err(|error| failed(uri, &error))?;
        destroy_all(session, found).map_err(|error| failed(uri, &error))?;
    }
    Ok(())
}

fn destroy_all(session: &Session, objects: Vec<ObjectHandle>) -> Result<(), Error> {
    for object in objects {
        match session.destroy_object(object) {
            // Some destroy both halves at once.
            Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => {}
            done => done?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn what_keeps_a_token_from_making_a_key_has_its_mend() {
        let told = |code| reason(&Error::Pkcs11(code, Function::GenerateKeyPair));
        let full = told(RvError::DeviceMemory);
        assert!(full.starts_with("C_GenerateKeyPair gives CKR_DEVICE_MEMORY; it has no room"), "{full}");
        let read_only = told(RvError::TokenWriteProtected);
        assert_eq!(read_only, "C_GenerateKeyPair gives CKR_TOKEN_WRITE_PROTECTED; it is write-protected");
        assert_eq!(told(RvError::GeneralError), "C_GenerateKeyPair gives CKR_GENERAL_ERROR");
    }

    #[test]
    fn a_point_is_read_wrapped_or_not_and_nothing_else_is() {
        let point = [&[4][..], &[7; 64]].concat();
        let wrapped = [&[4, 65][..], &point].concat();
        let info = |point: &[u8]| info(point);
        assert_eq!(info(&point), info(&wrapped));
        assert!(CertificateKey::parse(&info(&point).unwrap()).is_some());
        for wrong in [&point[..64], &[], &[2; 33], &[3; 65], &wrapped[..66]] {
            assert_eq!(info(wrong), None, "{wrong:?}");
        }
    }
}
