//! A blob, or a part of it, on its way out.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    ops::Range,
};

use http_body_util::Either;
use hyper::{
    Method, StatusCode,
    body::Bytes,
    header::{HeaderName, HeaderValue},
};
use tokio::sync::mpsc;

use super::{
    intake::blocking,
    refusal::{HTTP_TIME, empty},
};
use crate::{
    rest::{
        answer::{self, Answer},
        call::Call,
        event_stream::EventStream,
    },
    storage::{BlobFacts, BlobName, Storage, StorageError},
};

/// Read at a time, and how many of them wait.
const CHUNK: u64 = 256 * 1024;
const UNDER_WAY: usize = 2;

pub(super) async fn give(storage: &Storage, blob: &BlobName, call: &Call) -> Result<Answer, StorageError> {
    if call.parameter("snapshot").is_some() || call.parameter("versionid").is_some() {
        return Err(StorageError::not_implemented("snapshots and versions of blobs"));
    }
    let (storage, blob) = (storage.clone(), blob.clone());
    let (file, facts) = blocking(move || storage.open(&blob)).await?;
    let asked = call.header("x-ms-range").or_else(|| call.header("range"));
    let range = asked.map(|text| range(text, facts.size)).transpose()?.flatten();
    let (status, part) = range.map_or((200, 0..facts.size), |range| (206, range));
    let mut answer = with_facts(empty(status), &facts);
    if status == 206 {
        let told = format!("bytes {}-{}/{}", part.start, part.end - 1, facts.size);
        answer = answer::with_header(answer, "content-range", &told);
    }
    answer = answer::with_header(answer, "content-length", &(part.end - part.start).to_string());
    if call.method == Method::HEAD {
        *answer.status_mut() = StatusCode::OK;
        return Ok(answer);
    }
    if part.end > part.start {
        *answer.body_mut() = Either::Right(EventStream(flow(file, part)));
    }
    Ok(answer)
}

fn with_facts(mut answer: Answer, facts: &BlobFacts) -> Answer {
    for (name, value) in &facts.properties.0 {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer = answer::with_etag(answer, &facts.etag);
    for (name, value) in [
        ("last-modified", facts.modified.format(HTTP_TIME).to_string()),
        ("accept-ranges", "bytes".into()),
        ("x-ms-blob-type", "BlockBlob".into()),
        ("x-ms-creation-time", facts.modified.format(HTTP_TIME).to_string()),
        ("x-ms-lease-state", "available".into()),
        ("x-ms-lease-status", "unlocked".into()),
        ("x-ms-server-encrypted", "false".into()),
    ] {
        answer = answer::with_header(answer, name, &value);
    }
    answer
}

/// `bytes=a-b`, `bytes=a-`; another form is passed over, as the standard has it. `Err`: it begins behind the end.
fn range(text: &str, size: u64) -> Result<Option<Range<u64>>, StorageError> {
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let Ok(from) = from.trim().parse::<u64>() else { return Ok(None) };
    let last = match to.trim() {
        "" => u64::MAX,
        to => match to.parse::<u64>() {
            Ok(to) if to >= from => to,
            _ => return Ok(None),
        },
    };
    if from >= size {
        return Err(StorageError::new(416, "InvalidRange", "the range begins behind the end of the blob"));
    }
    Ok(Some(from..last.saturating_add(1).min(size)))
}

/// Reads ahead of the client, by a little.
fn flow(file: File, part: Range<u64>) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    tokio::spawn(async move {
        let (mut file, mut at) = (file, part.start);
        while at < part.end {
            let count = CHUNK.min(part.end - at);
            let read = blocking(move || {
                let mut chunk = vec![0; count as usize];
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(&mut chunk)?;
                Ok((file, chunk))
            });
            // The client notices that there is less than it was told.
            let Ok((again, chunk)) = read.await else { return };
            file = again;
            at += count;
            if sender.send(Bytes::from(chunk)).await.is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_within_the_blob() {
        let of = |text| range(text, 10).map_err(|error| error.status);
        assert_eq!(of("bytes=0-33554431"), Ok(Some(0..10)));
        assert_eq!(of("bytes=3-5"), Ok(Some(3..6)));
        assert_eq!(of("bytes=9-"), Ok(Some(9..10)));
        assert_eq!(of("bytes=0-18446744073709551615"), Ok(Some(0..10)));
        assert_eq!(of("bytes=10-"), Err(416));
        for other in ["bytes=-5", "bytes=5-3", "lines=1-2", "bytes=a-b", ""] {
            assert_eq!(of(other), Ok(None), "{other}");
        }
    }
}
