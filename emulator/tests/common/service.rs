//! A service client that sends exactly what it is told, over HTTP/1.1 and TLS.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_emulator::Emulator;

use super::{PATIENCE, tls};

/// Far from now.
const EXPIRY: i64 = 4_000_000_000;

pub struct Service {
    pub port: u16,
    tls: Arc<rustls::ClientConfig>,
    /// The `Host` header.
    pub host: String,
    pub policy: String,
    pub key: String,
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
    /// The body as it came.
    pub text: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Service {
    /// The owner of the service whose host name begins with `label`, by its own name.
    pub fn of(emulator: &Emulator, label: &str, policy: &str) -> Self {
        let strings = emulator.connection_strings();
        let found =
            strings.iter().find(|string| string.service.starts_with(label) && string.policy == policy);
        let found = found.expect("a policy");
        let part = |name: &str| {
            let mut parts = found.named.split(';');
            parts.find_map(|part| part.strip_prefix(name)).expect("a part").to_owned()
        };
        Self {
            port: emulator.service_address().expect("a service side").port(),
            tls: tls(emulator, None, rustls::DEFAULT_VERSIONS),
            host: part("HostName="),
            policy: policy.to_owned(),
            key: part("SharedAccessKey="),
        }
    }

    pub fn dps(emulator: &Emulator) -> Self {
        Self::of(emulator, "emulator-dps", "provisioningserviceowner")
    }

    pub fn hub(emulator: &Emulator) -> Self {
        Self::of(emulator, "hub-1", "iothubowner")
    }

    pub fn token(&self) -> String {
        sas(&self.host, &self.key, EXPIRY, Some(&self.policy))
    }

    pub async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.expect("TLS")
    }

    /// Sends a request with a token of this service, and further headers.
    pub async fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let token = self.token();
        let mut all = vec![("Authorization", token.as_str())];
        all.extend_from_slice(headers);
        self.call_with(method, target, &all, body).await
    }

    /// Sends a request with these headers alone.
    pub async fn call_with(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut stream = self.connect().await;
        let mut request =
            format!("{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        // Node sends no Content-Length on DELETE.
        if method != "DELETE" {
            request += &format!(
                "Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        request += &format!("\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut text = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text));
        // A server may close TCP without saying goodbye in TLS.
        let _ = read.await.expect("an answer in time");
        parse(&String::from_utf8(text).expect("text"))
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.call("GET", target, &[], "").await
    }
}

fn parse(text: &str) -> Reply {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Reply {
        status: status.expect("a status"),
        headers,
        body: if body.is_empty() { Value::Null } else { serde_json::from_str(body).expect("JSON") },
        text: body.to_owned(),
    }
}

/// A shared access signature.
pub fn sas(resource: &str, key: &str, expiry: i64, policy: Option<&str>) -> String {
    let encode = |text: &str| {
        let encoded = text.bytes().map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
            other => format!("%{other:02X}"),
        });
        encoded.collect::<String>()
    };
    let resource = encode(resource);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key).expect("a key"));
    let signature = STANDARD.encode(hmac::sign(&key, format!("{resource}\n{expiry}").as_bytes()));
    let policy = policy.map(|policy| format!("&skn={policy}")).unwrap_or_default();
    format!("SharedAccessSignature sr={resource}&sig={}&se={expiry}{policy}", encode(&signature))
}
