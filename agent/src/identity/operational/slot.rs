//! A pair on disk: one file with the chain and its key, so that neither can be there without the other.
//!
//! ```text
//! key = container-tracker-91c2a07e55d3b846      the key's name in the token, where it is in one
//! -----BEGIN CERTIFICATE-----                   the leaf, and its issuers
//! -----BEGIN PRIVATE KEY-----                   the key, where it is not in a token
//! ```

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use rustls::sign::SigningKey;

use super::csr::pem;
use super::disk::Disk;
use super::error::in_token;
use super::token_keys::TokenKeys;
use crate::identity::chain::Chain;
use crate::identity::error::IdentityError;
use crate::identity::{Identity, key_file};

/// What the name of a key in a token follows.
const KEY: &str = "key = ";

/// Which of the two pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Issued, and not yet shown to be taken by the hub.
    Next,
    /// The hub has taken it.
    Current,
}

impl Slot {
    /// How it is called, also in `status.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
        }
    }

    /// Its file.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Next => "next.pem",
            Self::Current => "current.pem",
        }
    }
}

/// A pair as it is in its file.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) chain: Chain,
    /// What its key is called in the token; `None` where the key is in the file.
    pub(super) object: Option<String>,
    /// `None` until the token has been asked.
    pub(super) identity: Option<Identity>,
}

/// Why there is none of a file.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is not there.
    Absent,
    /// It can't be read now.
    Unreadable(String),
    /// It will never be of use.
    Damaged(String),
}

/// The content of a file with this chain; `key` is the PEM of its key, or else `object` its name in the token.
pub(super) fn text(chain: &Chain, object: Option<&str>, key: &str) -> String {
    let head = object.map_or_else(String::new, |object| format!("{KEY}{object}\n"));
    let chain = chain.der().iter().map(|der| pem("CERTIFICATE", der));
    [head].into_iter().chain(chain).chain([key.to_owned()]).collect()
}

impl Held {
    /// Reads one. Its key is looked at too, where it is in the file.
    pub(super) fn read(disk: &dyn Disk, slot: Slot) -> Result<Self, Unusable> {
        let name = slot.file();
        let path = disk.path(name);
        let bytes = disk.read(name).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Unusable::Absent,
            // Something else than a file, or one too large.
            ErrorKind::InvalidData => Unusable::Damaged(format!("{}: {error}", path.display())),
            _ => Unusable::Unreadable(format!("can't read {}: {error}", path.display())),
        })?;
        Self::parse(&path, &bytes).map_err(|error| Unusable::Damaged(error.to_string()))
    }

    /// Reads one of the content of its file.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, IdentityError> {
        let chain = Chain::of_pem(path, bytes)?;
        chain.check_order()?;
        chain.registration_id()?;
        let object =
            bytes.strip_prefix(KEY.as_bytes()).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
        if let Some(object) = object {
            let object = Some(String::from_utf8_lossy(object).into_owned());
            return Ok(Self { chain, object, identity: None });
        }
        let signer = key_file::of_pem(path, bytes, chain.leaf())?;
        let signer = signer.ok_or_else(|| wrong_key(path.display().to_string(), path, &chain))?;
        let identity = Some(Identity::of(chain.clone(), signer)?);
        Ok(Self { chain, object: None, identity })
    }

    /// The pair, for which a token may have to be asked; `path` is its file.
    pub(super) fn identity(
        &mut self,
        token: Option<&dyn TokenKeys>,
        path: &Path,
    ) -> Result<Identity, String> {
        if let Some(identity) = &self.identity {
            return Ok(identity.clone());
        }
        let object = self.object.clone().unwrap_or_default();
        let token = token.ok_or_else(|| {
            format!(
                "the key of {} is {object} in a token, and identity.operational.key names none",
                path.display()
            )
        })?;
        let signer: Arc<dyn SigningKey> = match token.load(&object, self.chain.leaf()) {
            Ok(Some(signer)) => signer,
            Ok(None) => return Err(wrong_key(object, path, &self.chain).to_string()),
            Err(error) => return Err(in_token(&error)),
        };
        let identity = Identity::of(self.chain.clone(), signer).map_err(|error| error.to_string())?;
        self.identity = Some(identity.clone());
        Ok(identity)
    }
}

fn wrong_key(key: String, path: &Path, chain: &Chain) -> IdentityError {
    IdentityError::WrongKey { key, certificate: path.into(), subject: chain.leaf().subject.clone() }
}
