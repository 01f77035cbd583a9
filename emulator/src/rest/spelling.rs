//! Names of headers as Azure writes them. hyper writes all of them in small letters, which the standard allows; but devices on
//! Microsoft's SDK in C look for the lock token of a message under `ETag`, letter by letter.
//!
//! hyper writes a name as it was spelled where a message carries the spellings of another one, and those it makes itself alone,
//! of what it reads. So it is given one to read.

use std::{convert::Infallible, sync::Mutex};

use http_body_util::Empty;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header,
    http::Extensions,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{io::AsyncWriteExt as _, sync::OnceCell};

use super::answer::Answer;
use crate::lock::lock;

/// The names that are spelled so.
const SAMPLE: &[u8] = b"GET / HTTP/1.1\r\nConnection: close\r\nETag: 1\r\n\r\n";

static SPELLINGS: OnceCell<Extensions> = OnceCell::const_new();

/// An answer whose entity tag, if it has one, is called `ETag`.
pub(super) async fn spelled(mut answer: Answer) -> Answer {
    if answer.headers().contains_key(header::ETAG) {
        let spellings = SPELLINGS.get_or_init(read_sample).await;
        answer.extensions_mut().extend(spellings.clone());
    }
    answer
}

async fn read_sample() -> Extensions {
    let (mut client, server) = tokio::io::duplex(1024);
    let read = Mutex::new(Extensions::new());
    let service = service_fn(|mut request: Request<Incoming>| {
        *lock(&read) = std::mem::take(request.extensions_mut());
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    // Both are in memory, with room for all of it: nothing here waits or fails.
    let _ = client.write_all(SAMPLE).await;
    let _ = http1::Builder::new()
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(server), service)
        .await;
    read.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::rest::answer;

    #[tokio::test]
    async fn the_entity_tag_is_spelled_as_azure_spells_it() {
        let (mut client, server) = tokio::io::duplex(4096);
        let service = service_fn(|_: Request<Incoming>| async {
            let tagged = answer::with_etag(answer::no_content(), "7");
            Ok::<_, Infallible>(spelled(answer::with_header(tagged, "iothub-ack", "none")).await)
        });
        client.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.expect("written");
        http1::Builder::new().serve_connection(TokioIo::new(server), service).await.expect("served");
        let mut text = String::new();
        client.read_to_string(&mut text).await.expect("read");
        assert!(text.contains("\r\nETag: \"7\"\r\n"), "{text}");
        assert!(text.contains("\r\niothub-ack: none\r\n"), "{text}");
    }
}
