//! SASL by hand: a client that signs in with any mechanism, and says what it is told to.

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tracker_emulator::Emulator;

use super::{PATIENCE, tls};

const HEADER: [u8; 8] = *b"AMQP\x03\x01\0\0";

/// Before it is let in.
pub struct Sasl {
    pub stream: TlsStream<TcpStream>,
    /// What the service offers.
    pub mechanisms: String,
}

/// What the service says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Challenge(Vec<u8>),
    Outcome(u8),
    /// It has hung up.
    Gone,
}

impl Sasl {
    pub async fn connect(emulator: &Emulator, server_name: &'static str) -> Self {
        let address = emulator.amqp_address().expect("a port of AMQP");
        let stream = TcpStream::connect(("127.0.0.1", address.port())).await.expect("the port is open");
        let connector = TlsConnector::from(tls(emulator, None, rustls::DEFAULT_VERSIONS));
        let name = ServerName::try_from(server_name).expect("a name");
        let mut stream = connector.connect(name, stream).await.expect("a handshake");
        stream.write_all(&HEADER).await.expect("sent");
        let mut header = [0; 8];
        stream.read_exact(&mut header).await.expect("a header");
        assert_eq!(header, HEADER);
        let mut sasl = Self { stream, mechanisms: String::new() };
        let (code, list) = sasl.frame().await.expect("mechanisms");
        assert_eq!(code, 0x40);
        sasl.mechanisms = String::from_utf8_lossy(&list).into_owned();
        sasl
    }

    pub async fn init(&mut self, mechanism: &str, response: &[u8]) -> Said {
        let length = u8::try_from(mechanism.len()).expect("short");
        let fields = [&[0xa3, length], mechanism.as_bytes(), &binary(response)].concat();
        self.say(0x41, 2, &fields).await
    }

    pub async fn respond(&mut self, response: &[u8]) -> Said {
        self.say(0x43, 1, &binary(response)).await
    }

    /// Answers by a zero, and by this.
    pub async fn answer(&mut self, content: &[u8]) -> Said {
        self.respond(&[&[0], content].concat()).await
    }

    /// A list of fields.
    async fn say(&mut self, code: u8, count: u8, fields: &[u8]) -> Said {
        let size = u32::try_from(fields.len() + 4).expect("short");
        let list = [&[0x00, 0x53, code, 0xd0], &size.to_be_bytes()[..], &[0, 0, 0, count], fields].concat();
        self.send(&list).await;
        self.hear().await
    }

    /// Any body as a frame of SASL.
    pub async fn send(&mut self, body: &[u8]) {
        let size = u32::try_from(body.len() + 8).expect("short");
        let frame = [&size.to_be_bytes()[..], &[2, 1, 0, 0], body].concat();
        self.stream.write_all(&frame).await.expect("sent");
    }

    pub async fn hear(&mut self) -> Said {
        let Some((code, list)) = self.frame().await else { return Said::Gone };
        match (code, &list[..]) {
            (0x42, [0xa0, _, bytes @ ..] | [0xb0, _, _, _, _, bytes @ ..]) => Said::Challenge(bytes.to_vec()),
            (0x44, [0x50, code, ..]) => Said::Outcome(*code),
            other => panic!("{other:?}"),
        }
    }

    /// A frame: its code, and the fields of its list.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut size = [0; 4];
        let read = tokio::time::timeout(PATIENCE, self.stream.read_exact(&mut size));
        read.await.expect("something comes").ok()?;
        let size = u32::from_be_bytes(size) as usize;
        assert!(size <= 512, "Microsoft's clients take no more: {size}");
        let mut frame = vec![0; size - 4];
        self.stream.read_exact(&mut frame).await.ok()?;
        let [2, 1, _, _, 0x00, 0x53, code, list @ ..] = &frame[..] else { panic!("{frame:?}") };
        let fields = match list {
            [0xc0, _, _, fields @ ..] | [0xd0, _, _, _, _, _, _, _, _, fields @ ..] => fields,
            other => panic!("{other:?}"),
        };
        Some((*code, fields.to_vec()))
    }
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    [&[0xb0], &u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
}
