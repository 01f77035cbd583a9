//! The way from TLS to a WebSocket: one request, and what is answered. Nothing may be said before the answer has come (RFC
//! 6455, section 4.1), so this costs a round trip more than MQTT alone.

use base64ct::{Base64, Encoding};
use bytes::{Buf, BytesMut};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tracker_protocol::{WEBSOCKET_PATH, WEBSOCKET_PORT, WEBSOCKET_SUBPROTOCOL};

use crate::config::Endpoint;
use crate::link::error::{LinkError, LinkErrorKind, io_error};
use crate::link::http::{Head, Progress, hint, not_http, printable, progress};

/// What a server adds to the key before it digests it.
const ADDED: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Room for what is read at once.
const READ: usize = 1024;
/// Answers before the answer.
const MOST_INTERIM: usize = 4;

/// Upgrades this connection, and gives what came behind the answer: it belongs to the WebSocket.
pub(super) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    server: &Endpoint,
) -> Result<BytesMut, LinkError> {
    let key = Base64::encode_string(&rand::random::<[u8; 16]>());
    stream.write_all(request(server, &key).as_bytes()).await.map_err(|error| io_error(&error))?;
    stream.flush().await.map_err(|error| io_error(&error))?;
    let mut incoming = BytesMut::with_capacity(READ);
    for _ in 0..=MOST_INTERIM {
        let head = head(stream, &mut incoming).await?;
        if !head.is_interim() {
            return judge(&head, &key).map(|()| incoming);
        }
    }
    Err(not_http("the server"))
}

fn request(server: &Endpoint, key: &str) -> String {
    let host = match server {
        Endpoint { host, port: WEBSOCKET_PORT } if host.contains(':') => format!("[{host}]"),
        Endpoint { host, port: WEBSOCKET_PORT } => host.clone(),
        with_port => with_port.to_string(),
    };
    format!(
        "GET {WEBSOCKET_PATH} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {WEBSOCKET_SUBPROTOCOL}\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
}

/// Takes the next head out of what comes.
async fn head<S: AsyncRead + Unpin>(stream: &mut S, incoming: &mut BytesMut) -> Result<Head, LinkError> {
    loop {
        match progress(incoming) {
            Progress::Complete(end) => {
                let head = Head::read(&incoming[..end]).ok_or_else(|| not_http("the server"));
                incoming.advance(end);
                return head;
            }
            Progress::NotHttp => return Err(not_http("the server")),
            Progress::Incomplete => {}
        }
        incoming.reserve(READ);
        if stream.read_buf(incoming).await.map_err(|error| io_error(&error))? == 0 {
            return Err(io_error(&std::io::ErrorKind::UnexpectedEof.into()).into());
        }
    }
}

/// What the answer means. A server that refuses the upgrade has answered, whatever it says.
fn judge(head: &Head, key: &str) -> Result<(), LinkError> {
    let answered = |why: String| Err(LinkError { kind: LinkErrorKind::Answered, why });
    if head.status != 101 {
        let why = match head.status {
            404 => {
                "; it has no WebSocket for MQTT at this name and port (connection.port, connection.gateway)"
            }
            _ => hint(head),
        };
        return answered(format!("the server does not upgrade to WebSocket: it answers {head}{why}"));
    }
    let accept = Base64::encode_string(
        digest(&SHA1_FOR_LEGACY_USE_ONLY, (key.to_owned() + ADDED).as_bytes()).as_ref(),
    );
    let is_upgraded = head.has("upgrade", "websocket")
        && head.has("connection", "upgrade")
        && head.all("sec-websocket-accept").eq([accept.as_str()])
        && head.all("sec-websocket-extensions").next().is_none();
    if !is_upgraded {
        return answered(format!(
            "the server's answer {head} is none of a WebSocket; is there a proxy in between?"
        ));
    }
    // A server that has not said which it speaks may speak it all the same.
    match head.all("sec-websocket-protocol").find(|spoken| *spoken != WEBSOCKET_SUBPROTOCOL) {
        Some(other) => {
            answered(format!("the server speaks {} in its WebSocket, and not MQTT", printable(other)))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn judged(answer: &str) -> Result<(), String> {
        judge(&Head::read(answer.as_bytes()).unwrap(), KEY).map_err(|error| {
            assert_eq!(error.kind, LinkErrorKind::Answered);
            error.why
        })
    }

    #[test]
    fn an_upgrade_is_told_from_all_else() {
        let good = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        judged(&good).unwrap();
        judged(&good.replace("Sec-WebSocket-Protocol: mqtt\r\n", "")).unwrap();
        for (bad, says) in [
            (good.replace(ACCEPT, KEY), "is none of a WebSocket"),
            (good.replace("Upgrade: websocket\r\n", ""), "is none of a WebSocket"),
            (
                good.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
                "is none of",
            ),
            (good.replace(": mqtt", ": AMQPWSB10"), "speaks AMQPWSB10 in its WebSocket"),
            ("HTTP/1.1 404 Not Found\r\n\r\n".into(), "404 Not Found; it has no WebSocket"),
            ("HTTP/1.1 401 Unauthorized\r\n\r\n".into(), "it answers 401 Unauthorized"),
            ("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n".into(), "is it a captive portal?"),
        ] {
            let why = judged(&bad).unwrap_err();
            assert!(why.contains(says), "{why}, and not {says}");
        }
    }

    #[test]
    fn the_port_is_named_unless_it_is_that_of_https() {
        let host = |host: &str, port| {
            let request = request(&Endpoint { host: host.into(), port }, KEY);
            assert!(
                request.starts_with("GET /$iothub/websocket HTTP/1.1\r\n") && request.ends_with("==\r\n\r\n")
            );
            request.lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(host("hub", 443), "Host: hub");
        assert_eq!(host("localhost", 8443), "Host: localhost:8443");
        assert_eq!(host("::1", 443), "Host: [::1]");
        assert_eq!(host("::1", 8443), "Host: [::1]:8443");
    }

    #[tokio::test]
    async fn what_comes_behind_the_answer_belongs_to_the_websocket() {
        let (mut near, mut far) = tokio::io::duplex(64);
        let serve = tokio::spawn(async move {
            let mut request = BytesMut::new();
            while !request.ends_with(b"\r\n\r\n") {
                far.read_buf(&mut request).await.unwrap();
            }
            let text = String::from_utf8(request.to_vec()).unwrap();
            let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
            let accept = digest(&SHA1_FOR_LEGACY_USE_ONLY, (key.to_owned() + ADDED).as_bytes());
            let answer = format!(
                "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\
                 sec-websocket-accept: {}\r\n\r\n\u{1}frames",
                Base64::encode_string(accept.as_ref())
            );
            for byte in answer.bytes() {
                far.write_all(&[byte]).await.unwrap();
            }
        });
        let mut left = upgrade(&mut near, &Endpoint { host: "hub".into(), port: 443 }).await.unwrap();
        while left.len() < 7 {
            near.read_buf(&mut left).await.unwrap();
        }
        assert_eq!(left, b"\x01frames".as_slice());
        serve.await.unwrap();
    }
}
