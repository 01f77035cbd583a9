//! One connection as a stream of packets, with everything about it bounded: the buffers, the size of a packet, the
//! silence allowed, and the time a client may leave its answers unread.

use std::{future::poll_fn, io, mem::MaybeUninit, pin::Pin, task::ready, time::Duration};

use bytes::{Buf as _, BytesMut};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, ReadHalf, WriteHalf},
    time::{Instant, sleep_until},
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
const READ_CHUNK: usize = 4 * 1024;

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
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
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
}

impl<S: AsyncRead + AsyncWrite> Link<S> {
    /// `name` stands for the connection in the log of exchanges.
    pub(crate) fn new(name: String, stream: S, packet_limit: usize) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let now = Instant::now();
        Self {
            name,
            reader,
            writer,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            unflushed: false,
            last_written: now,
            packet_limit,
            version: Version::Three,
            silence: None,
            last_packet: now,
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

    /// Queues a packet; it leaves while [`Self::next`] or [`Self::flush`] runs.
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
            if self.outbox.len() < OUTBOX_HIGH_WATER
                && let Some(packet) = decode(&mut self.inbox, self.packet_limit, self.version)?
            {
                trace!(target: "tracker_emulator::wire", connection = %self.name, "<- {packet}");
                self.last_packet = Instant::now();
                if matches!(&packet, Packet::Connect(connect) if connect.options.is_some()) {
                    self.version = Version::Five;
                }
                return Ok(packet);
            }
            if self.inbox.is_empty() {
                // What held the packets before is given back, as nobody knows when there will be more.
                self.inbox = BytesMut::new();
            }
            let silent = self.silence.map(|silence| self.last_packet + silence);
            let stalls = self.last_written + WRITE_STALL;
            let readable = self.outbox.len() < OUTBOX_HIGH_WATER;
            tokio::select! {
                read = read_some(&mut self.reader, &mut self.inbox), if readable => {
                    if read? == 0 {
                        return Err(if self.inbox.is_empty() { LinkError::Closed } else { LinkError::ClosedInPacket });
                    }
                }
                written = write_some(&mut self.writer, &mut self.outbox, &mut self.last_written), if self.unflushed => {
                    written?;
                    self.unflushed = !self.outbox.is_empty();
                }
                () = sleep_until(stalls), if self.unflushed => self.check_stall()?,
                () = sleep_until(silent.unwrap_or_else(Instant::now)), if silent.is_some() => {
                    return Err(LinkError::KeepAlive(self.silence.unwrap_or_default()));
                }
            }
        }
    }

    /// Writes all that is queued.
    pub(crate) async fn flush(&mut self) -> Result<(), LinkError> {
        while self.unflushed {
            let stalls = self.last_written + WRITE_STALL;
            tokio::select! {
                written = write_some(&mut self.writer, &mut self.outbox, &mut self.last_written) => {
                    written?;
                    self.unflushed = !self.outbox.is_empty();
                }
                () = sleep_until(stalls) => self.check_stall()?,
            }
        }
        Ok(())
    }

    /// The stall timer was set before the last write began, which may have got somewhere since.
    fn check_stall(&self) -> Result<(), LinkError> {
        if self.last_written + WRITE_STALL <= Instant::now() {
            return Err(LinkError::Stalled);
        }
        Ok(())
    }

    /// Ends the connection: what is queued is sent, then the stream is closed, all within `patience`.
    pub(crate) async fn close(mut self, patience: Duration) {
        let farewell = async {
            if self.flush().await.is_ok() {
                // The other side may be gone already; there is nobody to tell.
                let _ = self.writer.shutdown().await;
            }
        };
        let _ = tokio::time::timeout(patience, farewell).await;
    }
}

/// Reads what has come to the end of the inbox; tells how many bytes that was. The future can be dropped at any time.
async fn read_some<R: AsyncRead + Unpin>(reader: &mut R, inbox: &mut BytesMut) -> io::Result<usize> {
    poll_fn(|context| {
        let mut room = [MaybeUninit::uninit(); READ_CHUNK];
        let mut read = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut *reader).poll_read(context, &mut read))?;
        inbox.extend_from_slice(read.filled());
        Ok(read.filled().len()).into()
    })
    .await
}

/// Writes from the outbox until it is empty and flushed. `outbox` loses exactly what the stream took, so the future
/// can be dropped at any time.
async fn write_some<W: AsyncWrite + Unpin>(
    writer: &mut W,
    outbox: &mut BytesMut,
    last_written: &mut Instant,
) -> io::Result<()> {
    while outbox.has_remaining() {
        if writer.write_buf(outbox).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        *last_written = Instant::now();
    }
    // Answers come in bursts; between them it takes nothing.
    *outbox = BytesMut::new();
    writer.flush().await?;
    *last_written = Instant::now();
    Ok(())
}
