//! One connection over a stream, from its first byte to its end.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Buf as _;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    sync::watch,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tracker_amqp::{Connection, ConnectionError, Error, Limits, LinkId, condition};

use super::{
    Guest, Reception, Visit,
    driver::{Driver, FRAME, OUTPUT_LIMIT},
};
use crate::{
    clock::Clock,
    events::{DisconnectReason, EventBus},
};

/// For sign-in and Open, and for a client that reads nothing to begin again.
const PATIENCE: Duration = Duration::from_secs(20);

/// For the last bytes and the closing of TLS.
const FAREWELL: Duration = Duration::from_millis(500);

/// How often it is looked whether tokens have expired.
const CHECKS: Duration = Duration::from_secs(1);

/// The shortest wait.
const TICK: Duration = Duration::from_millis(20);

/// When there is nothing to wait for.
const LONG: Duration = Duration::from_hours(1);

/// What every connection needs of the emulator.
pub(crate) struct House {
    pub clock: Arc<dyn Clock>,
    pub events: EventBus,
    pub shutdown: watch::Receiver<bool>,
}

/// Serves a client over any stream: TLS, or a WebSocket in it. Returns when the connection is over, at the latest half a
/// second after a shutdown.
pub(crate) async fn serve<S>(stream: S, visit: Visit, reception: impl Reception, house: House)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let House { clock, events, mut shutdown } = house;
    let limits = Limits {
        max_frame_size: FRAME,
        max_output: OUTPUT_LIMIT,
        max_links: 8192,
        handshake: PATIENCE,
        ..Limits::default()
    };
    let mechanisms = reception.mechanisms(&visit);
    let now = Instant::now();
    let connection = Connection::server(&mechanisms, limits, now.into_std());
    let guest = Guest::new(visit, clock);
    let mut driver = Driver::new(connection, guest, reception, events);
    let mut wire = Wire {
        stream,
        buffer: vec![0; 16 * 1024],
        is_flushed: true,
        links_first: true,
        written: now,
        checked: now,
        sleep: Box::pin(sleep_until(now + LONG)),
    };
    let reason = tokio::select! {
        // One that is there already would not be a change.
        _ = shutdown.wait_for(|is_over| *is_over) => {
            let error = Error::new(condition::CONNECTION_FORCED, "the emulator shuts down.");
            driver.close(DisconnectReason::Shutdown, Some(error));
            DisconnectReason::Shutdown
        }
        reason = wire.run(&mut driver) => reason,
    };
    if reason != DisconnectReason::Backlog {
        // Who doesn't take the last bytes goes without.
        let _ = timeout(FAREWELL, wire.finish(&mut driver)).await;
    }
    driver.end(&reason);
}

/// The stream, and the times that are kept on it.
struct Wire<S> {
    stream: S,
    buffer: Vec<u8>,
    is_flushed: bool,
    /// Whose turn it is, so that neither a client that sends nor one that is sent to starves.
    links_first: bool,
    /// When the client last took something, or there was nothing to take.
    written: Instant,
    checked: Instant,
    sleep: Pin<Box<Sleep>>,
}

/// What came next.
enum Step {
    /// So many bytes.
    Read(usize),
    /// The node of a link wants to be polled.
    Link(LinkId),
    /// There is room again for what waits.
    Room,
    Time,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn run<R: Reception>(&mut self, driver: &mut Driver<R>) -> DisconnectReason {
        loop {
            driver.take_events();
            if let Some(error) = driver.connection.failure().cloned() {
                return broken(driver, &error);
            }
            if let Some(reason) = driver.ended.take() {
                return reason;
            }
            if driver.connection.is_closed() {
                return DisconnectReason::Disconnect;
            }
            let deadline = self.deadline(driver);
            self.sleep.as_mut().reset(deadline);
            let step = match poll_fn(|context| self.poll(driver, context)).await {
                Ok(step) => step,
                Err(error) => return lost(driver, &error.to_string()),
            };
            let went_on = match step {
                Step::Read(0) => return lost(driver, "the client closed it without saying so"),
                Step::Read(count) => {
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    let now = Instant::now().into_std();
                    driver.wake_held_up();
                    driver.connection.pass_time(now).and_then(|()| driver.connection.input(bytes))
                }
                Step::Link(link) => {
                    driver.work(link);
                    Ok(())
                }
                Step::Room => Ok(()),
                Step::Time => {
                    let now = Instant::now();
                    if self.is_stalled(driver, now) {
                        if !driver.is_open() {
                            driver.refused("", "it does not read what is sent to it");
                        }
                        return DisconnectReason::Backlog;
                    }
                    if now >= self.checked + CHECKS {
                        self.checked = now;
                        driver.check();
                    }
                    driver.connection.pass_time(now.into_std())
                }
            };
            if let Err(error) = went_on {
                return broken(driver, &error);
            }
        }
    }

    fn deadline<R: Reception>(&self, driver: &mut Driver<R>) -> Instant {
        let now = Instant::now();
        let mut deadline = now + LONG;
        if let Some(time) = driver.connection.next_timeout() {
            // One that is over and nothing could be done about waits for the client to read.
            deadline = deadline.min(Instant::from_std(time).max(now + TICK));
        }
        if driver.can_expire() {
            deadline = deadline.min(self.checked + CHECKS);
        }
        if !driver.connection.output().is_empty() {
            deadline = deadline.min(self.written + PATIENCE);
        }
        deadline
    }

    fn is_stalled<R: Reception>(&self, driver: &mut Driver<R>, now: Instant) -> bool {
        !driver.connection.output().is_empty() && now >= self.written + PATIENCE
    }

    /// Writes what can be written, and gives what comes next.
    fn poll<R: Reception>(
        &mut self,
        driver: &mut Driver<R>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Step>> {
        let was_full = driver.connection.output().len() > OUTPUT_LIMIT;
        if let Poll::Ready(Err(error)) = self.poll_write(driver, context) {
            return Poll::Ready(Err(error));
        }
        driver.wake_stalled();
        if was_full && driver.connection.output().len() <= OUTPUT_LIMIT {
            return Poll::Ready(Ok(Step::Room));
        }
        self.links_first = !self.links_first;
        if driver.connection.output().len() <= OUTPUT_LIMIT {
            if self.links_first
                && let Some(link) = driver.next_ready(context)
            {
                return Poll::Ready(Ok(Step::Link(link)));
            }
            let mut buffer = ReadBuf::new(&mut self.buffer);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) => return Poll::Ready(Ok(Step::Read(buffer.filled().len()))),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
            if let Some(link) = driver.next_ready(context) {
                return Poll::Ready(Ok(Step::Link(link)));
            }
        }
        ready!(self.sleep.as_mut().poll(context));
        Poll::Ready(Ok(Step::Time))
    }

    fn poll_write<R: Reception>(
        &mut self,
        driver: &mut Driver<R>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // What waits in the connection moves up as soon as there is room: it is all written only when none has come after.
        loop {
            let output = driver.connection.output();
            if output.is_empty() {
                if self.is_flushed {
                    self.written = Instant::now();
                    return Poll::Ready(Ok(()));
                }
                ready!(Pin::new(&mut self.stream).poll_flush(context))?;
                self.is_flushed = true;
                continue;
            }
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, output))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            output.advance(count);
            self.is_flushed = false;
            self.written = Instant::now();
        }
    }

    /// Writes what is left, and closes.
    async fn finish<R: Reception>(&mut self, driver: &mut Driver<R>) -> io::Result<()> {
        let output = driver.connection.output().split();
        self.stream.write_all(&output).await?;
        self.stream.flush().await?;
        self.stream.shutdown().await
    }
}

/// The stream has ended.
fn lost<R: Reception>(driver: &Driver<R>, why: &str) -> DisconnectReason {
    if !driver.is_open() {
        driver.refused("", &format!("before Open: {why}"));
    }
    DisconnectReason::ConnectionLost(why.to_owned())
}

/// The client broke the protocol, or was silent for too long.
fn broken<R: Reception>(driver: &Driver<R>, error: &ConnectionError) -> DisconnectReason {
    // A sign-in that was refused has been told of.
    if !driver.is_open() && !matches!(error, ConnectionError::SignIn(_)) {
        driver.refused("", &error.to_string());
    }
    match error {
        ConnectionError::Silent(_) => DisconnectReason::KeepAliveTimeout,
        ConnectionError::Closed => DisconnectReason::Disconnect,
        _ => DisconnectReason::ProtocolViolation(error.to_string()),
    }
}
