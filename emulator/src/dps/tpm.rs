//! Attestation by a TPM: a key that only this TPM can take in, and a token that the TPM has signed with it.
//!
//! ```text
//!  device ── register {endorsementKey, storageRootKey} ──▶ 401 {authenticationKey: a key, wrapped for this TPM}
//!         ── register, with a token signed by that key ──▶ as ever; {tpm: {authenticationKey: the key for the hub}}
//! ```

use std::{collections::BTreeMap, fmt, sync::Mutex, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::model::AttestationMechanism;
use crate::{
    lock::lock,
    security::{
        keys::{KeyLength, random_key},
        tpm::{PublicKey, activation},
    },
};

/// Devices that may be asked for a proof at a time; the one asked longest ago is forgotten for another.
const MAX_CHALLENGES: usize = 1024;

/// A proof is good for so long, and the registration's polls with it.
const LIFETIME: Duration = Duration::from_hours(1);

/// The keys that a device says its TPM has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TpmKeys {
    endorsement: PublicKey,
    storage_root: PublicKey,
}

impl TpmKeys {
    /// As they stand in a request. `Err` says what is wrong with them.
    pub(super) fn read(tpm: &Map<String, Value>) -> Result<Self, String> {
        let key = |name: &str| {
            let text = tpm.get(name).and_then(Value::as_str);
            let text = text.ok_or_else(|| format!("tpm.{name} is not there or no text"))?;
            PublicKey::of_text(text).map_err(|error| format!("tpm.{name}: {error}"))
        };
        Ok(Self { endorsement: key("endorsementKey")?, storage_root: key("storageRootKey")? })
    }

    /// Whether these are the keys of an enrollment, as far as it names some.
    pub(super) fn are_of(&self, attestation: &AttestationMechanism) -> bool {
        let Some(tpm) = &attestation.tpm else { return false };
        let is = |text: &str, key: &PublicKey| PublicKey::of_text(text).is_ok_and(|known| known == *key);
        is(&tpm.endorsement_key, &self.endorsement)
            && tpm.storage_root_key.as_ref().is_none_or(|text| is(text, &self.storage_root))
    }

    /// As they are sent without JSON: each a `TPM2B_PUBLIC`.
    pub(super) fn of_bytes(endorsement: &[u8], storage_root: &[u8]) -> Result<Self, String> {
        let key = |name: &str, bytes| PublicKey::read(bytes).map_err(|error| format!("the {name}: {error}"));
        Ok(Self {
            endorsement: key("endorsement key", endorsement)?,
            storage_root: key("storage root key", storage_root)?,
        })
    }

    /// What makes this TPM have the key (base64).
    fn wrap(&self, key: &str) -> Vec<u8> {
        // It was made here.
        let key = STANDARD.decode(key).unwrap_or_default();
        activation(&self.endorsement, &self.storage_root, &key)
    }
}

/// A key that a TPM was given to sign a token with. The key stays out of logs.
#[derive(Clone)]
pub(crate) struct Challenge {
    keys: TpmKeys,
    /// Base64.
    key: String,
    made: Instant,
}

impl Challenge {
    /// A new one for these keys, and what makes the TPM have its key.
    pub(super) fn new(keys: &TpmKeys, now: Instant) -> (Self, Vec<u8>) {
        let key = random_key(KeyLength::Hub);
        let wrapped = keys.wrap(&key);
        (Self { keys: keys.clone(), key, made: now }, wrapped)
    }

    /// Whether it is not too long ago.
    pub(super) fn is_good(&self, now: Instant) -> bool {
        now < self.made + LIFETIME
    }

    /// The key with which a device of this enrollment signs; none where it was made for another TPM.
    pub(super) fn key_for(&self, attestation: &AttestationMechanism) -> Option<&str> {
        self.keys.are_of(attestation).then_some(&*self.key)
    }

    /// A new key for the hub, and what the device is told of it.
    pub(super) fn hub_key(&self) -> (String, Value) {
        let key = random_key(KeyLength::Hub);
        let told = json!({ "authenticationKey": STANDARD.encode(self.keys.wrap(&key)) });
        (key, told)
    }
}

impl fmt::Debug for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenge").field("made", &self.made).finish_non_exhaustive()
    }
}

/// The keys that TPMs were given, by registration ID. They live as long as the program.
#[derive(Default)]
pub(super) struct Challenges(Mutex<BTreeMap<String, Challenge>>);

impl Challenges {
    pub(super) fn put(&self, registration_id: &str, challenge: Challenge) {
        let mut all = lock(&self.0);
        let now = challenge.made;
        all.retain(|_, challenge| challenge.is_good(now));
        let oldest = all.iter().min_by_key(|(_, challenge)| challenge.made).map(|(id, _)| id.clone());
        if let Some(oldest) = oldest.filter(|_| all.len() >= MAX_CHALLENGES) {
            all.remove(&oldest);
        }
        all.insert(registration_id.to_ascii_lowercase(), challenge);
    }

    /// The one that a device was given last, unless that is too long ago.
    pub(super) fn get(&self, registration_id: &str, now: Instant) -> Option<Challenge> {
        let found = lock(&self.0).get(&registration_id.to_ascii_lowercase()).cloned();
        found.filter(|challenge| challenge.is_good(now))
    }
}
