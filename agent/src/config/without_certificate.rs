//! `[identity]` of a device without a certificate.

use std::path::PathBuf;

use tracker_protocol::{RegistrationId, RegistrationIdError};

#[cfg(feature = "tpm")]
use super::explain::shown;
use super::tables::IdentityConfig;
use super::written::{Problem, WrittenIdentity};
#[cfg(feature = "tpm")]
use crate::identity::TpmPlace;
use crate::identity::{KeyLocation, TokenKey, WithoutCertificate};

/// Who the device is, if what is written is that it has a key that signs tokens.
pub(super) fn identity(written: &WrittenIdentity) -> Result<Option<IdentityConfig>, Problem> {
    let WrittenIdentity { registration_id, symmetric_key, tpm, .. } = written;
    let named = match (tpm, symmetric_key) {
        (Some(_), _) => "identity.tpm",
        (None, Some(_)) => "identity.symmetric_key",
        (None, None) if registration_id.is_some() => {
            let why = "the common name of the certificate says it; leave it out, or use identity.symmetric_key or identity.tpm";
            return Err(("identity.registration_id", why.into()));
        }
        (None, None) => return Ok(None),
    };
    let others = [
        ("identity.symmetric_key", tpm.is_some() && symmetric_key.is_some()),
        ("identity.certificate", written.certificate.is_some()),
        ("identity.key", written.key.is_some()),
        ("identity.leaf_alone_at_hub", written.leaf_alone_at_hub),
        ("identity.operational", written.operational.is_some()),
    ];
    if let Some((key, _)) = others.into_iter().find(|(_, is_there)| *is_there) {
        let why = format!("a device with {named} proves by that alone who it is; leave out one of the two");
        return Err((key, why));
    }
    let registration_id = given_id(registration_id.as_deref())?;
    match (tpm, symmetric_key) {
        (Some(tpm), _) => with_tpm(tpm, registration_id).map(Some),
        (None, file) => {
            let file = file.clone().unwrap_or_default();
            Ok(Some(with_key(file, registration_id, TokenKey::File)))
        }
    }
}

fn given_id(registration_id: Option<&str>) -> Result<RegistrationId, Problem> {
    const KEY: &str = "identity.registration_id";
    let missing = || (KEY, "it is missing: no certificate says who the device is".to_owned());
    registration_id
        .ok_or_else(missing)?
        .parse()
        .map_err(|error: RegistrationIdError| (KEY, error.to_string()))
}

fn with_key(file: PathBuf, registration_id: RegistrationId, key: TokenKey) -> IdentityConfig {
    IdentityConfig {
        key: KeyLocation::File(file.clone()),
        certificate: file,
        leaf_alone_at_hub: false,
        operational: None,
        without_certificate: Some(WithoutCertificate { registration_id, key }),
    }
}

#[cfg(feature = "tpm")]
fn with_tpm(tpm: &str, registration_id: RegistrationId) -> Result<IdentityConfig, Problem> {
    let place = TpmPlace::read(tpm).map_err(|why| ("identity.tpm", format!("{}: {why}", shown(tpm))))?;
    // Nobody shall look for certificates in a TPM, or for another file in its place.
    Ok(with_key("/dev/null/none".into(), registration_id, TokenKey::Tpm(place)))
}

#[cfg(not(feature = "tpm"))]
fn with_tpm(_: &str, _: RegistrationId) -> Result<IdentityConfig, Problem> {
    Err((
        "identity.tpm",
        "this program was built without the feature tpm; build it with --features tpm".into(),
    ))
}
