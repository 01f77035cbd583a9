//! Headers, signing in, Open and Close.

use bytes::{Bytes, BytesMut};

use super::engine::{Connection, Stage};
use super::event::Event;
use super::limits::SaslClient;
use super::names::ConnectionError;
use crate::codec::Reader;
use crate::error::{Error, condition};
use crate::frame::{AMQP_HEADER, Frame, MIN_MAX_FRAME_SIZE, SASL_HEADER, Sasl};
use crate::performative::{Open, Performative};

impl Connection {
    /// Server: whether the client is let in.
    pub fn sasl_outcome(&mut self, good: bool) {
        if self.stage != Stage::SaslDecide {
            return;
        }
        let (code, data) = if good { (0, Some(Bytes::from_static(b"Welcome!"))) } else { (1, None) };
        Sasl::Outcome { code, data }.write(&mut self.output);
        if good {
            self.stage = Stage::Header;
        } else {
            self.failed = Some(ConnectionError::SignIn(code));
            self.finish(None);
        }
    }

    /// Server: asks the client for more before it is let in.
    pub fn sasl_challenge(&mut self, challenge: &[u8]) {
        if self.stage == Stage::SaslDecide {
            Sasl::Challenge(Bytes::copy_from_slice(challenge)).write(&mut self.output);
            self.stage = Stage::SaslResponse;
        }
    }

    /// Server: answers the peer's Open.
    pub fn open(&mut self, open: Open) {
        if self.stage == Stage::Answer {
            self.local = Some(open);
            self.say_open();
            self.stage = Stage::Running;
        }
    }

    /// Ends the connection. `Closed` comes when the peer has agreed, or does not answer.
    pub fn close(&mut self, error: Option<Error>) {
        match self.stage {
            Stage::Running => {}
            // An Open comes before a Close, even for those who are not let in.
            Stage::Answer => {
                self.local.get_or_insert_with(Open::default);
                self.say_open();
            }
            Stage::Closing | Stage::Closed => return,
            _ => return self.finish(error),
        }
        self.say(0, &Performative::Close(error));
        self.stage = Stage::Closing;
        self.begun = self.now;
        self.sessions.clear();
        self.channels.clear();
        self.links.clear();
    }

    /// Looks at the eight bytes of a header. False if they are not there.
    pub(super) fn header_came(&mut self) -> bool {
        let Some(header) = self.input.first_chunk::<8>().copied() else { return false };
        let _ = self.input.split_to(8);
        match (self.stage, header) {
            (Stage::FirstHeader, SASL_HEADER) if !self.mechanisms.is_empty() => {
                self.output.extend_from_slice(&SASL_HEADER);
                Sasl::Mechanisms(self.mechanisms.clone()).write(&mut self.output);
                self.stage = Stage::SaslInit;
            }
            (Stage::FirstHeader, AMQP_HEADER) => {
                self.output.extend_from_slice(&AMQP_HEADER);
                self.stage = Stage::Open;
            }
            (Stage::Header, AMQP_HEADER) => {
                if self.server {
                    self.output.extend_from_slice(&AMQP_HEADER);
                }
                self.stage = Stage::Open;
            }
            (Stage::SaslHeader, SASL_HEADER) => self.stage = Stage::SaslMechanisms,
            _ => {
                // As the standard wants: what we would speak, and the end.
                if self.server {
                    let ours = if self.mechanisms.is_empty() { AMQP_HEADER } else { SASL_HEADER };
                    self.output.extend_from_slice(&ours);
                }
                self.failed = Some(ConnectionError::NotAmqp(header));
                self.finish(None);
            }
        }
        true
    }

    /// Looks at a frame.
    pub(super) fn frame_came(&mut self, frame: &Frame) {
        let for_sasl = matches!(
            self.stage,
            Stage::SaslInit | Stage::SaslResponse | Stage::SaslMechanisms | Stage::SaslOutcome
        );
        if frame.is_sasl != for_sasl {
            return self
                .fail(Error::new(condition::FRAMING_ERROR, "a frame of a kind that has no place here"));
        }
        if for_sasl {
            return self.sasl_came(&frame.body);
        }
        if frame.body.is_empty() {
            return;
        }
        let mut reader = Reader::new(&frame.body);
        let performative = match Performative::read(&mut reader) {
            Ok(performative) => performative,
            Err(error) => return self.fail(Error::new(condition::DECODE_ERROR, error.to_string())),
        };
        match (self.stage, performative) {
            (Stage::Closing, Performative::Close(error)) => self.finish(error),
            (Stage::Closing, _) => {}
            (Stage::Open, Performative::Open(open)) => self.open_came(*open),
            (Stage::Running, Performative::Close(error)) => {
                self.say(0, &Performative::Close(None));
                self.finish(error);
            }
            (Stage::Running, performative) => {
                let payload = frame.body.slice(reader.at()..);
                self.performative_came(frame.channel, performative, &payload);
            }
            _ => self.fail(Error::new(condition::NOT_ALLOWED, "Open comes first")),
        }
    }

    fn open_came(&mut self, open: Open) {
        // The least that the standard allows, and no more than fits our own buffer.
        let most = self.limits.max_output.max(MIN_MAX_FRAME_SIZE as usize);
        self.max_frame_out = (open.max_frame_size.max(MIN_MAX_FRAME_SIZE) as usize).min(most);
        self.remote = Some(open.clone());
        self.stage = if self.server { Stage::Answer } else { Stage::Running };
        self.events.push_back(Event::Opened(Box::new(open)));
    }

    fn sasl_came(&mut self, body: &Bytes) {
        let sasl = match Sasl::read(body) {
            Ok(sasl) => sasl,
            Err(error) => return self.fail(Error::new(condition::DECODE_ERROR, error.to_string())),
        };
        match (self.stage, sasl) {
            (Stage::SaslInit, Sasl::Init { mechanism, response, hostname }) => {
                self.stage = Stage::SaslDecide;
                self.events.push_back(Event::SaslInit { mechanism, response, hostname });
            }
            (Stage::SaslResponse, Sasl::Response(bytes)) => {
                self.stage = Stage::SaslDecide;
                self.events.push_back(Event::SaslResponse(bytes));
            }
            (Stage::SaslMechanisms, Sasl::Mechanisms(offered)) => self.sign_in(&offered),
            (Stage::SaslOutcome, Sasl::Outcome { code: 0, .. }) => self.say_header_and_open(),
            (Stage::SaslOutcome, Sasl::Outcome { code, .. }) => {
                self.failed = Some(ConnectionError::SignIn(code));
                self.finish(None);
            }
            _ => self.fail(Error::new(condition::NOT_ALLOWED, "this has no place while somebody signs in")),
        }
    }

    /// Signs in the way that was asked for, if the server offers it.
    fn sign_in(&mut self, offered: &[String]) {
        let Some(sasl) = self.sasl.take() else { return };
        let (mechanism, response) = match sasl {
            SaslClient::Anonymous => ("ANONYMOUS", Some(Bytes::new())),
            SaslClient::External => ("EXTERNAL", Some(Bytes::new())),
            SaslClient::Mssbcbs => ("MSSBCBS", None),
            SaslClient::Plain { user, password } => {
                let mut response = BytesMut::with_capacity(user.len() + password.len() + 2);
                for part in [user, password] {
                    response.extend_from_slice(&[0]);
                    response.extend_from_slice(part.as_bytes());
                }
                ("PLAIN", Some(response.freeze()))
            }
        };
        if !offered.iter().any(|name| name == mechanism) {
            self.failed = Some(ConnectionError::NoMechanism(offered.join(", ")));
            return self.finish(None);
        }
        let hostname = self.local.as_ref().and_then(|open| open.hostname.clone());
        Sasl::Init { mechanism: mechanism.to_owned(), response, hostname }.write(&mut self.output);
        self.stage = Stage::SaslOutcome;
    }
}
