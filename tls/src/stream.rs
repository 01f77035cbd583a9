//! A stream of bytes through TLS.

use std::{
    future::poll_fn,
    io,
    mem::{self, MaybeUninit},
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustls::CommonState;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::session::{RECORD, Session, Turned, Wish, broken, turn};

/// Read at a time, onto the stack.
const READ: usize = RECORD;

/// More than a record, and than any handshake of people who mean well, has no place in a stream that makes no progress.
const MOST_UNFINISHED: usize = 80 * 1024;

/// Bytes that may wait to leave before no more are taken.
const MOST_WAITING: usize = 2 * RECORD;

/// A connection over TLS. Reading and writing take what is needed from the heap and give it back.
pub struct TlsStream<IO, S> {
    io: IO,
    session: S,
    /// Records of which a part has come.
    incoming: Vec<u8>,
    /// What was heard and not read yet, from here on.
    heard: Vec<u8>,
    read: usize,
    /// What has not left yet, from here on.
    outgoing: Vec<u8>,
    sent: usize,
    /// The other side has said goodbye: nothing comes any more.
    has_ended: bool,
    has_said_goodbye: bool,
    /// The session is not to be turned any more.
    has_failed: bool,
}

impl<IO, S: Session> TlsStream<IO, S> {
    /// `begun`: what has come already.
    pub(crate) fn new(io: IO, session: S, begun: Vec<u8>) -> Self {
        Self {
            io,
            session,
            incoming: begun,
            heard: Vec::new(),
            read: 0,
            outgoing: Vec::new(),
            sent: 0,
            has_ended: false,
            has_said_goodbye: false,
            has_failed: false,
        }
    }

    /// What was agreed upon, and what the other side has shown.
    pub fn state(&self) -> &CommonState {
        self.session.state()
    }

    /// The stream below.
    pub fn get_ref(&self) -> &IO {
        &self.io
    }

    /// Turns the session with what has come in part, and perhaps something to say.
    fn turn(&mut self, wish: &Wish<'_>) -> io::Result<bool> {
        if self.has_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let Self { session, incoming, outgoing, heard, has_failed, .. } = self;
        let turned = turn(session, incoming, outgoing, wish, |bytes| heard.extend_from_slice(bytes));
        *has_failed = turned.is_err();
        let Turned { taken, has_ended, is_granted } = turned.map_err(broken)?;
        self.has_ended |= has_ended;
        forget(&mut self.incoming, taken);
        Ok(is_granted)
    }

    /// Turns the session with bytes that have just come. What is heard goes to the reader, as far as that has room.
    fn take_in(&mut self, came: &mut [u8], reader: &mut ReadBuf<'_>) -> io::Result<()> {
        if self.has_failed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let Self { session, incoming, outgoing, heard, has_failed, .. } = self;
        let hear = |bytes: &[u8]| {
            let room = if heard.is_empty() { reader.remaining().min(bytes.len()) } else { 0 };
            let (now, later) = bytes.split_at(room);
            reader.put_slice(now);
            heard.extend_from_slice(later);
        };
        let is_fresh = incoming.is_empty();
        if !is_fresh {
            incoming.extend_from_slice(came);
        }
        let records = if is_fresh { &mut *came } else { &mut incoming[..] };
        let turned = turn(session, records, outgoing, &Wish::Nothing, hear);
        *has_failed = turned.is_err();
        let Turned { taken, has_ended, .. } = turned.map_err(broken)?;
        self.has_ended |= has_ended;
        if is_fresh {
            incoming.extend_from_slice(&came[taken..]);
        } else {
            forget(incoming, taken);
        }
        if self.incoming.len() > MOST_UNFINISHED {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a TLS message of more than 64 KB"));
        }
        Ok(())
    }
}

/// Drops what is done with; the last of it gives the memory back.
fn forget(incoming: &mut Vec<u8>, taken: usize) {
    if taken == incoming.len() {
        *incoming = Vec::new();
    } else {
        incoming.drain(..taken);
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Session> TlsStream<IO, S> {
    /// Makes the handshake.
    pub(crate) async fn shake_hands(&mut self) -> io::Result<()> {
        let shaken = poll_fn(|context| self.poll_handshake(context)).await;
        if shaken.is_err() {
            // Why, as far as the other side still listens.
            poll_fn(|context| {
                let _ = self.poll_send(context);
                Poll::Ready(())
            })
            .await;
        }
        shaken
    }

    fn poll_handshake(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The client speaks first, and a server may have heard all of it already.
        self.turn(&Wish::Nothing)?;
        loop {
            if !self.state().is_handshaking() {
                // The last of it leaves with what is said first, or when there is nothing to read.
                return Poll::Ready(Ok(()));
            }
            // Both sides may speak at once: who waits for room goes on to listen.
            let _ = self.poll_send(context)?;
            if self.has_ended || ready!(self.poll_more(context, &mut ReadBuf::new(&mut [])))? == 0 {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "tls handshake eof")));
            }
        }
    }

    /// Takes in what comes next; tells how many bytes of the stream that were.
    fn poll_more(&mut self, context: &mut Context<'_>, reader: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); READ];
        let mut came = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut came))?;
        let came = came.filled_mut();
        if !came.is_empty() {
            self.take_in(came, reader)?;
        }
        Poll::Ready(Ok(came.len()))
    }

    /// Hands what waits to the stream below.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.outgoing.len() {
            let sent = ready!(Pin::new(&mut self.io).poll_write(context, &self.outgoing[self.sent..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
        }
        self.sent = 0;
        self.outgoing = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Session> AsyncRead for TlsStream<IO, S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        reader: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read < this.heard.len() {
            let left = &this.heard[this.read..];
            let taken = left.len().min(reader.remaining());
            reader.put_slice(&left[..taken]);
            this.read += taken;
            if this.read == this.heard.len() {
                this.read = 0;
                this.heard = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        let before = reader.filled().len();
        while !this.has_ended && reader.filled().len() == before {
            let more = this.poll_more(context, reader);
            if !this.outgoing.is_empty() && !matches!(more, Poll::Ready(Ok(1..))) {
                // What the session has to say by itself leaves with an answer to what has come, or now that nothing has; if there
                // is no room, at the next occasion.
                let _ = this.poll_send(context);
            }
            if ready!(more)? == 0 {
                let why = "peer closed connection without sending TLS close_notify";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin, S: Session> AsyncWrite for TlsStream<IO, S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.outgoing.len() - this.sent >= MOST_WAITING {
            ready!(this.poll_send(context))?;
        }
        let bytes = &bytes[..bytes.len().min(RECORD)];
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.has_said_goodbye || !this.turn(&Wish::Say(bytes))? {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        // The rest leaves with the next write, or a flush.
        if let Poll::Ready(Err(error)) = this.poll_send(context) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(context))?;
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !mem::replace(&mut this.has_said_goodbye, true) {
            // A session that has failed has said so, and says nothing more.
            let _ = this.turn(&Wish::SayGoodbye);
        }
        ready!(this.poll_send(context))?;
        Pin::new(&mut this.io).poll_shutdown(context)
    }
}
