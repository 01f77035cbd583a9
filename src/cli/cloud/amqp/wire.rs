//! One AMQP connection: TLS, and the engine over it, by calls that wait.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf as _;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tracker_amqp::{
    Attach, Connection, ConnectionError, Error, Event, Limits, LinkId, Open, Role, SaslClient, SessionId,
};

use super::AmqpError;
use crate::cli::cloud::dial::dial;

/// For TCP, TLS, and each answer that is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long the far end may say nothing: half of what it is given to be missed.
const IDLE_MS: u32 = 60_000;

/// The way to a service.
pub(super) struct Route {
    /// Whom to call.
    pub dial: String,
    pub port: u16,
    /// Who is meant.
    pub host_name: String,
}

/// One connection, open, with one session.
pub(super) struct Wire {
    host: String,
    port: u16,
    stream: StreamOwned<ClientConnection, TcpStream>,
    engine: Connection,
    session: Option<SessionId>,
    /// What has happened while something else was waited for.
    aside: VecDeque<Event>,
    links: u32,
}

impl Wire {
    /// Connects, signs in and begins a session.
    pub(super) fn open(route: &Route, tls: &Arc<ClientConfig>, sasl: SaslClient) -> Result<Self, AmqpError> {
        let away = |why: String| AmqpError::Away { host: route.dial.clone(), port: route.port, why };
        let stream = dial(&route.dial, route.port, PATIENCE).map_err(away)?;
        let name =
            ServerName::try_from(route.dial.clone()).map_err(|_| away("that is no host name".into()))?;
        let connection = ClientConnection::new(tls.clone(), name).map_err(|error| away(error.to_string()))?;
        let open = Open {
            hostname: Some(route.host_name.clone()),
            idle_time_out: Some(IDLE_MS),
            ..Open::new(container())
        };
        let engine = Connection::client(open, Some(sasl), Limits::default(), Instant::now());
        let stream = StreamOwned::new(connection, stream);
        let (host, port) = (route.host_name.clone(), route.port);
        let mut wire = Self { host, port, stream, engine, session: None, aside: VecDeque::new(), links: 0 };
        wire.wait("the opening of a connection", |event| matches!(event, Event::Opened(_)))?;
        wire.session = Some(wire.engine.begin().map_err(|source| wire.broken(source))?);
        Ok(wire)
    }

    /// Who is called.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Asks for a link, and waits until it is there.
    pub(super) fn attach(&mut self, attach: Attach) -> Result<LinkId, AmqpError> {
        let role = attach.role;
        let session = self.session.ok_or_else(|| self.broken(ConnectionError::NotOpen))?;
        let link = self.engine.attach(session, attach).map_err(|source| self.broken(source))?;
        let answer = self.wait("an attach", |event| match event {
            Event::AttachAnswered { link: of, .. } | Event::Detached { link: of, .. } => *of == link,
            _ => false,
        })?;
        // An answer without the far end says no; the reason follows.
        let answer = match answer {
            Event::AttachAnswered { attach, .. } if lacks_far_end(&attach, role) => self.wait(
                "a refused attach",
                |event| matches!(event, Event::Detached { link: of, .. } if *of == link),
            )?,
            other => other,
        };
        match answer {
            Event::Detached { error, .. } => Err(self.refused(error)),
            _ => Ok(link),
        }
    }

    /// A name for a link that no other of this connection has.
    pub(super) fn name(&mut self, what: &str) -> String {
        self.links += 1;
        format!("{what}-{}-{}", std::process::id(), self.links)
    }

    /// The engine, for what waits for nothing.
    pub(super) fn engine(&mut self) -> &mut Connection {
        &mut self.engine
    }

    /// Waits for something, and puts aside what happens meanwhile.
    pub(super) fn wait(
        &mut self,
        what: &'static str,
        is_it: impl Fn(&Event) -> bool,
    ) -> Result<Event, AmqpError> {
        let until = Instant::now() + PATIENCE;
        if let Some(index) = self.aside.iter().position(&is_it)
            && let Some(event) = self.aside.remove(index)
        {
            return Ok(event);
        }
        loop {
            match self.read(until)? {
                Some(event) if is_it(&event) => return Ok(event),
                Some(event) => self.aside.push_back(event),
                None => return Err(AmqpError::Silent { host: self.host.clone(), what }),
            }
        }
    }

    /// The next thing that happens; `None` if nothing has until then.
    pub(super) fn next(&mut self, until: Instant) -> Result<Option<Event>, AmqpError> {
        match self.aside.pop_front() {
            Some(event) => Ok(Some(event)),
            None => self.read(until),
        }
    }

    fn read(&mut self, until: Instant) -> Result<Option<Event>, AmqpError> {
        let mut buffer = [0u8; 16 * 1024];
        loop {
            if let Some(event) = self.engine.poll_event() {
                if let Event::Closed(error) = event {
                    let failure = self.engine.failure().cloned();
                    return Err(match (failure, error) {
                        (Some(failure), _) => self.broken(failure),
                        (None, Some(error)) => self.refused(Some(error)),
                        (None, None) => self.broken(ConnectionError::Closed),
                    });
                }
                return Ok(Some(event));
            }
            self.flush()?;
            let now = Instant::now();
            if now >= until {
                return Ok(None);
            }
            let wake = self.engine.next_timeout().map_or(until, |due| due.min(until));
            let wait = wake.saturating_duration_since(now).max(Duration::from_millis(1));
            self.stream.sock.set_read_timeout(Some(wait)).map_err(|error| self.away(&error))?;
            let came = match self.stream.read(&mut buffer) {
                Ok(0) => return Err(self.broken(ConnectionError::Closed)),
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => return Err(self.away(&error)),
            };
            let passed = self.engine.pass_time(Instant::now());
            let taken = passed.and_then(|()| match buffer.get(..came) {
                Some(bytes) if came > 0 => self.engine.input(bytes),
                _ => Ok(()),
            });
            if let Err(source) = taken {
                // What it has to say about that goes out if it can.
                let _ = self.flush();
                return Err(self.broken(source));
            }
        }
    }

    /// Writes what the engine has to say.
    pub(super) fn flush(&mut self) -> Result<(), AmqpError> {
        while !self.engine.output().is_empty() {
            let written = self.stream.write(self.engine.output());
            match written {
                Ok(0) => return Err(self.broken(ConnectionError::Closed)),
                Ok(count) => self.engine.output().advance(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.away(&error)),
            }
        }
        self.stream.flush().map_err(|error| self.away(&error))
    }

    /// The service has said no.
    pub(super) fn refused(&self, error: Option<Error>) -> AmqpError {
        let error = error.unwrap_or_else(|| Error::new("amqp:link:detach-forced", "it gave no reason"));
        AmqpError::Refused { host: self.host.clone(), error }
    }

    pub(super) fn broken(&self, source: ConnectionError) -> AmqpError {
        AmqpError::Broken { host: self.host.clone(), source }
    }

    fn away(&self, error: &std::io::Error) -> AmqpError {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::InvalidCertificate(why)) = inner {
            return AmqpError::Untrusted { host: self.host.clone(), why: format!("{why:?}") };
        }
        AmqpError::Away { host: self.host.clone(), port: self.port, why: error.to_string() }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.engine.close(None);
        // A goodbye that does not arrive changes nothing.
        let _ = self.flush();
        self.stream.conn.send_close_notify();
        let _ = self.stream.flush();
    }
}

fn lacks_far_end(answer: &Attach, ours: Role) -> bool {
    if ours == Role::Receiver { answer.source.is_none() } else { answer.target.is_none() }
}

/// A name of this program among the clients of a service.
fn container() -> String {
    format!("container-tracker-{:016x}", rand::random::<u64>())
}
