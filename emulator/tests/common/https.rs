//! A device that calls over HTTPS, with a certificate or without, and takes any body.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_emulator::{Emulator, pki::DeviceCredentials};

use super::{PATIENCE, service::sas, tls};

/// Far from now.
const EXPIRY: i64 = 4_000_000_000;

pub struct Caller {
    port: u16,
    tls: Arc<rustls::ClientConfig>,
    /// The `Host` header.
    pub host: String,
    /// Sent with each call, if there is one.
    pub token: Option<String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The entity tag without its quotes.
    pub fn lock_token(&self) -> String {
        let etag = self.header("etag").expect("an entity tag");
        etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).expect("in quotes").to_owned()
    }
}

impl Caller {
    pub fn new(emulator: &Emulator, host: &str, credentials: Option<&DeviceCredentials>) -> Self {
        Self {
            port: emulator.service_address().expect("a service side").port(),
            tls: tls(emulator, credentials, rustls::DEFAULT_VERSIONS),
            host: host.to_owned(),
            token: None,
        }
    }

    /// One with a token for this resource.
    pub fn with_key(
        emulator: &Emulator,
        host: &str,
        resource: &str,
        key: &str,
        policy: Option<&str>,
    ) -> Self {
        let token = Some(sas(resource, key, EXPIRY, policy));
        Self { token, ..Self::new(emulator, host, None) }
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.expect("TLS")
    }

    pub async fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        if let Some(token) = &self.token {
            head += &format!("Authorization: {token}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.expect("sent");
        // A server that refuses need not read it all.
        let _ = stream.write_all(body).await;
        let mut text = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text));
        // A server may close TCP without saying goodbye in TLS.
        let _ = read.await.expect("an answer in time");
        parse(&text)
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.call("GET", target, &[], b"").await
    }

    pub async fn post(&self, target: &str, body: &str) -> Answer {
        self.call("POST", target, &[], body.as_bytes()).await
    }

    pub async fn delete(&self, target: &str) -> Answer {
        self.call("DELETE", target, &[], b"").await
    }
}

fn parse(text: &[u8]) -> Answer {
    let end = text.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no HTTP: {:?}", String::from_utf8_lossy(text)));
    let head = String::from_utf8(text[..end].to_vec()).expect("text");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(": ").or_else(|| line.split_once(':')))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Answer { status: status.expect("a status"), headers, body: text[end + 4..].to_vec() }
}
