//! One connection as a stream of packets, with everything about it bounded: the buffers, the size of a packet, the
//! silence allowed, and the time a client may leave its answers unread.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, BytesMut};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use tracing::trace;

use super::{
    decode::{Version, decode},
    encode::encode,
    fields::DecodeError,
    packet::Packet,
};

/// Answers waiting to be read by the client beyond which its packets are no longer read: it can't make the
/// emulator hold more than this and one packet.
const OUTBOX_HIGH_WATER: usize = 512 * 1024;

/// How long a client may leave bytes unread before it counts as gone.
const WRITE_STALL: Duration = Duration::from_mins(1);

/// Room for each read, which is on the stack: a client that says nothing keeps none.
const READ_CHUNK: usize = 16 * 1024;

/// Why no further packet comes from a connection.
#[derive(Debug, Error)]
pub(crate) enum LinkError {
    #[error("the client closed the connection")]
    Closed,
    #[error("the client closed the connection in the middle of a packet")]
    ClosedInPacket,
    #[error("no packet for {0:?}: one and a half times the keep-alive has passed")]
    KeepAlive(Duration),
    #[error("the client has not read what was sent to it for {WRITE_STALL:?}")]
    Stalled,
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

/// A connection on which packets are read and written.
pub(crate) struct Link<S> {
    name: String,
    stream: S,
    inbox: BytesMut,
    outbox: BytesMut,
    /// The stream may still hold bytes that the outbox gave to it.
    unflushed: bool,
    last_written: Instant,
    packet_limit: usize,
    /// As CONNECT has said.
    version: Version,
    silence: Option<Duration>,
    last_packet: Instant,
    /// Rings when the silence or the patience with a client that does not read may be over, never later than that. It is set
    /// anew when it rings, and not with every packet.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// `name` stands for the connection in the log of exchanges.
    pub(crate) fn new(name: String, stream: S, packet_limit: usize) -> Self {
        let now = Instant::now();
        Self {
            name,
            stream,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            unflushed: false,
            last_written: now,
            packet_limit,
            version: Version::Three,
            silence: None,
            last_packet: now,
            alarm: None,
        }
    }

    /// Sets what CONNECT has settled: the largest packet in bytes, and the silence after which the client is gone.
    pub(crate) fn set_limits(&mut self, packet_limit: usize, silence: Option<Duration>) {
        self.packet_limit = packet_limit;
        self.silence = silence;
        self.last_packet = Instant::now();
    }

    /// Bytes queued and not yet handed to the stream.
    pub(crate) fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// Queues a packet; it leaves while [`Self::next`] runs.
    pub(crate) fn queue(&mut self, packet: &Packet) {
        trace!(target: "tracker_emulator::wire", connection = %self.name, "-> {packet}");
        if !self.unflushed {
            self.last_written = Instant::now();
        }
        if let Err(error) = encode(packet, &mut self.outbox) {
            // Only a topic of more than 65 535 bytes gets here, and those are built from bounded names.
            tracing::error!(connection = %self.name, %error, "an answer was not sent");
        }
        self.unflushed = true;
    }

    /// The next packet; queued packets are written meanwhile. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Packet, LinkError> {
        loop {
            if let Some(packet) = self.at_hand()? {
                return Ok(packet);
            }
            if self.inbox.is_empty() {
                // What held the packets before is given back, as nobody knows when there will be more.
                self.inbox = BytesMut::new();
            }
            poll_fn(|context| self.poll_progress(context)).await?;
        }
    }

    /// The next packet, if it has come already and there is room for an answer.
    pub(crate) fn at_hand(&mut self) -> Result<Option<Packet>, LinkError> {
        if !self.has_room() {
            return Ok(None);
        }
        let packet = decode(&mut self.inbox, self.packet_limit, self.version)?;
        if let Some(packet) = &packet {
            trace!(target: "tracker_emulator::wire", connection = %self.name, "<- {packet}");
            self.last_packet = Instant::now();
            if matches!(packet, Packet::Connect(connect) if connect.options.is_some()) {
                self.version = Version::Five;
            }
        }
        Ok(packet)
    }

    fn has_room(&self) -> bool {
        self.outbox.len() < OUTBOX_HIGH_WATER
    }

    /// Writes what is queued, and waits until something has come, or there is room for answers again.
    fn poll_progress(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        let had_room = self.has_room();
        if let Poll::Ready(written) = self.poll_write(context) {
            written?;
        }
        if self.has_room() {
            if !had_room {
                return Poll::Ready(Ok(()));
            }
            if let Poll::Ready(read) = self.poll_read(context) {
                return Poll::Ready(match read? {
                    0 if self.inbox.is_empty() => Err(LinkError::Closed),
                    0 => Err(LinkError::ClosedInPacket),
                    _ => Ok(()),
                });
            }
        }
        self.poll_alarm(context)
    }

    /// Reads what has come to the end of the inbox; tells how many bytes that was.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); READ_CHUNK];
        let mut read = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        self.inbox.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Writes the outbox and flushes; it loses exactly what the stream takes.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unflushed {
            return Poll::Ready(Ok(()));
        }
        while self.outbox.has_remaining() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &self.outbox))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbox.advance(written);
            self.last_written = Instant::now();
        }
        // Answers come in bursts; between them it takes nothing.
        self.outbox = BytesMut::new();
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.last_written = Instant::now();
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// Ends when the client has been silent, or has left its answers unread, for too long.
    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        loop {
            let silent = self.silence.map(|silence| self.last_packet + silence);
            let stalls = self.unflushed.then(|| self.last_written + WRITE_STALL);
            let Some(due) = silent.into_iter().chain(stalls).min() else { return Poll::Pending };
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if alarm.deadline() > due {
                alarm.as_mut().reset(due);
            }
            ready!(alarm.as_mut().poll(context));
            let now = Instant::now();
            if stalls.is_some_and(|end| end <= now) {
                return Poll::Ready(Err(LinkError::Stalled));
            }
            if silent.is_some_and(|end| end <= now) {
                return Poll::Ready(Err(LinkError::KeepAlive(self.silence.unwrap_or_default())));
            }
            alarm.as_mut().reset(due);
        }
    }

    /// Ends the connection: what is queued is sent, then the stream is closed, all within `patience`.
    pub(crate) async fn close(&mut self, patience: Duration) {
        let farewell = async {
            if poll_fn(|context| self.poll_write(context)).await.is_ok() {
                // The other side may be gone already; there is nobody to tell.
                let _ = self.stream.shutdown().await;
            }
        };
        let _ = tokio::time::timeout(patience, farewell).await;
    }
}
