//! Calls that make blobs, and delete them.

use hyper::body::Incoming;

use super::{
    block_list,
    intake::{self, blocking},
    properties,
    refusal::{HTTP_TIME, empty},
};
use crate::{
    rest::{
        answer::{self, Answer},
        call::Call,
    },
    storage::{BlobFacts, BlobName, Storage, StorageError},
};

/// Fifty thousand IDs of the longest kind.
const MAX_LIST: usize = 8 * 1024 * 1024;

/// Whether a blob that is there is to stay; other conditions are not known.
fn is_only_if_new(call: &Call) -> Result<bool, StorageError> {
    // Whoever may create and not write makes new blobs alone.
    let may_write = call.parameter("sp").is_some_and(|permitted| permitted.contains('w'));
    let conditions =
        ["if-match", "if-modified-since", "if-unmodified-since", "x-ms-if-tags", "x-ms-lease-id"];
    if let Some(name) = conditions.iter().find(|name| call.header(name).is_some_and(|value| value != "*")) {
        return Err(StorageError::not_implemented(&format!("the condition {name}")));
    }
    match call.header("if-none-match") {
        None => Ok(!may_write),
        Some("*") => Ok(true),
        Some(_) => Err(StorageError::not_implemented("If-None-Match with an entity tag")),
    }
}

pub(super) async fn put(
    storage: &Storage,
    blob: &BlobName,
    call: &Call,
    body: &mut Incoming,
) -> Result<Answer, StorageError> {
    match call.header("x-ms-blob-type") {
        Some(kind) if kind.eq_ignore_ascii_case("BlockBlob") => {}
        Some(_) => return Err(StorageError::not_implemented("page blobs and append blobs")),
        None => {
            let why = "Put Blob needs the header x-ms-blob-type: BlockBlob";
            return Err(StorageError::new(400, "MissingRequiredHeader", why));
        }
    }
    if call.header("x-ms-copy-source").is_some() {
        return Err(StorageError::not_implemented("copies of blobs"));
    }
    let only_if_new = is_only_if_new(call)?;
    let properties = properties::of(call, true)?;
    let received = intake::receive(storage, body).await?;
    let (storage, blob) = (storage.clone(), blob.clone());
    let facts = blocking(move || storage.put(&blob, received, &properties, only_if_new)).await?;
    Ok(made(&facts))
}

pub(super) async fn put_block(
    storage: &Storage,
    blob: &BlobName,
    call: &Call,
    body: &mut Incoming,
) -> Result<Answer, StorageError> {
    if call.header("x-ms-copy-source").is_some() {
        return Err(StorageError::not_implemented("blocks from another blob"));
    }
    // Some clients leave a plus as it is, which stands for a space in a query.
    let id = call.parameter("blockid").unwrap_or_default().replace(' ', "+");
    block_list::check_id(&id)?;
    let received = intake::receive(storage, body).await?;
    let (storage, blob) = (storage.clone(), blob.clone());
    blocking(move || storage.stage(&blob, &id, received)).await?;
    Ok(answer::with_header(empty(201), "x-ms-request-server-encrypted", "false"))
}

pub(super) async fn put_block_list(
    storage: &Storage,
    blob: &BlobName,
    call: &Call,
    body: &mut Incoming,
) -> Result<Answer, StorageError> {
    let only_if_new = is_only_if_new(call)?;
    let properties = properties::of(call, false)?;
    let ids = block_list::parse(&intake::text(body, MAX_LIST).await?)?;
    let (storage, blob) = (storage.clone(), blob.clone());
    let facts = blocking(move || storage.commit(&blob, &ids, &properties, only_if_new)).await?;
    Ok(made(&facts))
}

pub(super) fn delete(storage: &Storage, blob: &BlobName) -> Result<Answer, StorageError> {
    storage.delete(blob)?;
    Ok(answer::with_header(empty(202), "x-ms-delete-type-permanent", "true"))
}

fn made(facts: &BlobFacts) -> Answer {
    let answer = answer::with_etag(empty(201), &facts.etag);
    let answer = answer::with_header(answer, "last-modified", &facts.modified.format(HTTP_TIME).to_string());
    answer::with_header(answer, "x-ms-request-server-encrypted", "false")
}
