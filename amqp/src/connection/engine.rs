//! The state of a connection, and its way from the first byte to the last.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::event::Event;
use super::limits::{Limits, SaslClient};
use super::link::Link;
use super::names::{ConnectionError, LinkId, SessionId};
use super::session::Session;
use crate::error::{Error, condition};
use crate::frame::{self, AMQP_HEADER, MIN_MAX_FRAME_SIZE, SASL_HEADER};
use crate::performative::{Open, Performative};

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Server: nothing has come.
    FirstHeader,
    /// Client: we want to sign in, and wait for the server's header.
    SaslHeader,
    /// Client: which ways are there to sign in?
    SaslMechanisms,
    /// Client: are we let in?
    SaslOutcome,
    /// Server: how does the client sign in?
    SaslInit,
    /// Server: the caller thinks about it.
    SaslDecide,
    /// Server: the client was asked something.
    SaslResponse,
    /// The header of AMQP itself is next.
    Header,
    /// Open is next.
    Open,
    /// Server: the client has opened, and the caller thinks about it.
    Answer,
    Running,
    /// We have said Close, and wait for the peer's.
    Closing,
    Closed,
}

/// A connection of either side.
#[derive(Debug)]
pub struct Connection {
    pub(super) server: bool,
    pub(super) limits: Limits,
    pub(super) mechanisms: Vec<String>,
    pub(super) sasl: Option<SaslClient>,
    pub(super) stage: Stage,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    pub(super) events: VecDeque<Event>,
    /// What we say in Open, or have said.
    pub(super) local: Option<Open>,
    pub(super) remote: Option<Open>,
    /// Of frames that we write.
    pub(super) max_frame_out: usize,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) channels: BTreeMap<u16, SessionId>,
    pub(super) links: BTreeMap<LinkId, Link>,
    pub(super) next_session: u32,
    pub(super) next_link: u32,
    pub(super) failed: Option<ConnectionError>,
    pub(super) now: Instant,
    pub(super) begun: Instant,
    pub(super) last_heard: Instant,
    pub(super) last_said: Instant,
}

impl Connection {
    /// The side that was called. `mechanisms` are offered to a client that wants to sign in; one that does not may go without.
    pub fn server(mechanisms: &[&str], limits: Limits, now: Instant) -> Self {
        let mechanisms = mechanisms.iter().map(|&name| name.to_owned()).collect();
        Self::new(true, limits, now, mechanisms)
    }

    /// The side that calls. What it says first stands in `output` already; without `sasl` it says Open at once.
    pub fn client(open: Open, sasl: Option<SaslClient>, limits: Limits, now: Instant) -> Self {
        let mut connection = Self::new(false, limits, now, Vec::new());
        connection.local = Some(open);
        if sasl.is_some() {
            connection.output.extend_from_slice(&SASL_HEADER);
            connection.stage = Stage::SaslHeader;
            connection.sasl = sasl;
        } else {
            connection.say_header_and_open();
        }
        connection
    }

    fn new(server: bool, limits: Limits, now: Instant, mechanisms: Vec<String>) -> Self {
        Self {
            server,
            limits,
            mechanisms,
            sasl: None,
            stage: Stage::FirstHeader,
            input: BytesMut::new(),
            output: BytesMut::new(),
            events: VecDeque::new(),
            local: None,
            remote: None,
            max_frame_out: MIN_MAX_FRAME_SIZE as usize,
            sessions: BTreeMap::new(),
            channels: BTreeMap::new(),
            links: BTreeMap::new(),
            next_session: 0,
            next_link: 0,
            failed: None,
            now,
            begun: now,
            last_heard: now,
            last_said: now,
        }
    }

    /// Bytes that have come, cut anywhere. After an error write what stands in `output`, and hang up. They are read up to the next
    /// event; what follows is read when that was polled, and `failure` tells what is wrong there.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        if self.stage == Stage::Closed {
            return Err(self.failed.clone().unwrap_or(ConnectionError::Closed));
        }
        self.last_heard = self.now;
        self.input.extend_from_slice(bytes);
        while self.events.is_empty() && self.step() {}
        if self.input.len() > self.max_input() {
            let what = "more was sent than is read at the moment";
            self.fail(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, what));
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Whether more bytes are of use now. While they are not, the peer is to wait.
    pub fn wants_input(&self) -> bool {
        let waits = matches!(self.stage, Stage::SaslDecide | Stage::Answer | Stage::Closed);
        !waits
            && self.output.len() <= self.limits.max_output
            && self.input.len() <= self.limits.max_frame_size as usize
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.step() {
                return None;
            }
        }
    }

    /// What is to be written. The caller takes from it what it has written.
    pub fn output(&mut self) -> &mut BytesMut {
        if self.output.len() <= self.limits.max_output {
            self.flush();
        }
        &mut self.output
    }

    /// Nothing more comes or goes; what stands in `output` is the last.
    pub fn is_closed(&self) -> bool {
        self.stage == Stage::Closed
    }

    /// Why it has failed, if it has: what was wrong here or came that should not, and not a Close of the peer's.
    pub fn failure(&self) -> Option<&ConnectionError> {
        self.failed.as_ref()
    }

    /// What the peer has said in its Open.
    pub fn peer(&self) -> Option<&Open> {
        self.remote.as_ref()
    }

    /// When `pass_time` is to be called at the latest.
    pub fn next_timeout(&self) -> Option<Instant> {
        let mut next = match self.stage {
            Stage::Closed => return None,
            Stage::Running => None,
            _ => Some(self.begun + self.limits.handshake),
        };
        if self.stage == Stage::Running {
            for at in [self.silence_ends(), self.beat_due()].into_iter().flatten() {
                next = Some(next.map_or(at, |next: Instant| next.min(at)));
            }
        }
        next
    }

    /// Says what time it is: whenever `next_timeout` has come, and before `input`.
    pub fn pass_time(&mut self, now: Instant) -> Result<(), ConnectionError> {
        self.now = self.now.max(now);
        match self.stage {
            Stage::Closed => {}
            Stage::Running => {
                if self.silence_ends().is_some_and(|at| at <= self.now) {
                    self.give_up(self.now.duration_since(self.last_heard));
                } else if self.output.is_empty() && self.beat_due().is_some_and(|at| at <= self.now) {
                    frame::empty(&mut self.output);
                    self.last_said = self.now;
                }
            }
            Stage::Closing if self.begun + self.limits.handshake <= self.now => {
                self.stage = Stage::Closed;
                self.events.push_back(Event::Closed(None));
            }
            _ if self.begun + self.limits.handshake <= self.now => self.give_up(self.limits.handshake),
            _ => {}
        }
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// When the peer has been silent for too long: twice what we have told it, as the standard wants.
    fn silence_ends(&self) -> Option<Instant> {
        let idle = self.local.as_ref()?.idle_time_out.filter(|idle| *idle > 0)?;
        Some(self.last_heard + Duration::from_millis(u64::from(idle) * 2))
    }

    /// When we owe the peer a frame.
    fn beat_due(&self) -> Option<Instant> {
        let idle = self.remote.as_ref()?.idle_time_out.filter(|idle| *idle > 0)?;
        Some(self.last_said + Duration::from_millis((u64::from(idle) / 2).max(MIN_BEAT)))
    }

    fn give_up(&mut self, silent: Duration) {
        let text = format!("nothing was heard for {} s", silent.as_secs());
        self.fail(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, text));
        self.failed = Some(ConnectionError::Silent(silent.as_secs()));
    }

    /// How much may wait to be looked at: less than two frames, and what a caller reads at once.
    fn max_input(&self) -> usize {
        2 * self.limits.max_frame_size as usize + (1 << 20)
    }

    /// Looks at the next header or frame. False if there is none, or nothing is to be looked at now.
    fn step(&mut self) -> bool {
        match self.stage {
            Stage::Closed | Stage::SaslDecide | Stage::Answer => false,
            Stage::FirstHeader | Stage::SaslHeader | Stage::Header => self.header_came(),
            _ => {
                if self.output.len() > self.limits.max_output {
                    return false;
                }
                match frame::take(&mut self.input, self.limits.max_frame_size) {
                    Ok(Some(frame)) => {
                        self.frame_came(&frame);
                        true
                    }
                    Ok(None) => false,
                    Err(_) => {
                        let what = format!(
                            "a frame is no frame, or larger than {} bytes",
                            self.limits.max_frame_size
                        );
                        self.fail(Error::new(condition::FRAMING_ERROR, what));
                        true
                    }
                }
            }
        }
    }

    /// Writes a frame.
    pub(super) fn say(&mut self, channel: u16, performative: &Performative) {
        let at = frame::begin(&mut self.output, channel);
        performative.write(&mut self.output);
        frame::finish(&mut self.output, at);
        self.last_said = self.now;
    }

    /// The peer broke the rules: it is told, and nothing more is read.
    pub(super) fn fail(&mut self, error: Error) {
        if self.stage == Stage::Closed {
            return;
        }
        let opened = self.said_open();
        if opened && self.stage != Stage::Closing {
            self.say(0, &Performative::Close(Some(error.clone())));
        }
        self.failed = Some(ConnectionError::Protocol(error.clone()));
        self.finish(Some(error));
    }

    /// It is over: nothing but what stands in `output` is left.
    pub(super) fn finish(&mut self, error: Option<Error>) {
        self.stage = Stage::Closed;
        self.input = BytesMut::new();
        self.sessions.clear();
        self.channels.clear();
        self.links.clear();
        self.events.push_back(Event::Closed(error));
    }

    /// Whether our Open stands in the output already; before it no Close can be said.
    fn said_open(&self) -> bool {
        match self.stage {
            Stage::Running | Stage::Closing => true,
            Stage::Header | Stage::Open => !self.server && self.local.is_some(),
            _ => false,
        }
    }

    pub(super) fn say_header_and_open(&mut self) {
        self.output.extend_from_slice(&AMQP_HEADER);
        self.say_open();
        self.stage = Stage::Header;
    }

    /// Says our Open, with no more than we take.
    pub(super) fn say_open(&mut self) {
        let Some(mut open) = self.local.take() else { return };
        open.max_frame_size = open.max_frame_size.min(self.limits.max_frame_size).max(MIN_MAX_FRAME_SIZE);
        self.say(0, &Performative::Open(Box::new(open.clone())));
        self.local = Some(open);
    }
}

/// However short a time a peer asks for, in milliseconds.
const MIN_BEAT: u64 = 100;
