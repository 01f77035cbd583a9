//! What the path of a call names.

use crate::{
    rest::call::Call,
    storage::{BlobName, ContainerName, StorageError},
};

/// A container, or a blob in one. It may be there or not.
pub(super) enum Target {
    Container(ContainerName),
    Blob(BlobName),
}

impl Target {
    pub(super) fn of(call: &Call) -> Result<Self, StorageError> {
        let Some((first, rest)) = call.segments.split_first() else {
            return Err(StorageError::not_implemented("calls of a storage account"));
        };
        let container = ContainerName::parse(first)?;
        if rest.is_empty() {
            return Ok(Self::Container(container));
        }
        Ok(Self::Blob(BlobName::new(container, &rest.join("/"))?))
    }
}
