//! How sessions, links and deliveries are called, and why something can't be done.

use crate::error::Error;

/// A session, unique within its connection for as long as that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub(crate) u32);

/// A link, unique within its connection for as long as that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(crate) u32);

/// A delivery, unique within its link while it is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub u32);

/// Why a connection can't go on. The peer has been told in `output`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ConnectionError {
    #[error("the connection broke AMQP: {0}")]
    Protocol(Error),
    #[error("the peer does not speak AMQP 1.0: its first bytes are {0:02x?}")]
    NotAmqp([u8; 8]),
    #[error("the peer offers none of the ways to sign in that are known: it has {0}")]
    NoMechanism(String),
    #[error("the peer refused to let us sign in (code {0})")]
    SignIn(u8),
    #[error("nothing was heard from the peer for {0} s")]
    Silent(u64),
    #[error("the peer has not opened, or the session is over")]
    NotOpen,
    #[error("there are too many {0}")]
    TooMany(&'static str),
    #[error("the connection is closed")]
    Closed,
}

/// Why a message can't be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum SendError {
    #[error("the link is gone")]
    NoLink,
    #[error("the receiver has given no credit")]
    NoCredit,
    #[error("too much waits to be written already")]
    Full,
    #[error("the message is larger than the receiver takes")]
    TooLarge,
}
