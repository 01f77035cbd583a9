//! A way through an HTTP proxy: CONNECT, and what it answers.

use std::fmt;
use std::path::Path;

use base64ct::{Base64, Encoding};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::{Endpoint, Login, Proxy};
use crate::identity::secret_file;
use crate::link::error::{LinkError, LinkErrorKind};
use crate::link::http::{Head, Progress, hint, not_http, printable, progress};

/// More than a byte at a time, and no more than a head has as a rule.
const LOOK: usize = 1024;
/// A password has fewer bytes.
const LARGEST_PASSWORD: usize = 1024;
/// Answers before the answer.
const MOST_INTERIM: usize = 4;

/// Asks the proxy, to which this connection leads, for a tunnel to `target`. All that comes behind its answer is left in the
/// connection.
pub async fn open(tcp: &mut TcpStream, target: &Endpoint, proxy: &Proxy) -> Result<(), LinkError> {
    let login = proxy.login.as_ref();
    let authorization = login.map(authorization).transpose()?.unwrap_or_default();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}\r\n");
    tcp.write_all(request.as_bytes()).await.map_err(|error| broken(&error))?;
    for _ in 0..=MOST_INTERIM {
        let head = head(tcp).await?;
        if !head.is_interim() {
            return judge(&head, target, login.is_some());
        }
    }
    Err(not_http("the proxy"))
}

/// The next head. No byte behind it is taken out of the connection, as all that follows belongs to TLS.
async fn head(tcp: &mut TcpStream) -> Result<Head, LinkError> {
    let mut bytes = Vec::new();
    let mut look = [0; LOOK];
    loop {
        let seen = tcp.peek(&mut look).await.map_err(|error| broken(&error))?;
        if seen == 0 {
            return Err(closed());
        }
        let before = bytes.len();
        bytes.extend_from_slice(&look[..seen]);
        let (taken, is_complete) = match progress(&bytes) {
            Progress::Incomplete => (seen, false),
            Progress::Complete(end) => (end - before, true),
            Progress::NotHttp => return Err(not_http("what answers in place of the proxy")),
        };
        tcp.read_exact(&mut look[..taken]).await.map_err(|error| broken(&error))?;
        if is_complete {
            bytes.truncate(before + taken);
            return Head::read(&bytes).ok_or_else(|| not_http("what answers in place of the proxy"));
        }
    }
}

/// What the answer of a proxy means.
fn judge(head: &Head, target: &Endpoint, has_login: bool) -> Result<(), LinkError> {
    use LinkErrorKind::{Answered, Barred, NobodyListens};
    let (kind, why) = match head.status {
        200..300 => return Ok(()),
        // Tinyproxy says 401 of a wrong password, and 407 of none.
        401 | 407 => (Barred, wants_login(head, has_login)),
        403 => (
            Barred,
            format!(
                "the proxy lets nobody through to {target} ({head}): whoever runs it must allow CONNECT to that"
            ),
        ),
        // As if the server did not answer itself.
        502..=504 => (NobodyListens, format!("the proxy does not reach {target} ({head})")),
        _ => (Answered, format!("the proxy answers CONNECT with {head}{}", hint(head))),
    };
    Err(LinkError { kind, why })
}

fn wants_login(head: &Head, has_login: bool) -> String {
    // More than one may stand in a line, with commas inside as well: the words that end before a blank or a comma.
    let fields = head.all("proxy-authenticate").chain(head.all("www-authenticate"));
    let offered = fields.flat_map(|value| value.split(','));
    let mut ways: Vec<String> =
        offered.filter_map(|one| one.split_whitespace().next()).map(printable).collect();
    ways.retain(|way| {
        !way.is_empty() && way.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let knows_basic = ways.is_empty() || ways.iter().any(|way| way.eq_ignore_ascii_case("basic"));
    match has_login {
        _ if !knows_basic => format!(
            "the proxy wants a way to log in that this device does not know ({}); it knows Basic ({head})",
            printable(&ways.join(", "))
        ),
        true => format!(
            "the proxy does not take this user name and password ({head}): look at connection.proxy and \
             connection.proxy_password_file"
        ),
        false => format!(
            "the proxy wants a user name and a password ({head}): connection.proxy = \"http://user@host:port\", and \
             connection.proxy_password_file"
        ),
    }
}

/// The line by which the device logs in. The file is read anew each time: it may have been corrected.
fn authorization(login: &Login) -> Result<String, LinkError> {
    let Login { user, password_file } = login;
    let password = password(password_file).map_err(|why| LinkError { kind: LinkErrorKind::Barred, why })?;
    let credentials = Base64::encode_string(format!("{user}:{password}").as_bytes());
    Ok(format!("Proxy-Authorization: Basic {credentials}\r\n"))
}

/// The first line of the file. No part of it is told.
fn password(path: &Path) -> Result<String, String> {
    // A file that is not there may be none, but the password itself in its place.
    let is_named = path.extension().is_some() || path.exists();
    let shown = if is_named { path.to_owned() } else { path.with_file_name("…") };
    let unusable =
        |why: &dyn fmt::Display| format!("can't use the proxy's password in {}: {why}", shown.display());
    let text = secret_file::read(path).map_err(|error| unusable(&error))?;
    let line = text.lines().next().unwrap_or_default();
    match line {
        "" => Err(unusable(&"its first line is empty")),
        _ if line.len() > LARGEST_PASSWORD => Err(unusable(&"its first line is too long")),
        _ if line.chars().any(char::is_control) => Err(unusable(&"it has control characters in it")),
        line => Ok(line.into()),
    }
}

fn broken(error: &std::io::Error) -> LinkError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::BrokenPipe => closed(),
        _ => LinkError {
            kind: LinkErrorKind::Outage,
            why: format!("the connection to the proxy broke: {error}"),
        },
    }
}

fn closed() -> LinkError {
    let why = "the proxy closed the connection and gave no answer to CONNECT".into();
    LinkError { kind: LinkErrorKind::Outage, why }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::link::http::LARGEST_HEAD;

    /// What comes of such an answer, what was asked, and what can be read behind the answer.
    async fn asked(answers: &[&[u8]], login: Option<Login>) -> (Result<(), LinkError>, String, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        let mut tcp = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let answers: Vec<Vec<u8>> = answers.iter().map(|part| part.to_vec()).collect();
        let serve = tokio::spawn(async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                if peer.read_buf(&mut request).await.unwrap() == 0 {
                    break;
                }
            }
            for part in answers {
                if peer.write_all(&part).await.is_err() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            String::from_utf8(request).unwrap()
        });
        let proxy = Proxy { endpoint, login };
        let target = Endpoint { host: "2001:db8::7".into(), port: 443 };
        let result = open(&mut tcp, &target, &proxy).await;
        let mut behind = Vec::new();
        if result.is_ok() {
            tcp.read_to_end(&mut behind).await.unwrap();
        }
        drop(tcp);
        (result, serve.await.unwrap(), behind)
    }

    #[tokio::test]
    async fn what_comes_behind_the_answer_stays_in_the_connection() {
        let request = "CONNECT [2001:db8::7]:443 HTTP/1.1\r\nHost: [2001:db8::7]:443\r\n\r\n";
        for parts in [
            &[b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n\x16\x03\x03TLS".as_slice()] as &[_],
            &[b"HTTP/1.1 20".as_slice(), b"0 OK\r\nVia: x", b"\r\n\r", b"\n\x16\x03", b"\x03TLS"],
            &[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\x16\x03\x03TLS"],
        ] {
            let (result, asked, behind) = asked(parts, None).await;
            result.unwrap();
            assert_eq!((asked.as_str(), behind.as_slice()), (request, b"\x16\x03\x03TLS".as_slice()));
        }
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\nTLS", "y".repeat(3 * LOOK));
        assert_eq!(asked(&[long.as_bytes()], None).await.2, b"TLS");
    }

    #[tokio::test]
    async fn every_answer_has_its_sentence() {
        use LinkErrorKind::{Answered, Barred, NobodyListens, Outage};
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &vec![b'y'; 2 * LARGEST_HEAD]].concat();
        for (answer, kind, says) in [
            (b"HTTP/1.1 407 No\r\n\r\n".as_slice(), Barred, "wants a user name and a password (407 No)"),
            (
                b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
                Barred,
                "wants a user name and a password (401 No)",
            ),
            (
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
                Barred,
                "a way to log in that this device does not know (Negotiate, NTLM); it knows Basic",
            ),
            (
                b"HTTP/1.1 403 Forbidden\r\n\r\n",
                Barred,
                "lets nobody through to [2001:db8::7]:443 (403 Forbidden)",
            ),
            (b"HTTP/1.0 503 \r\n\r\n", NobodyListens, "the proxy does not reach [2001:db8::7]:443 (503)"),
            (b"HTTP/1.1 504 Gateway Time-out\r\n\r\n", NobodyListens, "(504 Gateway Time-out)"),
            (b"HTTP/1.1 405 Not allowed\r\n\r\n", Answered, "answers CONNECT with 405 Not allowed"),
            (
                b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n",
                Answered,
                "302 Found; is it a captive portal",
            ),
            (b"HTTP/1.1 511 x\r\n\r\n", Answered, "wants somebody to log in first (captive portal)"),
            (b"HTTP/1.1 404 x\r\nContent-Type: text/html\r\n\r\n<html>", Answered, "is it a captive portal?"),
            (b"<html><body>", Answered, "does not speak HTTP"),
            (b"\x05\xff", Answered, "does not speak HTTP"),
            (&endless, Answered, "does not speak HTTP"),
            (b"HTTP/1.1 200 OK\r\n", Outage, "closed the connection and gave no answer to CONNECT"),
            (b"", Outage, "closed the connection and gave no answer to CONNECT"),
        ] {
            let error = asked(&[answer], None).await.0.unwrap_err();
            assert!(error.kind == kind && error.why.contains(says), "{error:?}, and not {says}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_password_is_in_a_file_closed_to_others_and_in_no_sentence() {
        use std::io::Write as _;

        use crate::platform::plain_file;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("proxy.password");
        let login = |content: &[u8], mode| {
            plain_file::create(&path, mode).unwrap().write_all(content).unwrap();
            Some(Login { user: "ship".into(), password_file: path.clone() })
        };
        let ok = b"HTTP/1.1 200 OK\r\n\r\n".as_slice();
        for content in [b"s3cret".as_slice(), b"s3cret\n", b"\xef\xbb\xbfs3cret\r\nmore"] {
            let (result, asked, _) = asked(&[ok], login(content, 0o600)).await;
            result.unwrap();
            assert!(asked.ends_with("\r\nProxy-Authorization: Basic c2hpcDpzM2NyZXQ=\r\n\r\n"), "{asked}");
        }
        let no = b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"a, b\"\r\n\r\n".as_slice();
        let mut told = vec![asked(&[no], login(b"s3cret", 0o640)).await.0.unwrap_err()];
        assert!(told[0].why.contains("does not take this user name and password"), "{}", told[0]);
        for (content, mode, says) in [
            (b"s3cret".as_slice(), 0o644, "is open to others (mode 644); run: chmod 600"),
            (b"\ns3cret", 0o600, "its first line is empty"),
            (b"s3\tcret", 0o600, "it has control characters in it"),
            (b"s3\xffcret", 0o600, "it is no text"),
            (&[b's'; LARGEST_PASSWORD + 1], 0o600, "its first line is too long"),
        ] {
            let login = login(content, mode).unwrap();
            let error = authorization(&login).unwrap_err();
            assert!(error.why.contains(says), "{error}");
            told.push(error);
        }
        let password_file = directory.path().join("s3cret");
        told.push(authorization(&Login { user: "ship".into(), password_file }).unwrap_err());
        for error in told {
            assert!(error.kind == LinkErrorKind::Barred && !error.why.contains("cret"), "{error}");
        }
    }
}
