//! One connection, of either side, without input and output.
//!
//! Bytes that came go in with `input`, what happened comes out of `poll_event`, and what is to be written stands in `output`.
//! Time comes with `pass_time`. What the standard lets a machine do by itself is done here: sessions are begun and windows kept
//! open, messages are cut into frames and put together again, ends are answered. Who may do what is left to the caller.

mod event;
mod limits;
mod names;

use std::time::Instant;

use bytes::BytesMut;

pub use event::Event;
pub use limits::{Limits, MECHANISMS, SaslClient};
pub use names::{ConnectionError, DeliveryId, LinkId, SendError, SessionId};

use crate::delivery::Outcome;
use crate::error::Error;
use crate::message::Message;
use crate::performative::{Attach, Open};

/// A connection of either side.
#[derive(Debug)]
pub struct Connection {
    output: BytesMut,
}

impl Connection {
    /// The side that was called. `mechanisms` are offered to a client that wants to sign in.
    pub fn server(mechanisms: &[&str], limits: Limits, now: Instant) -> Self {
        let _ = (mechanisms, limits, now);
        Self { output: BytesMut::new() }
    }

    /// The side that calls. What it says first stands in `output` already; without `sasl` it says Open at once.
    pub fn client(open: Open, sasl: Option<SaslClient>, limits: Limits, now: Instant) -> Self {
        let _ = (open, sasl, limits, now);
        Self { output: BytesMut::new() }
    }

    /// Bytes that have come, cut anywhere. After an error write what stands in `output`, and hang up.
    pub fn input(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        let _ = bytes;
        Ok(())
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// What is to be written. The caller takes from it what it has written.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// When `pass_time` is to be called at the latest.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Says what time it is: whenever `next_timeout` has come, and before `input`.
    pub fn pass_time(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let _ = now;
        Ok(())
    }

    /// Nothing more comes or goes; what stands in `output` is the last.
    pub fn is_closed(&self) -> bool {
        false
    }

    /// What the peer has said in its Open.
    pub fn peer(&self) -> Option<&Open> {
        None
    }

    /// Server: whether the client is let in.
    pub fn sasl_outcome(&mut self, good: bool) {
        let _ = good;
    }

    /// Server: asks the client for more before it is let in.
    pub fn sasl_challenge(&mut self, challenge: &[u8]) {
        let _ = challenge;
    }

    /// Server: answers the peer's Open.
    pub fn open(&mut self, open: Open) {
        let _ = open;
    }

    /// Ends the connection.
    pub fn close(&mut self, error: Option<Error>) {
        let _ = error;
    }

    /// Client: begins a session. Links can be attached to it at once.
    pub fn begin(&mut self) -> Result<SessionId, ConnectionError> {
        Err(ConnectionError::Closed)
    }

    /// Client: asks for a link. Its handle is the engine's.
    pub fn attach(&mut self, session: SessionId, attach: Attach) -> Result<LinkId, ConnectionError> {
        let _ = (session, attach);
        Err(ConnectionError::Closed)
    }

    /// Agrees to a link that the peer has asked for; mostly with `Attach::answer`, changed. Name, handle and role are set here.
    pub fn accept(&mut self, link: LinkId, answer: Attach) {
        let _ = (link, answer);
    }

    /// Does not agree to a link: Attach without its ends, then Detach with the reason.
    pub fn refuse(&mut self, link: LinkId, error: Error) {
        let _ = (link, error);
    }

    /// Ends a link for good.
    pub fn detach(&mut self, link: LinkId, error: Option<Error>) {
        let _ = (link, error);
    }

    /// Ends a session and its links.
    pub fn end(&mut self, session: SessionId, error: Option<Error>) {
        let _ = (session, error);
    }

    /// How many messages may be sent on this link now; none while too much waits to be written.
    pub fn may_send(&self, link: LinkId) -> u32 {
        let _ = link;
        0
    }

    /// Sends a message. Its delivery ID comes again in `Settled`, unless it is settled already.
    pub fn send(&mut self, link: LinkId, message: &Message, settled: bool) -> Result<DeliveryId, SendError> {
        let _ = (link, message, settled);
        Err(SendError::NoLink)
    }

    /// Sends a message that is encoded already: the parts are its sections, in the standard's order.
    pub fn send_encoded(
        &mut self,
        link: LinkId,
        parts: &[&[u8]],
        settled: bool,
    ) -> Result<DeliveryId, SendError> {
        let _ = (link, parts, settled);
        Err(SendError::NoLink)
    }

    /// Tells the sender that we have sent what was there, and that its remaining credit is used up.
    pub fn drained(&mut self, link: LinkId) {
        let _ = link;
    }

    /// Tells the outcome of a message that has come, and settles it.
    pub fn settle(&mut self, link: LinkId, delivery: DeliveryId, outcome: Outcome) {
        let _ = (link, delivery, outcome);
    }

    /// Lets the sender send so many messages more.
    pub fn add_credit(&mut self, link: LinkId, more: u32) {
        let _ = (link, more);
    }

    /// Asks the sender for what it has now: `Drained` comes when the rest of the credit is used up.
    pub fn drain(&mut self, link: LinkId) {
        let _ = link;
    }
}
