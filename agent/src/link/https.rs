//! One call of HTTPS: what DPS takes from a TPM, which MQTT has no way for. A connection, a request, an answer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::config::{Endpoint, Proxy};
use crate::identity::Password;
use crate::link::dialer::Dialer;
use crate::link::error::{LinkError, LinkErrorKind, io_error};
use crate::link::http::{Head, Progress, hint, not_http, printable, progress};
use crate::link::secure;
use crate::link::stage::Attempt;
use crate::link::timing::Timing;
use crate::link::tls::Tls;

/// A longer answer is none of DPS.
const LARGEST: usize = 128 * 1024;
/// Answers before the answer.
const MOST_INTERIM: usize = 4;

/// Whom to call.
#[derive(Debug, Clone)]
pub struct Server {
    /// Host and port; the host is also the name that the server's certificate must carry.
    pub endpoint: Endpoint,
    /// Through which TCP goes.
    pub proxy: Option<Proxy>,
    /// TLS, as to MQTT.
    pub tls: Tls,
    /// How long connecting may take.
    pub timing: Timing,
    /// An answer that takes longer is given up.
    pub answer_within: Duration,
}

/// What is asked.
#[derive(Debug)]
pub struct Request<'a> {
    /// `PUT`, `GET`.
    pub method: &'static str,
    /// Path and query, escaped.
    pub target: &'a str,
    /// A token, where there is one.
    pub authorization: Option<&'a Password>,
    /// JSON, or nothing.
    pub body: &'a [u8],
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// As it stands in the first line.
    pub status: u16,
    /// Ask again no sooner than this.
    pub retry_after: Option<Duration>,
    /// All of it.
    pub body: Vec<u8>,
}

impl Server {
    /// Calls it.
    pub async fn call(&self, dialer: &mut Dialer, request: &Request<'_>) -> Result<Response, LinkError> {
        self.try_call(dialer, request).await.map_err(|error| error.at(&self.endpoint))
    }

    async fn try_call(&self, dialer: &mut Dialer, request: &Request<'_>) -> Result<Response, LinkError> {
        let attempt = Attempt::begin(&self.timing);
        let Self { endpoint, proxy, tls, .. } = self;
        let mut stream = secure(dialer, endpoint, proxy.as_ref(), tls, &attempt).await?;
        let text = self.head(request);
        let exchange = async {
            stream.write_all(text.as_bytes()).await?;
            stream.write_all(request.body).await?;
            stream.flush().await?;
            let mut answer = Vec::new();
            // Some servers close TCP without saying goodbye in TLS: whether all is there the answer itself says.
            match (&mut stream).take(LARGEST as u64 + 1).read_to_end(&mut answer).await {
                Err(error) if answer.is_empty() => Err(error),
                _ => Ok(answer),
            }
        };
        let late = || {
            let why = format!(
                "TLS stands, but the server does not answer within {} s",
                self.answer_within.as_secs()
            );
            LinkError { kind: LinkErrorKind::Outage, why }
        };
        let answer = timeout(self.answer_within, exchange).await.map_err(|_| late())?;
        read(&answer.map_err(|error| io_error(&error))?)
    }

    fn head(&self, Request { method, target, authorization, body }: &Request<'_>) -> String {
        let authorization = authorization
            .map_or(String::new(), |password| format!("Authorization: {}\r\n", password.reveal()));
        let Endpoint { host, .. } = &self.endpoint;
        let length = body.len();
        format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: application/json\r\n\
             Content-Type: application/json; charset=utf-8\r\n{authorization}Content-Length: {length}\r\n\r\n"
        )
    }
}

/// Takes an answer apart that has come to its end.
fn read(answer: &[u8]) -> Result<Response, LinkError> {
    let answered = |why: String| LinkError { kind: LinkErrorKind::Answered, why };
    let mut rest = answer;
    for _ in 0..=MOST_INTERIM {
        let Progress::Complete(end) = progress(rest) else { break };
        let head = Head::read(&rest[..end]).ok_or_else(|| not_http("the server"))?;
        rest = &rest[end..];
        if head.is_interim() {
            continue;
        }
        if head.is_page() {
            return Err(answered(format!("the server answers {head}{}", hint(&head))));
        }
        let body = body(&head, rest).ok_or_else(|| {
            let what = printable(&String::from_utf8_lossy(rest));
            answered(format!("the server's answer {head} is cut off or too long: {what}"))
        })?;
        let retry_after = head.all("retry-after").find_map(|text| text.parse().ok()).map(Duration::from_secs);
        return Ok(Response { status: head.status, retry_after, body });
    }
    Err(not_http("the server"))
}

/// The body, whole.
fn body(head: &Head, rest: &[u8]) -> Option<Vec<u8>> {
    if head.has("transfer-encoding", "chunked") {
        return chunks(rest);
    }
    let length: Option<&str> = head.all("content-length").next();
    match length {
        Some(length) => Some(rest.get(..length.parse().ok()?)?.to_vec()),
        None => (rest.len() <= LARGEST).then(|| rest.to_vec()),
    }
}

/// Chunks, up to the empty one (RFC 9112, section 7.1).
fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..end]).ok()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).ok().filter(|size| *size <= LARGEST)?;
        rest = rest.get(end + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Result<(u16, Option<u64>, String), String> {
        let read = read(text.as_bytes()).map_err(|error| error.why)?;
        let body = String::from_utf8(read.body).unwrap();
        Ok((read.status, read.retry_after.map(|wait| wait.as_secs()), body))
    }

    #[test]
    fn answers_are_whole_or_none() {
        let head = "HTTP/1.1 202 Accepted\r\nRetry-After: 3\r\n";
        assert_eq!(answer(&format!("{head}Content-Length: 2\r\n\r\n{{}}")), Ok((202, Some(3), "{}".into())));
        let chunked = "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n{\"\r\n3\r\na\":\r\n2\r\n1}\r\n0\r\n\r\n";
        assert_eq!(answer(&format!("{head}{chunked}")), Ok((202, Some(3), "{\"a\":1}".into())));
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 No\r\n\r\nx";
        assert_eq!(answer(interim), Ok((401, None, "x".into())));
        for end in 0..head.len() + chunked.len() - 4 {
            assert!(answer(&format!("{head}{chunked}")[..end]).is_err(), "{end}");
        }
        assert!(answer(&format!("{head}Content-Length: 3\r\n\r\n{{}}")).unwrap_err().contains("cut off"));
        let portal = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>";
        assert!(answer(portal).unwrap_err().contains("captive portal"));
        let huge = format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n");
        assert!(answer(&huge).is_err());
    }
}
