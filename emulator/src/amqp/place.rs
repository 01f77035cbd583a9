//! What a service brings for AMQP: a place for each connection, and a node for each link.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tracker_amqp::{Attach, Error, Message, Open, Outcome, condition};

use super::{Guest, Visit};
use crate::events::DisconnectReason;

/// Who receives clients before it is known what they want: the door of the services.
///
/// `sign_in` is called at most once, before `open`, and `answered` for each answer to what it has asked; a client that begins
/// without SASL goes to `open` at once.
pub(crate) trait Reception: Send {
    /// The SASL mechanisms, in the order in which they are offered.
    fn mechanisms(&self, visit: &Visit) -> Vec<&'static str>;

    /// Judges a SASL init. `Err` is for the operator: the client is told that it failed, and no more.
    fn sign_in(&mut self, guest: &Guest, init: &SignIn<'_>) -> Result<SignedIn, String>;

    /// Judges the client's answer to what it was asked. To ask without an end is not to be done.
    fn answered(&mut self, _response: &[u8]) -> Result<SignedIn, String> {
        Err("nothing was asked".into())
    }

    /// Finds the place that the client means. `Err` closes the connection with this error.
    ///
    /// Where neither host name nor sign-in tell, the place is one that finds out later, by the first token or address.
    fn open(&mut self, guest: &Arc<Guest>, open: &Open) -> Result<Box<dyn Place>, Error>;
}

/// How far a client is with SASL.
pub(crate) enum SignedIn {
    /// It may go on to Open.
    Welcome,
    /// It is to answer this first.
    Asked(Vec<u8>),
}

/// How a client wants to sign in with SASL.
pub(crate) struct SignIn<'a> {
    pub mechanism: &'a str,
    /// Its initial response; empty when it sent none. Secret.
    pub response: &'a [u8],
    /// The host that it means.
    pub host_name: Option<&'a str>,
}

/// A link that a client asks for.
pub(crate) struct Asked<'a> {
    /// Without scheme, host, and slashes at its ends; as written else.
    pub path: &'a str,
    /// Whether the client is the sender on it, and the node the receiver.
    pub is_sender: bool,
    /// All of it.
    pub attach: &'a Attach,
    pub guest: &'a Arc<Guest>,
}

/// A service as one connection sees it: made for that connection, gone with it, and free to keep what belongs to it.
pub(crate) trait Place: Send {
    /// The service, as events name it: `DPS`, or the name of a hub.
    fn name(&self) -> &str;

    /// A client asks for a link. `Err` refuses it: Attach without anything, then Detach with this error.
    fn attach(&mut self, asked: &Asked<'_>) -> Result<Box<dyn Node>, Error>;

    /// The container ID and host name of the service's own Open.
    fn identity(&self) -> (String, Option<String>);

    /// The connection has ended; its nodes are told after this.
    fn ended(&mut self, _reason: &DisconnectReason) {}
}

/// What becomes of a message that a node was given.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// This, at once. (A message that the client sent settled hears nothing of it.)
    Now(Outcome),
    /// The node will say so with [`Act::Settle`], by the number of the message. Until then it counts against the client's
    /// credit.
    Later,
    /// The link ends with this error, and so does the message.
    Detach(Error),
}

/// What a node wants done.
#[derive(Debug)]
pub(crate) enum Act {
    /// A message to the client. Only with credit. `key` comes back with [`Node::settled`]; a settled one is not heard of again.
    Send { message: Box<Message>, settled: bool, key: u64 },
    /// The same, written already: sections of a message in the standard's order, in one part or several.
    SendEncoded { parts: Vec<Bytes>, settled: bool, key: u64 },
    /// What becomes of the message with this number, which was to be told later.
    Settle { number: u64, outcome: Outcome },
    /// The link ends. `None`: in good order.
    Detach(Option<Error>),
    /// The whole connection ends: the device was taken over, disabled, deleted …
    Close { reason: DisconnectReason, error: Option<Error> },
}

/// The service's end of one link. It is told what comes, and polled for what it wants done.
///
/// All calls come from the task of the connection, one at a time, and must not block.
pub(crate) trait Node: Send {
    /// Changes the service's Attach before it is sent. It has everything already: the client's source and target, its settle
    /// modes, the service's limits; initial delivery count 0 where the service sends.
    fn shape(&self, _answer: &mut Attach) {}

    /// Messages that the client may have under way to this node, those that wait for a verdict included.
    fn window(&self) -> u32 {
        100
    }

    /// A message from the client, whole. `number` names it for [`Act::Settle`].
    fn receive(&mut self, number: u64, message: Message) -> Verdict {
        let _ = (number, message);
        Verdict::Now(Outcome::Released)
    }

    /// A batch of messages as one, in Azure's format: the sections of its body are messages.
    fn receive_batch(&mut self, number: u64, batch: Message) -> Verdict {
        let _ = (number, batch);
        let sentence = "batches (message format 0x80013700) are not taken here.";
        Verdict::Now(Outcome::Rejected(Some(Error::new(condition::NOT_IMPLEMENTED, sentence))))
    }

    /// What the client made of a message that was sent to it unsettled (settled without an outcome counts as accepted). Told once for each; for those still open when the
    /// link ends it is not told: see [`Node::ended`].
    fn settled(&mut self, key: u64, outcome: &Outcome) {
        let _ = (key, outcome);
    }

    /// What the node wants done next. `credit`: how many messages the client takes now. Polled again after every act; after
    /// `Pending` when its waker was called, when credit came, and after [`Node::receive`] and [`Node::settled`].
    ///
    /// While the client doesn't read, nodes are not polled.
    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        let _ = (context, credit);
        Poll::Pending
    }

    /// Whether its client may still be here; looked at when a token could have expired. `Err` ends the link with it.
    fn check(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// The link is gone: the client detached it, or ended session or connection. What it has not settled it never will. Not
    /// told after an [`Act::Detach`] of the node's own.
    fn ended(&mut self) {}
}
