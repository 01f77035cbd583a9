//! The body of a call, as it comes.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::{task::spawn_blocking, time::timeout};

use crate::storage::{MAX_BLOB, Received, Storage, StorageError};

/// For the next piece.
const PATIENCE: Duration = Duration::from_secs(20);
/// Written at a time.
const CHUNK: usize = 256 * 1024;
/// What is read of a body that nobody wants, so that its sender gets to read why.
const MAX_DRAINED: usize = 16 * 1024 * 1024;

/// A body on its way to the disk.
pub(super) async fn receive(storage: &Storage, body: &mut Incoming) -> Result<Received, StorageError> {
    if body.size_hint().lower() > MAX_BLOB {
        return Err(StorageError::too_large(MAX_BLOB));
    }
    let storage = storage.clone();
    let mut received = blocking(move || storage.receive()).await?;
    let mut chunk = Vec::new();
    loop {
        let next = next(body).await?;
        let is_last = next.is_none();
        chunk.extend_from_slice(&next.unwrap_or_default());
        if chunk.len() >= CHUNK || is_last {
            let whole = std::mem::take(&mut chunk);
            received = blocking(move || received.write(&whole).map(|()| received)).await?;
        }
        if is_last {
            return Ok(received);
        }
    }
}

/// A body of text, of so many bytes at the most.
pub(super) async fn text(body: &mut Incoming, limit: usize) -> Result<String, StorageError> {
    let mut text = Vec::new();
    while let Some(piece) = next(body).await? {
        if text.len() + piece.len() > limit {
            return Err(StorageError::new(
                413,
                "RequestBodyTooLarge",
                format!("the list has at most {limit} bytes"),
            ));
        }
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text).map_err(|_| StorageError::new(400, "InvalidXmlDocument", "the body is not UTF-8"))
}

/// Reads what nobody wants, within bounds.
pub(super) async fn drain(body: &mut Incoming) {
    if body.size_hint().lower() > MAX_DRAINED as u64 {
        return;
    }
    let mut left = MAX_DRAINED;
    while let Ok(Some(piece)) = next(body).await {
        match left.checked_sub(piece.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}

async fn next(body: &mut Incoming) -> Result<Option<hyper::body::Bytes>, StorageError> {
    let late = || StorageError::new(408, "RequestTimeout", "the body of the request did not come");
    loop {
        match timeout(PATIENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                // Trailers say nothing here.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(None) => return Ok(None),
            Ok(Some(Err(_))) | Err(_) => return Err(late()),
        }
    }
}

/// Does what waits for the disk on a thread for that.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    let done = spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        Err(StorageError::new(500, "InternalError", "the storage did not come to an end"))
    })
}
