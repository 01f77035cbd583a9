//! MQTT packets over TLS, as they are or in a WebSocket. What is queued leaves, and what comes is read, whenever somebody waits for the next packet.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::link::codec::{Codec, Version};
use crate::link::error::{LinkError, io_error, queue_full};
use crate::link::packet::{Heard, LARGEST_PACKET, Said};
use crate::link::websocket::WebSocket;

/// While so much waits to leave, nothing more is taken in: each message that comes may cost an answer.
const MUCH: usize = 64 * 1024;
/// More than this is not kept for a server that takes nothing.
const TOO_MUCH: usize = 4 * LARGEST_PACKET;
/// Room for what is read at once, on the stack: a link on which nothing comes keeps none.
const READ: usize = 4 * 1024;

/// One TLS connection, and what waits on either side of it.
pub(super) struct Wire {
    stream: Box<TlsStream<TcpStream>>,
    websocket: Option<WebSocket>,
    codec: Codec,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// What left the queue may still be in a buffer of TLS.
    flushed: bool,
    /// Packets that came, until there are many.
    heard: u8,
}

impl Wire {
    pub(super) fn new(stream: TlsStream<TcpStream>, websocket: Option<WebSocket>, version: Version) -> Self {
        Self {
            // In a box: it is large, and a link is handed on and on.
            stream: Box::new(stream),
            websocket,
            codec: Codec::new(version),
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            flushed: true,
            heard: 0,
        }
    }

    /// Queues a packet. One that is too large is refused, and the connection stands.
    pub(super) fn queue(&mut self, packet: Said<'_>) -> Result<(), LinkError> {
        if self.outgoing.len() > TOO_MUCH {
            return Err(queue_full(self.outgoing.len()));
        }
        let Some(websocket) = &mut self.websocket else {
            return self.codec.write(packet, &mut self.outgoing);
        };
        let mut message = BytesMut::new();
        self.codec.write(packet, &mut message)?;
        websocket.write(message.freeze(), &mut self.outgoing)
    }

    /// Queues what is to be said behind the last packet, if anything is.
    pub(super) fn queue_end(&mut self) {
        if let Some(websocket) = &mut self.websocket {
            websocket.close(&mut self.outgoing);
        }
    }

    /// The next packet, while what is queued leaves. A message at `QoS` 1 is acknowledged. Cancel-safe.
    pub(super) async fn receive(&mut self) -> Result<Heard, LinkError> {
        let packet = poll_fn(|context| self.poll_receive(context)).await?;
        self.heard = self.heard.saturating_add(1);
        if let Heard::Message { id: Some(id), .. } = packet {
            self.queue(Said::Acknowledge(id))?;
        }
        Ok(packet)
    }

    /// Waits until everything queued has left.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_flush(context)).await
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Heard, LinkError>> {
        loop {
            let flushed = self.poll_flush(context);
            if let Poll::Ready(heard) = self.poll_heard(context, flushed.is_ready()) {
                return Poll::Ready(heard);
            }
            // Told last: what the server said before it closed says more than that it takes nothing any more.
            match flushed {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(&error))),
                // What has come asks for an answer below MQTT.
                Poll::Ready(Ok(())) if !self.outgoing.is_empty() => {}
                _ => return Poll::Pending,
            }
        }
    }

    fn poll_heard(&mut self, context: &mut Context<'_>, has_flushed: bool) -> Poll<Result<Heard, LinkError>> {
        while self.outgoing.len() <= MUCH || has_flushed {
            if let Some(read) = self.codec.read(&mut self.incoming).transpose() {
                return Poll::Ready(read);
            }
            let mut room = &mut self.incoming;
            if let Some(websocket) = &mut self.websocket {
                if websocket.read(room, &mut self.outgoing)? {
                    // Pings ask for answers, which leave before more is taken in.
                    if self.outgoing.len() > MUCH {
                        break;
                    }
                    continue;
                }
                room = &mut websocket.raw;
            }
            if room.is_empty() {
                // What held the packets before is given back, as nobody knows when there will be more.
                *room = BytesMut::new();
            }
            match poll_read(&mut self.stream, context, room) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(io_error(&io::ErrorKind::UnexpectedEof.into()).into()));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.broken(&error))),
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }

    /// A server that closes without having read what we said resets the connection: after CONNACK and nothing else, a
    /// reset means that it has closed.
    fn broken(&self, error: &io::Error) -> LinkError {
        match (self.heard, error.kind()) {
            (1, io::ErrorKind::ConnectionReset) => io_error(&io::ErrorKind::UnexpectedEof.into()).into(),
            _ => io_error(error).into(),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            self.flushed = false;
            if ready!(pin!(self.stream.write_buf(&mut self.outgoing)).poll(context))? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        self.outgoing = BytesMut::new();
        if !self.flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// Reads what has come to the end of `room`; tells how many bytes that was.
fn poll_read(
    stream: &mut TlsStream<TcpStream>,
    context: &mut Context<'_>,
    room: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    let mut chunk = [MaybeUninit::uninit(); READ];
    let mut read = ReadBuf::uninit(&mut chunk);
    ready!(Pin::new(stream).poll_read(context, &mut read))?;
    room.extend_from_slice(read.filled());
    Poll::Ready(Ok(read.filled().len()))
}
