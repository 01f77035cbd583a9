//! Names of headers as their senders write them. hyper writes all of them in small letters and gives them out so, which the
//! standard allows; but devices on Microsoft's SDK in C look for the lock token of a message under `ETag`, letter by letter,
//! and what an application calls its properties stands in names of headers, where `Colour` and `colour` are two.
//!
//! hyper keeps the spellings of a message that it reads, and writes a name as it was spelled where a message carries the
//! spellings of another one; there is no other way in or out. So it is given a request to read for the names of an answer,
//! and an answer to write for those of a call.

use std::{convert::Infallible, sync::Mutex};

use http_body_util::Empty;
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Incoming},
    header::{self, HeaderValue},
    http::Extensions,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::OnceCell,
};

use super::answer::Answer;
use crate::lock::lock;

/// The entity tag, as Azure calls it.
const ETAG: &str = "ETag";

static ETAG_ALONE: OnceCell<Extensions> = OnceCell::const_new();

/// What stands around the headers of a call or an answer that is made here.
const ROOM: usize = 1024;

/// Names of an answer that are to be spelled so.
#[derive(Clone, Debug, Default)]
pub(super) struct Spellings(pub Vec<String>);

/// An answer whose entity tag, if it has one, is called `ETag`, and which spells the names of its [`Spellings`] as they do.
pub(super) async fn spelled(mut answer: Answer) -> Answer {
    let own = answer.extensions_mut().remove::<Spellings>().map(|names| names.0).unwrap_or_default();
    let has_tag = answer.headers().contains_key(header::ETAG);
    if own.is_empty() && has_tag {
        let kept = ETAG_ALONE.get_or_init(async || read(&[ETAG.to_owned()]).await).await;
        answer.extensions_mut().extend(kept.clone());
    } else if !own.is_empty() {
        let names: Vec<String> = own.into_iter().chain(has_tag.then(|| ETAG.to_owned())).collect();
        answer.extensions_mut().extend(read(&names).await);
    }
    answer
}

/// The headers of a call whose names begin with this: the rest of each name as the caller has spelled it, and the value.
/// `kept`: what hyper has put beside the call.
pub(super) async fn as_written(
    headers: &HeaderMap,
    kept: &Extensions,
    beginning: &str,
) -> Vec<(String, HeaderValue)> {
    let meant = || {
        headers.iter().filter_map(|(name, value)| Some((name, name.as_str().strip_prefix(beginning)?, value)))
    };
    if meant().next().is_none() {
        return Vec::new();
    }
    let mut names = HeaderMap::new();
    for (name, _, _) in meant() {
        names.append(name, HeaderValue::from_static("1"));
    }
    let text = write(names, kept.clone()).await;
    let mut written = text.lines().filter_map(|line| {
        let (name, _) = line.split_once(':')?;
        name.get(..beginning.len()).filter(|start| start.eq_ignore_ascii_case(beginning))?;
        name.get(beginning.len()..)
    });
    meant()
        .map(|(_, rest, value)| {
            let spelled = written.next().filter(|spelled| spelled.eq_ignore_ascii_case(rest));
            (spelled.unwrap_or(rest).to_owned(), value.clone())
        })
        .collect()
}

/// What hyper keeps of a request with headers of these names.
async fn read(names: &[String]) -> Extensions {
    let headers: String = names.iter().map(|name| format!("{name}: 1\r\n")).collect();
    let call = format!("GET / HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    let kept = Mutex::new(Extensions::new());
    let service = service_fn(|mut request: Request<Incoming>| {
        *lock(&kept) = std::mem::take(request.extensions_mut());
        async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
    });
    let _ = converse(&call, names.len(), 0, service).await;
    kept.into_inner().unwrap_or_default()
}

/// The head of an answer with these headers, written with these spellings.
async fn write(headers: HeaderMap, kept: Extensions) -> String {
    let length = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let answer = Mutex::new((headers, kept));
    let service = service_fn(|_: Request<Incoming>| {
        let mut written = Response::new(Empty::<Bytes>::new());
        let (headers, kept) = std::mem::take(&mut *lock(&answer));
        *written.headers_mut() = headers;
        *written.extensions_mut() = kept;
        async { Ok::<_, Infallible>(written) }
    });
    converse("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 1, length, service).await
}

/// What is answered to a call. Both are in memory, with room for all of it: nothing here waits or fails.
async fn converse<S>(call: &str, names: usize, answer: usize, service: S) -> String
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<Empty<Bytes>>, Error = Infallible>,
{
    let (mut client, server) = tokio::io::duplex(call.len().max(answer) + ROOM);
    let _ = client.write_all(call.as_bytes()).await;
    let _ = http1::Builder::new()
        .preserve_header_case(true)
        .max_headers(names + 8)
        .serve_connection(TokioIo::new(server), service)
        .await;
    let mut text = String::new();
    let _ = client.read_to_string(&mut text).await;
    text
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;
    use crate::rest::answer;

    async fn written(answer: impl Fn() -> Answer + Send + Sync) -> String {
        let (mut client, server) = tokio::io::duplex(100_000);
        let service =
            service_fn(|_: Request<Incoming>| async { Ok::<_, Infallible>(spelled(answer()).await) });
        client.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.expect("written");
        http1::Builder::new().serve_connection(TokioIo::new(server), service).await.expect("served");
        let mut text = String::new();
        client.read_to_string(&mut text).await.expect("read");
        text
    }

    #[tokio::test]
    async fn the_entity_tag_is_spelled_as_azure_spells_it() {
        let text = written(|| {
            answer::with_header(answer::with_etag(answer::no_content(), "7"), "iothub-ack", "none")
        })
        .await;
        assert!(text.contains("\r\nETag: \"7\"\r\n"), "{text}");
        assert!(text.contains("\r\niothub-ack: none\r\n"), "{text}");
    }

    #[tokio::test]
    async fn properties_of_an_answer_are_spelled_as_the_application_spells_them() {
        // More than hyper takes in a message if nobody says otherwise, and two that differ in a capital.
        let text = written(|| {
            let answer = answer::with_etag(answer::no_content(), "7");
            let answer = answer::with_named_header(answer, "iothub-app-colour", "red");
            let answer = answer::with_named_header(answer, "iothub-app-Colour", "blue");
            (0..200).fold(answer, |answer, n| {
                answer::with_named_header(answer, &format!("iothub-app-Key{n}"), "x")
            })
        })
        .await;
        for expected in
            ["ETag: \"7\"", "iothub-app-colour: red", "iothub-app-Colour: blue", "iothub-app-Key199: x"]
        {
            assert!(text.contains(&format!("\r\n{expected}\r\n")), "{expected} in {text}");
        }
    }

    #[tokio::test]
    async fn names_of_a_call_are_read_as_they_were_written() {
        let names =
            ["iothub-app-Colour", "IoTHub-App-berthNo", "iothub-app-colour", "Other"].map(str::to_owned);
        let kept = read(&names).await;
        let mut headers = HeaderMap::new();
        for (number, name) in names.iter().enumerate() {
            headers
                .append(HeaderName::from_bytes(name.as_bytes()).expect("a name"), HeaderValue::from(number));
        }
        let read: Vec<_> = as_written(&headers, &kept, "iothub-app-").await;
        let expected = [("Colour", 0), ("colour", 2), ("berthNo", 1)];
        assert_eq!(read, expected.map(|(name, number)| (name.to_owned(), HeaderValue::from(number))));
    }
}
