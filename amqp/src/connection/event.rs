//! What happened on a connection.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

use bytes::Bytes;

use super::names::{DeliveryId, LinkId, SessionId};
use crate::delivery::Outcome;
use crate::error::Error;
use crate::message::Message;
use crate::performative::{Attach, Open};

/// What happened on a connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Server: a client signs in; answer with `sasl_outcome`, or ask on with `sasl_challenge`. Never comes if the client does
    /// without SASL.
    SaslInit { mechanism: String, response: Option<Bytes>, hostname: Option<String> },
    /// Server: the answer to a challenge.
    SaslResponse(Bytes),
    /// The peer has opened. A server answers with `open`, or with `close`; until then nothing further is read.
    Opened(Box<Open>),
    /// A session is there. A server's engine has answered by itself.
    Begun(SessionId),
    /// The peer asks for a link; answer with `accept` or `refuse`. The roles in it are the peer's.
    AttachAsked { link: LinkId, session: SessionId, attach: Box<Attach> },
    /// Our own attach was answered. One without its far end is refused: `Detached` with the reason follows.
    AttachAnswered { link: LinkId, attach: Box<Attach> },
    /// A receiver gives credit: this much in all. With `drain`, send what is there and then call `drained`.
    Credit { link: LinkId, credit: u32, drain: bool },
    /// A message has come in full.
    Message {
        link: LinkId,
        delivery: DeliveryId,
        tag: Bytes,
        /// 0, but of batches of Azure's.
        format: u32,
        settled: bool,
        message: Box<Message>,
    },
    /// The receiver settled what we have sent, or told its outcome; none if it settled without one.
    Settled { link: LinkId, delivery: DeliveryId, outcome: Option<Outcome> },
    /// The sender has answered a request to drain: no more comes without new credit.
    Drained { link: LinkId },
    /// The link is gone; the engine has answered. Its deliveries are forgotten.
    Detached { link: LinkId, closed: bool, error: Option<Error> },
    /// The session is gone; `Detached` of its links came before.
    Ended { session: SessionId, error: Option<Error> },
    /// The connection is over, and with it everything: write what stands in `output`, and hang up.
    Closed(Option<Error>),
}
