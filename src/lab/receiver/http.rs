//! As much of HTTP/1.1 as a webhook needs: one request with its body in, one answer out, and the connection is closed.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest request line with its headers, and the longest body, in bytes. No message of a hub is nearly as long.
const LONGEST_HEAD: usize = 16 * 1024;
const LONGEST_BODY: usize = 1024 * 1024;

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// What stands behind the host in its address.
    pub(super) path: String,
    /// Its body.
    pub(super) body: Vec<u8>,
}

/// Reads a request. One without `Content-Length` has no body.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > LONGEST_HEAD {
            return Err(invalid("its headers are too long"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut body = bytes.split_off(end + 4);
    let mut lines = head.split("\r\n");
    let path =
        lines.next().and_then(|line| line.split(' ').nth(1)).ok_or_else(|| invalid("it has no path"))?;
    let length = lines.filter_map(|line| line.split_once(':'));
    let length =
        length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, length)| length);
    let length = length.last().map_or(Ok(0), |length| length.trim().parse());
    let length: usize = length.map_err(|_| invalid("its Content-Length is no number"))?;
    if length > LONGEST_BODY {
        return Err(invalid("its body is too long"));
    }
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    body.truncate(length);
    Ok(Request { path: path.to_owned(), body })
}

/// Answers with this status, and JSON where there is some.
pub(super) async fn answer(
    stream: &mut (impl AsyncWrite + Unpin),
    status: u16,
    body: &str,
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await?;
    stream.shutdown().await
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(text: &str) -> io::Result<Request> {
        let (mut near, mut far) = tokio::io::duplex(7);
        let text = text.to_owned();
        let writing = tokio::spawn(async move {
            let _ = far.write_all(text.as_bytes()).await;
        });
        let request = read(&mut near).await;
        drop(near);
        writing.await.unwrap();
        request
    }

    #[tokio::test]
    async fn a_request_is_read_however_its_bytes_come() {
        let request = read_all("POST /alarms HTTP/1.1\r\nhost: x\r\nCONTENT-length: 4\r\n\r\n{\"\"}").await;
        assert_eq!(request.unwrap(), Request { path: "/alarms".into(), body: b"{\"\"}".to_vec() });
        assert!(read_all("GET / HTTP/1.1\r\n\r\n").await.unwrap().body.is_empty());
    }

    #[tokio::test]
    async fn what_is_none_is_an_error() {
        let long = format!("POST / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(2 * LONGEST_HEAD));
        for (text, says) in [
            ("POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n{}", "end of file"),
            ("POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n", "is no number"),
            ("POST / HTTP/1.1\r\ncontent-length: 1000000000\r\n\r\n", "too long"),
            ("\r\n\r\n", "no path"),
            (long.as_str(), "too long"),
        ] {
            let error = read_all(text).await.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
