//! A TPM 2.0 that proves who the device is: keys that DPS wraps for it are taken in, and sign the tokens.
//!
//! ```text
//!  endorsement key, storage root key ──▶ DPS ──▶ a key, wrapped for both ──▶ taken in ──▶ signs tokens
//! ```
//!
//! Ten commands are spoken, over the kernel's `/dev/tpmrm0` or to a software TPM on this machine: a library for all of TPM 2.0 would
//! be in C, and larger than the agent. Nothing secret leaves the TPM, and what is kept on disk is of no use to another one.

mod command;
mod error;
mod parts;
mod session;
mod transport;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

use super::password::{Audience, TokenSigner};
use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;

pub use error::TpmError;
use parts::Parts;
use session::{Session, Wrapped};
pub use transport::TpmPlace;

/// A longer key of a service is none.
const LONGEST_BLOB: usize = 8 * 1024;

/// The public keys of a TPM, as DPS wants them: `TPM2B_PUBLIC`.
#[derive(Debug, Clone)]
pub struct PublicKeys {
    /// By it the TPM is enrolled.
    pub endorsement: Vec<u8>,
    /// Below it keys are taken in.
    pub storage_root: Vec<u8>,
}

/// The TPM of this device, and what it was given.
pub struct Tpm {
    place: TpmPlace,
    file: PathBuf,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    dps: Option<Wrapped>,
    hub: Option<HubKey>,
}

enum HubKey {
    /// As it came, from DPS or from the disk.
    Blob(Vec<u8>),
    Taken(Wrapped),
}

/// What is kept of a registration.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    authentication_key: String,
}

impl Tpm {
    /// The TPM at this place, with the key that it was given for the hub, if it was.
    pub(super) fn open(place: &TpmPlace, state_directory: &Path) -> Result<Self, TpmError> {
        let file = StateDirectory::new(state_directory).tpm_key();
        place.open()?;
        let kept: Option<Kept> = state_file::read(&file).ok().flatten();
        let blob = kept.and_then(|kept| Base64::decode_vec(&kept.authentication_key).ok());
        let keys = Keys { dps: None, hub: blob.map(HubKey::Blob) };
        Ok(Self { place: place.clone(), file, keys: Mutex::new(keys) })
    }

    /// Its public keys, which are made where there are none: that may take half a minute.
    pub fn public_keys(&self) -> Result<PublicKeys, TpmError> {
        let _turn = self.keys();
        let mut session = Session::begin(&self.place)?;
        Ok(PublicKeys {
            endorsement: session.endorsement()?.public,
            storage_root: session.storage_root()?.public,
        })
    }

    /// Whether it was given a key for the hub.
    pub fn has_hub_key(&self) -> bool {
        self.keys().hub.is_some()
    }

    /// Takes a key in that DPS has wrapped for this TPM. The one for the hub is kept.
    pub fn take(&self, audience: Audience, blob: &[u8]) -> Result<(), TpmError> {
        let mut keys = self.keys();
        let wrapped = take(&self.place, blob)?;
        match audience {
            Audience::Dps => keys.dps = Some(wrapped),
            Audience::Hub => {
                let kept = Kept { authentication_key: Base64::encode_string(blob) };
                state_file::replace(&self.file, &kept).map_err(|source| self.unkept(source))?;
                keys.hub = Some(HubKey::Taken(wrapped));
            }
        }
        Ok(())
    }

    fn unkept(&self, source: io::Error) -> TpmError {
        TpmError::Keep { path: self.file.clone(), source }
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signed(&self, audience: Audience, text: &str) -> Result<Vec<u8>, TpmError> {
        let mut keys = self.keys();
        if let (Audience::Hub, Some(HubKey::Blob(blob))) = (audience, &keys.hub) {
            match take(&self.place, blob) {
                Ok(wrapped) => keys.hub = Some(HubKey::Taken(wrapped)),
                // It was cleared, or is another one: DPS gives it another key.
                Err(error) if error.is_refusal() => {
                    keys.hub = None;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        let ((Audience::Dps, Some(key), _) | (Audience::Hub, _, Some(HubKey::Taken(key)))) =
            (audience, &keys.dps, &keys.hub)
        else {
            return Err(TpmError::NoKey);
        };
        Session::begin(&self.place)?.hmac(key, text.as_bytes())
    }
}

fn take(place: &TpmPlace, blob: &[u8]) -> Result<Wrapped, TpmError> {
    if blob.len() > LONGEST_BLOB {
        return Err(TpmError::NotAKey);
    }
    let parts = Parts::read(blob).ok_or(TpmError::NotAKey)?;
    Session::begin(place)?.activate(&parts)
}

impl TokenSigner for Tpm {
    fn sign(&self, audience: Audience, text: &str) -> Result<Vec<u8>, String> {
        self.signed(audience, text).map_err(|error| error.to_string())
    }
}
