//! Bytes that come in bursts at regular intervals, as a receiver sends them, read as a stream.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What the far end sends.
pub(super) trait Bursts: Send {
    /// The bytes of the next interval; nothing when it will never send again.
    fn next_burst(&mut self) -> Option<Vec<u8>>;

    /// The line is open for a reader. Bytes of a burst cut off before are lost, as on a wire.
    fn opened(&mut self) {}
}

/// The far end, which goes on when the line is closed and opened again.
pub(super) type SharedBursts = Arc<Mutex<dyn Bursts>>;

/// The near end of the line.
pub(super) struct BurstStream {
    bursts: SharedBursts,
    interval: Duration,
    next: Pin<Box<Sleep>>,
    pending: Vec<u8>,
    given: usize,
    silent: bool,
}

impl BurstStream {
    /// Opens the line: the first burst comes at once.
    pub(super) fn open(bursts: &SharedBursts, interval: Duration) -> Self {
        bursts.lock().unwrap_or_else(PoisonError::into_inner).opened();
        Self {
            bursts: Arc::clone(bursts),
            interval,
            next: Box::pin(sleep_until(Instant::now())),
            pending: Vec::new(),
            given: 0,
            silent: false,
        }
    }
}

impl AsyncRead for BurstStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.given == this.pending.len() {
            if this.silent {
                // Nothing will wake the reader: it has its own patience.
                return Poll::Pending;
            }
            ready!(this.next.as_mut().poll(cx));
            let due = this.next.deadline() + this.interval;
            // A reader that was away does not get all it missed at once.
            this.next.as_mut().reset(due.max(Instant::now()));
            let burst = this.bursts.lock().unwrap_or_else(PoisonError::into_inner).next_burst();
            this.silent = burst.is_none();
            this.pending = burst.unwrap_or_default();
            this.given = 0;
        }
        let length = out.remaining().min(this.pending.len() - this.given);
        out.put_slice(&this.pending[this.given..this.given + length]);
        this.given += length;
        Poll::Ready(Ok(()))
    }
}
