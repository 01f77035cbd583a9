//! What a blob is sent with and given out with: its content type and the like, and metadata of the sender's choice.

use crate::{
    rest::call::Call,
    storage::{Properties, StorageError},
};

/// As they are sent, and as they are given out.
const KEPT: [(&str, &str); 5] = [
    ("x-ms-blob-content-type", "content-type"),
    ("x-ms-blob-content-encoding", "content-encoding"),
    ("x-ms-blob-content-language", "content-language"),
    ("x-ms-blob-content-disposition", "content-disposition"),
    ("x-ms-blob-cache-control", "cache-control"),
];

const METADATA: &str = "x-ms-meta-";

/// Of names and values together, as at Azure.
const MAX_METADATA: usize = 8 * 1024;

/// Those of a call that makes a blob. The content type of the call itself counts where it is that of the blob.
pub(super) fn of(call: &Call, is_body_the_blob: bool) -> Result<Properties, StorageError> {
    let mut properties = Properties::default();
    for (sent, given) in KEPT {
        let plain = || call.header(given).filter(|_| is_body_the_blob && given == "content-type");
        if let Some(value) = call.header(sent).or_else(plain) {
            properties.0.insert(given.to_owned(), value.to_owned());
        }
    }
    properties.0.entry("content-type".into()).or_insert_with(|| "application/octet-stream".into());
    let mut size: usize = properties.0.values().map(String::len).sum();
    for (name, value) in call.headers.iter().filter(|(name, _)| name.as_str().starts_with(METADATA)) {
        let value = value.to_str().map_err(|_| {
            StorageError::new(400, "InvalidMetadata", "the value of metadata has to be ASCII")
        })?;
        properties.0.insert(name.as_str().to_owned(), value.to_owned());
        size += name.as_str().len() + value.len();
    }
    if size > MAX_METADATA {
        return Err(StorageError::new(
            400,
            "MetadataTooLarge",
            "metadata and content type have at most 8 KiB",
        ));
    }
    Ok(properties)
}
