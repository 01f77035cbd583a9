//! The client's end of a WebSocket, written down from RFC 6455: none of it is the emulator's own.

use std::{net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_emulator::{Emulator, pki::DeviceCredentials};

use super::{HUB, PATIENCE, tls};

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The example of RFC 6455, and what is answered to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// To the port of the services, with or without a certificate.
#[derive(Clone)]
pub struct Way {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Way {
    pub fn to(emulator: &Emulator, credentials: Option<&DeviceCredentials>) -> Self {
        Self {
            address: emulator.service_address().expect("a service side"),
            tls: tls(emulator, credentials, rustls::DEFAULT_VERSIONS),
        }
    }

    pub async fn secured(&self, server_name: &str) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        let name = ServerName::try_from(server_name.to_owned()).expect("a name");
        TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.expect("TLS")
    }
}

/// A request for a WebSocket; each test changes what it is about.
#[derive(Clone)]
pub struct Upgrade {
    pub server_name: String,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Upgrade {
    pub fn new(target: &str, protocol: &str) -> Self {
        let headers = [
            ("Host", HUB),
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "WebSocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Protocol", protocol),
        ];
        Self {
            server_name: HUB.to_owned(),
            method: "GET".into(),
            target: target.into(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }

    pub fn mqtt() -> Self {
        Self::new("/$iothub/websocket", "mqtt")
    }

    /// With this header, or without it.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    pub fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + "\r\n"
    }

    /// Asks, and gives the head of the answer with the rest of what came, and the stream.
    pub async fn ask(&self, way: &Way) -> (String, WebSocket) {
        let mut stream = way.secured(&self.server_name).await;
        stream.write_all(self.head().as_bytes()).await.expect("sent");
        let mut inbox = Vec::new();
        let end = loop {
            if let Some(end) = inbox.windows(4).position(|part| part == b"\r\n\r\n") {
                break end + 4;
            }
            let read = tokio::time::timeout(PATIENCE, stream.read_buf(&mut inbox)).await;
            assert_ne!(read.expect("in time").expect("an answer"), 0, "closed: {inbox:?}");
        };
        let rest = inbox.split_off(end);
        let head = String::from_utf8(inbox).expect("text").to_ascii_lowercase();
        (head, WebSocket { stream, inbox: rest })
    }

    /// Asks and is answered with 101.
    pub async fn open(&self, way: &Way) -> WebSocket {
        let (head, socket) = self.ask(way).await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(
            head.contains(&format!("sec-websocket-accept: {}\r\n", ACCEPT.to_ascii_lowercase())),
            "{head}"
        );
        socket
    }
}

/// One frame of a client.
pub fn frame(opcode: u8, is_last: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![opcode | if is_last { 0x80 } else { 0 }];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 0x7e);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [0x5a, 0x01, 0xff, 0x80];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub struct WebSocket {
    pub stream: TlsStream<TcpStream>,
    inbox: Vec<u8>,
}

impl WebSocket {
    pub async fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.stream.write_all(&frame(opcode, true, payload)).await.expect("sent");
        self.stream.flush().await.expect("sent");
    }

    /// What is answered in place of frames, for as long as it comes; a moment's silence is its end.
    pub async fn text(&mut self) -> String {
        while let Ok(Ok(1..)) =
            tokio::time::timeout(std::time::Duration::from_millis(50), self.stream.read_buf(&mut self.inbox))
                .await
        {}
        String::from_utf8_lossy(&self.inbox).into_owned()
    }

    /// The next frame, which is whole and unmasked: opcode and payload; `None` at the end.
    pub async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("a frame in time")
    }

    /// The code of the close frame that comes next, perhaps behind others, and what it says.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let (opcode, payload) = self.next().await.expect("a close frame");
            if opcode == CLOSE {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                return (code, String::from_utf8(payload[2..].to_vec()).expect("text"));
            }
        }
    }

    /// Dropping the future loses nothing.
    async fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((frame, length)) = parse(&self.inbox) {
                self.inbox.drain(..length);
                return Some(frame);
            }
            if self.stream.read_buf(&mut self.inbox).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Option<((u8, Vec<u8>), usize)> {
    let [first, second, ..] = *bytes else { return None };
    assert_eq!(first & 0xf0, 0x80, "the emulator sends whole frames without extensions");
    assert_eq!(second & 0x80, 0, "a server does not mask");
    let (length, begin) = match second {
        126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        length => (usize::from(length), 2),
    };
    let payload = bytes.get(begin..begin + length)?;
    Some(((first & 0x0f, payload.to_vec()), begin + length))
}

/// A port on loopback behind which is one WebSocket for each connection: for clients that know none.
pub struct Bridge {
    pub port: u16,
}

impl Bridge {
    /// `piece`: bytes in a frame at most, and three frames are a message.
    pub async fn over(way: Way, upgrade: Upgrade, piece: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((guest, _)) = listener.accept().await {
                let socket = upgrade.open(&way).await;
                tokio::spawn(pump(guest, socket, piece));
            }
        });
        Self { port }
    }
}

async fn pump(mut guest: TcpStream, mut socket: WebSocket, piece: usize) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        tokio::select! {
            read = guest.read(&mut buffer) => {
                let Ok(count @ 1..) = read else {
                    socket.send(CLOSE, &1000_u16.to_be_bytes()).await;
                    return;
                };
                for message in buffer[..count].chunks(piece * 3) {
                    let mut frames = message.chunks(piece).enumerate().peekable();
                    while let Some((number, part)) = frames.next() {
                        let opcode = if number == 0 { BINARY } else { CONTINUATION };
                        let frame = frame(opcode, frames.peek().is_none(), part);
                        socket.stream.write_all(&frame).await.expect("sent");
                    }
                }
                // What TLS has taken may wait in it.
                socket.stream.flush().await.expect("sent");
            }
            frame = socket.read() => match frame {
                Some((BINARY, bytes)) => {
                    if guest.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Some((PING | PONG, _)) => {}
                _ => return,
            }
        }
    }
}
