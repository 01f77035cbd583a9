//! What became of a delivery, and how two ends agree to settle.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

use crate::error::Error;
use crate::value::{Map, Value};

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Accepted,
    Rejected(Option<Error>),
    Released,
    Modified {
        delivery_failed: bool,
        undeliverable_here: bool,
        annotations: Map,
    },
    /// Not an outcome: how much of a delivery has come.
    Received {
        section_number: u32,
        section_offset: u64,
    },
    /// A state that this crate has no name for, as of transactions.
    Other(Value),
}

/// Which end of a link somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Sender,
    Receiver,
}

impl Role {
    /// The other end.
    pub fn other(self) -> Self {
        match self {
            Self::Sender => Self::Receiver,
            Self::Receiver => Self::Sender,
        }
    }
}

/// Whether the sender settles what it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SenderSettleMode {
    Unsettled,
    Settled,
    #[default]
    Mixed,
}

/// Whether the receiver settles first, or waits for the sender to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReceiverSettleMode {
    #[default]
    First,
    Second,
}
