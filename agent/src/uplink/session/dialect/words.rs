//! What a session says and hears, whatever the kind of the hub.

use std::time::Duration;

use tracker_protocol::{ParseError, Publish};

use crate::link::{Message, Properties};

/// The words of one kind of hub, over one connection.
pub trait Dialect: Send {
    /// What to subscribe to.
    fn filters(&self) -> Vec<String>;

    /// Whether the hub is asked to renew certificates.
    fn renews(&self) -> bool {
        false
    }

    /// What is said at once after that.
    fn begin(&mut self, _now: Duration) -> Vec<Message> {
        Vec::new()
    }

    /// Whether the hub takes readings by now.
    fn takes_readings(&self) -> bool {
        true
    }

    /// When to call [`Dialect::tick`] if nothing happens before.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// Time has passed.
    fn tick(&mut self, _now: Duration) -> Vec<Word> {
        Vec::new()
    }

    /// A message with readings, which is written for the first kind of hubs.
    fn telemetry(&self, publish: Publish) -> Message;

    /// What the twin client wants said, which is written for the first kind, too.
    fn ask(&mut self, publish: Publish) -> Vec<Message>;

    /// What the hub has said.
    fn hear(
        &mut self,
        now: Duration,
        topic: &str,
        payload: Vec<u8>,
        properties: Option<&Properties>,
    ) -> Result<Vec<Word>, ParseError>;

    /// The answer to a call. `None`: nobody waits for it any more.
    fn answer(&mut self, now: Duration, request_id: String, status: i32, body: String) -> Option<Message>;
}

/// What comes of it.
#[derive(Debug)]
pub enum Word {
    /// This is to be said.
    Say(Message),
    /// The hub takes readings from now on.
    Ready,
    /// An answer to the twin client.
    Twin {
        /// As in HTTP.
        status: u16,
        /// Of the request.
        request_id: String,
        /// The body.
        payload: Vec<u8>,
    },
    /// Desired properties have changed.
    Desired {
        /// After the change.
        version: u64,
        /// A merge patch.
        payload: Vec<u8>,
    },
    /// An answer to a request for a certificate.
    Credentials {
        /// As in HTTP.
        status: u16,
        /// Of the request.
        request_id: String,
        /// The body.
        payload: Vec<u8>,
    },
    /// What is known of the twin holds no longer.
    Anew,
    /// A method is called.
    Call {
        /// Of the method.
        name: String,
        /// Whose answer it is.
        request_id: String,
        /// The argument.
        payload: Vec<u8>,
    },
}
