//! The server's end of a WebSocket as a stream of bytes.
//!
//! Bytes come in binary messages, cut wherever the client likes; they leave in binary frames of at most [`CHUNK`]. Pings are
//! answered here. Everything is bounded: a frame and a message by [`MAX_MESSAGE`], what waits for a client that doesn't read by
//! [`BACKLOG`]. The closing handshake is part of `shutdown`.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
};
use tungstenite::{
    Error, Message,
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext, frame::coding::CloseCode},
};

use super::blocking::Blocking;

/// The largest frame and the largest message taken: more than the largest packet of MQTT here, and frame of AMQP.
pub(super) const MAX_MESSAGE: usize = 1024 * 1024;

/// The largest payload of a frame that is sent.
const CHUNK: usize = 32 * 1024;

/// What may wait for the client: a frame, and pongs.
const BACKLOG: usize = CHUNK + 16 * 1024;

/// Read at a time.
const READ_CHUNK: usize = 4 * 1024;

/// The server's end of a WebSocket whose upgrade is done.
///
/// Reading answers pings, and so writes: both halves belong in one task, or the wake-ups of one take the place of the other's.
pub(crate) struct WebSocketStream<S> {
    stream: S,
    context: WebSocketContext,
    /// Tells that the emulator shuts down, for the reason in the farewell.
    shutdown: watch::Receiver<bool>,
    /// What has not been read yet of the last message.
    message: Bytes,
    /// A frame waits for room in the stream.
    is_blocked: bool,
    farewell: Farewell,
}

/// How far the closing is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Farewell {
    None,
    /// A close frame is on its way, or stands in the buffer.
    Said,
    /// The client's own has come, or will not: the stream is what remains to be closed.
    Heard,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocketStream<S> {
    /// `begun`: bytes of the client that came with its request already.
    pub(crate) fn new(stream: S, begun: Vec<u8>, shutdown: watch::Receiver<bool>) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_CHUNK)
            .write_buffer_size(0)
            .max_write_buffer_size(BACKLOG)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        Self {
            stream,
            context: WebSocketContext::from_partially_read(begun, Role::Server, Some(config)),
            shutdown,
            message: Bytes::new(),
            is_blocked: false,
            farewell: Farewell::None,
        }
    }

    /// The next message that has bytes in it; `None` at the end.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            let read = self.context.read(&mut Blocking { stream: &mut self.stream, context });
            let (code, reason) = match read {
                Ok(Message::Binary(bytes)) if bytes.is_empty() => continue,
                Ok(Message::Binary(bytes)) => return Poll::Ready(Ok(Some(bytes))),
                Ok(Message::Text(_)) => (CloseCode::Unsupported, "a text frame: send binary ones".to_owned()),
                // Pings have been answered, and so has a close frame.
                Ok(_) => continue,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(Error::Io(error)) => return Poll::Ready(Err(error)),
                // With or without a close frame.
                Err(
                    Error::ConnectionClosed
                    | Error::AlreadyClosed
                    | Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake),
                ) => return Poll::Ready(Ok(None)),
                Err(error @ Error::Capacity(_)) => (CloseCode::Size, error.to_string()),
                Err(error @ Error::Utf8(_)) => (CloseCode::Invalid, error.to_string()),
                Err(error) => (CloseCode::Protocol, error.to_string()),
            };
            self.close(context, code, &reason);
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("WebSocket: {reason}"),
            )));
        }
    }

    /// Puts a close frame behind what is to be sent, once. It leaves with the next flush at the latest.
    fn close(&mut self, context: &mut Context<'_>, code: CloseCode, reason: &str) {
        if self.farewell != Farewell::None {
            return;
        }
        self.farewell = Farewell::Said;
        // A control frame has 125 bytes, two of them for the code.
        let reason: String = reason.chars().filter(char::is_ascii).take(123).collect();
        let frame = CloseFrame { code, reason: reason.into() };
        // Nothing is lost that `poll_shutdown` would not find out.
        let _ = self.context.close(&mut Blocking { stream: &mut self.stream, context }, Some(frame));
    }

    /// Hands all that is to be sent to the stream, and has it flushed.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.context.flush(&mut Blocking { stream: &mut self.stream, context });
        let result = match flushed {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(Error::Io(error)) => Err(error),
            // With the answer to the client's close frame all is sent.
            Ok(()) | Err(_) => Ok(()),
        };
        self.is_blocked = false;
        Poll::Ready(result)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.message.is_empty() {
            match ready!(this.poll_message(context))? {
                Some(message) => this.message = message,
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = this.message.len().min(buffer.remaining());
        buffer.put_slice(&this.message[..taken]);
        this.message.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if this.is_blocked {
                ready!(this.poll_drain(context))?;
            }
            let chunk = &bytes[..bytes.len().min(CHUNK)];
            let message = Message::Binary(Bytes::copy_from_slice(chunk));
            let written = this.context.write(&mut Blocking { stream: &mut this.stream, context }, message);
            match written {
                Ok(()) => return Poll::Ready(Ok(chunk.len())),
                // The frame has been taken, and waits.
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    this.is_blocked = true;
                    return Poll::Ready(Ok(chunk.len()));
                }
                // Pongs take up the room.
                Err(Error::WriteBufferFull(_)) => this.is_blocked = true,
                Err(Error::Io(error)) => return Poll::Ready(Err(error)),
                Err(error) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, error.to_string())));
                }
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(context)
    }

    /// Says goodbye, waits for the client to do so, and closes the stream.
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let is_shutdown = *this.shutdown.borrow();
        let (code, reason) =
            if is_shutdown { (CloseCode::Away, "the emulator shuts down") } else { (CloseCode::Normal, "") };
        this.close(context, code, reason);
        if this.farewell == Farewell::Said {
            ready!(this.poll_drain(context))?;
            loop {
                match this.context.read(&mut Blocking { stream: &mut this.stream, context }) {
                    // What was on its way when the farewell was said.
                    Ok(_rest) => {}
                    Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Poll::Pending;
                    }
                    Err(_end) => break,
                }
            }
            this.farewell = Farewell::Heard;
        }
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}
