//! MQTT in the messages of a WebSocket, by tungstenite's codec: bytes in, bytes out, and no connection of its own. Pings are
//! answered, frames masked, fragments put together there.
//!
//! Each packet of ours is a binary message. What comes is a stream of bytes, wherever its messages end: MQTT says so.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use crate::link::error::{LinkError, LinkErrorKind};
use crate::link::http::printable;
use crate::link::packet::LARGEST_INCOMING;

/// So much of what came is taken at once.
const READ: usize = 4 * 1024;

/// One WebSocket, from the answer to the upgrade on.
pub(super) struct WebSocket {
    codec: WebSocketContext,
    /// What came, and was not looked at yet.
    pub(super) raw: BytesMut,
}

impl WebSocket {
    /// `raw`: what came behind the answer to the upgrade.
    pub(super) fn new(raw: BytesMut) -> Self {
        let most = Some(LARGEST_INCOMING);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(0)
            .max_message_size(most)
            .max_frame_size(most);
        Self { codec: WebSocketContext::new(Role::Client, Some(config)), raw }
    }

    /// Appends a packet as a message.
    pub(super) fn write(&mut self, packet: Bytes, outgoing: &mut BytesMut) -> Result<(), LinkError> {
        let Self { codec, raw } = self;
        let mut pipe = Pipe { raw, outgoing };
        let written = codec.write(&mut pipe, Message::Binary(packet));
        written.and_then(|()| codec.flush(&mut pipe)).map_err(|error| explain(&error))
    }

    /// Takes the next message; its bytes are appended to `incoming`, answers to pings to `outgoing`. False once there is no
    /// whole message any more.
    pub(super) fn read(
        &mut self,
        incoming: &mut BytesMut,
        outgoing: &mut BytesMut,
    ) -> Result<bool, LinkError> {
        let Self { codec, raw } = self;
        let mut pipe = Pipe { raw, outgoing };
        match codec.read(&mut pipe) {
            Ok(Message::Binary(bytes)) => incoming.extend_from_slice(&bytes),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Text(_)) => {
                let why = "the server sends text in its WebSocket, and not MQTT".into();
                return Err(LinkError { kind: LinkErrorKind::Answered, why });
            }
            Ok(Message::Close(close)) => {
                // Its answer is queued, and leaves if there is time.
                let _ = codec.flush(&mut pipe);
                return Err(closed(close.as_ref()));
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(explain(&error)),
        }
        Ok(true)
    }

    /// Appends a goodbye.
    pub(super) fn close(&mut self, outgoing: &mut BytesMut) {
        let Self { codec, raw } = self;
        let close = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        // Where it was closed before, there is nothing to say.
        let _ = codec.close(&mut Pipe { raw, outgoing }, Some(close));
    }
}

fn closed(close: Option<&CloseFrame>) -> LinkError {
    let why = match close {
        None => "the server closed the WebSocket".into(),
        Some(CloseFrame { code, reason }) => {
            let reason = printable(reason);
            let colon = if reason.is_empty() { "" } else { ": " };
            format!("the server closed the WebSocket ({}{colon}{reason})", u16::from(*code))
        }
    };
    LinkError { kind: LinkErrorKind::Closed, why }
}

fn explain(error: &Error) -> LinkError {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::SendAfterClosing | ProtocolError::ResetWithoutClosingHandshake) => {
            closed(None)
        }
        other => LinkError { kind: LinkErrorKind::Answered, why: format!("WebSocket: {other}") },
    }
}

/// What the codec takes for a connection.
struct Pipe<'a> {
    raw: &'a mut BytesMut,
    outgoing: &'a mut BytesMut,
}

impl Read for Pipe<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.raw.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = into.len().min(self.raw.len());
        self.raw.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame of a server's, by hand.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ ..126 => frame.push(short as u8),
            middle @ ..65536 => {
                frame.push(126);
                frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                frame.push(127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    /// Takes one frame of a client's apart, by hand: its first byte, its mask, its payload.
    fn unframe(bytes: &mut BytesMut) -> (u8, [u8; 4], Vec<u8>) {
        let first = bytes.get_u8();
        let second = bytes.get_u8();
        assert_eq!(second & 0x80, 0x80, "what a client says is masked");
        let length = match second & 0x7f {
            126 => usize::from(bytes.get_u16()),
            127 => bytes.get_u64() as usize,
            short => usize::from(short),
        };
        let mut mask = [0; 4];
        bytes.copy_to_slice(&mut mask);
        let masked = bytes.split_to(length);
        (first, mask, masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect())
    }

    /// What comes of these bytes when they come in pieces of such lengths: MQTT's bytes, what is answered, and how it ends.
    fn heard(bytes: &[u8], piece: usize) -> (Vec<u8>, BytesMut, Result<(), LinkError>) {
        let (mut incoming, mut outgoing) = (BytesMut::new(), BytesMut::new());
        let mut websocket = WebSocket::new(BytesMut::new());
        for piece in bytes.chunks(piece.max(1)) {
            websocket.raw.extend_from_slice(piece);
            loop {
                match websocket.read(&mut incoming, &mut outgoing) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => return (incoming.to_vec(), outgoing, Err(error)),
                }
            }
        }
        (incoming.to_vec(), outgoing, Ok(()))
    }

    #[test]
    fn pings_are_answered_and_fragments_are_one_stream() {
        let all = [
            frame(0x82, b"ab"),
            frame(0x02, b"cd"),
            frame(0x89, b"are you there"),
            frame(0x00, b""),
            frame(0x80, b"ef"),
            frame(0x8a, b"unasked"),
            frame(0x82, &[b'g'; 300]),
        ]
        .concat();
        for piece in 1..=all.len() {
            let (incoming, mut outgoing, end) = heard(&all, piece);
            assert_eq!((incoming.len(), &incoming[..6], end), (306, b"abcdef".as_slice(), Ok(())));
            let (first, _, payload) = unframe(&mut outgoing);
            assert_eq!((first, payload.as_slice(), outgoing.len()), (0x8a, b"are you there".as_slice(), 0));
        }
    }

    #[test]
    fn a_goodbye_is_answered_and_told_with_its_reason() {
        let (_, mut outgoing, end) = heard(&frame(0x88, b"\x03\xe9going\x1b away"), 99);
        let error = end.unwrap_err();
        assert_eq!(error.why, "the server closed the WebSocket (1001: going away)");
        assert_eq!(error.kind, LinkErrorKind::Closed);
        assert_eq!(unframe(&mut outgoing).0, 0x88);
        assert_eq!(heard(&frame(0x88, b""), 99).2.unwrap_err().why, "the server closed the WebSocket");
        let mut websocket = WebSocket::new(BytesMut::new());
        websocket.close(&mut outgoing);
        assert_eq!(unframe(&mut outgoing).2, b"\x03\xe8");
        assert!(websocket.write(Bytes::from_static(b"x"), &mut outgoing).is_err());
        websocket.close(&mut outgoing);
        assert!(outgoing.is_empty());
    }

    #[test]
    fn what_no_server_of_mqtt_says_ends_it() {
        for (bytes, says) in [
            (frame(0x81, b"text"), "sends text in its WebSocket"),
            (frame(0x80, b"nothing before"), "WebSocket: "),
            (frame(0xc2, b"reserved"), "WebSocket: "),
            (frame(0x83, b"reserved"), "WebSocket: "),
            (frame(0x09, b"half a ping"), "WebSocket: "),
            (frame(0x89, &[0; 126]), "WebSocket: "),
            ([frame(0x02, b"a"), frame(0x82, b"b")].concat(), "WebSocket: "),
            (vec![0x82, 0x81, 1, 2, 3, 4, 5], "WebSocket: "),
            (vec![0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "WebSocket: "),
            (vec![0x82, 127, 0, 0, 0, 0, 0, 8, 0, 1], "WebSocket: "),
        ] {
            let error = heard(&bytes, 99).2.unwrap_err();
            assert!(
                error.kind == LinkErrorKind::Answered
                    && error.why.starts_with(says) | error.why.contains(says)
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(bytes: Vec<u8>, piece in 1_usize..20) {
            let _ = heard(&bytes, piece);
        }

        #[test]
        fn no_frames_make_it_stumble(
            frames in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..140)), 0..12),
            piece in 1_usize..400,
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect();
            let (incoming, outgoing, _) = heard(&bytes, piece);
            prop_assert!(incoming.len() <= bytes.len() && outgoing.len() <= 3 * bytes.len() + 64);
        }

        #[test]
        fn packets_arrive_as_they_were_said(
            packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6),
            long in 65_000_usize..70_000,
        ) {
            let mut websocket = WebSocket::new(BytesMut::new());
            let mut outgoing = BytesMut::new();
            let all: Vec<Vec<u8>> = packets.into_iter().chain([vec![7; long]]).collect();
            for packet in &all {
                websocket.write(Bytes::from(packet.clone()), &mut outgoing).unwrap();
            }
            for packet in &all {
                let (first, _, payload) = unframe(&mut outgoing);
                prop_assert_eq!((first, &payload), (0x82, packet));
            }
            prop_assert!(outgoing.is_empty());
        }

        #[test]
        fn messages_arrive_however_they_are_parted(
            messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..6),
            piece in 1_usize..700,
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(0x82, message)).collect();
            let (incoming, _, end) = heard(&bytes, piece);
            prop_assert_eq!((incoming, end), (messages.concat(), Ok(())));
        }
    }
}
