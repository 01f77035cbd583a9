//! Where a job reads and writes: a container of this emulator's storage, by a URI with a signature.

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;

use crate::storage::{ContainerName, Scope, Shown, Storage, StorageError};

/// A container that may be used.
#[derive(Clone, Debug)]
pub(crate) struct ContainerAt {
    pub name: ContainerName,
    /// Without the signature.
    pub uri: String,
}

/// The container of a URI, if its signature is good for it and permits all of `needed` (Azure's letters). The host does not
/// matter: no other storage is ever called.
pub(crate) fn container_at(
    storage: &Storage,
    uri: &str,
    needed: &str,
    now: DateTime<Utc>,
) -> Result<ContainerAt, StorageError> {
    let no_uri = || {
        let why =
            "it has to be https://{host}/{container}?{signature}, a container of this emulator's storage";
        StorageError::new(400, "InvalidUri", why)
    };
    let (address, query) = uri.split_once('?').ok_or_else(no_uri)?;
    let path = address.strip_prefix("https://").and_then(|rest| rest.split_once('/')).map(|(_, path)| path);
    let name = ContainerName::parse(path.map(|path| path.trim_end_matches('/')).ok_or_else(no_uri)?)?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let parameter = |wanted: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == wanted).map(|(_, value)| decoded(value))
    };
    let permitted = storage.account().check(&Shown(&parameter), Scope::Container(&name), now)?;
    if let Some(missing) = needed.chars().find(|letter| !permitted.contains(*letter)) {
        let why = format!("the signature permits \"{permitted}\" and not \"{missing}\" (sp)");
        return Err(StorageError::new(403, "AuthorizationPermissionMismatch", why));
    }
    storage.list(&name, "").map(drop)?;
    Ok(ContainerAt { name, uri: address.to_owned() })
}
