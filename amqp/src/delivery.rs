//! What became of a delivery, and how two ends agree to settle.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

use bytes::BytesMut;

use crate::codec::{self, CodecError, Fields, List, Reader};
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

const RECEIVED: u8 = 0x23;
const ACCEPTED: u8 = 0x24;
const REJECTED: u8 = 0x25;
const RELEASED: u8 = 0x26;
const MODIFIED: u8 = 0x27;

impl Outcome {
    /// Nothing more becomes of the delivery.
    pub fn is_terminal(&self) -> bool {
        !matches!(self, Self::Received { .. } | Self::Other(_))
    }

    pub(crate) fn write(out: &mut BytesMut, outcome: &Self) {
        match outcome {
            Self::Accepted => List::begin(out, ACCEPTED).finish(),
            Self::Released => List::begin(out, RELEASED).finish(),
            Self::Rejected(error) => {
                let mut list = List::begin(out, REJECTED);
                list.field(error.as_ref(), Error::write);
                list.finish();
            }
            Self::Modified { delivery_failed, undeliverable_here, annotations } => {
                let mut list = List::begin(out, MODIFIED);
                list.bool(*delivery_failed);
                list.bool(*undeliverable_here);
                list.map(annotations);
                list.finish();
            }
            Self::Received { section_number, section_offset } => {
                let mut list = List::begin(out, RECEIVED);
                list.uint(*section_number);
                list.ulong(*section_offset);
                list.finish();
            }
            Self::Other(value) => codec::value(out, value),
        }
    }

    /// A field that is an outcome or null.
    pub(crate) fn field(fields: &mut Fields<'_, '_>) -> Result<Option<Self>, CodecError> {
        fields.described(Self::read)
    }

    fn read(descriptor: u64, reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let Some(code @ RECEIVED..=MODIFIED) = u8::try_from(descriptor).ok() else {
            let value = reader.value()?;
            return Ok(Self::Other(Value::described(descriptor.into(), value)));
        };
        let mut fields = reader.list()?;
        let outcome = match code {
            ACCEPTED => Self::Accepted,
            RELEASED => Self::Released,
            REJECTED => Self::Rejected(Error::field(&mut fields)?),
            MODIFIED => Self::Modified {
                delivery_failed: fields.bool()?.unwrap_or_default(),
                undeliverable_here: fields.bool()?.unwrap_or_default(),
                annotations: fields.map()?,
            },
            _ => Self::Received {
                section_number: fields.uint()?.unwrap_or_default(),
                section_offset: fields.ulong()?.unwrap_or_default(),
            },
        };
        fields.finish();
        Ok(outcome)
    }
}

/// Which end of a link somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    Sender,
    Receiver,
}

impl Role {
    pub(crate) fn is_receiver(self) -> bool {
        self == Self::Receiver
    }

    pub(crate) fn from_receiver(receiver: bool) -> Self {
        if receiver { Self::Receiver } else { Self::Sender }
    }

    /// The other end.
    #[must_use]
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

impl SenderSettleMode {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Unsettled => 0,
            Self::Settled => 1,
            Self::Mixed => 2,
        }
    }

    pub(crate) fn from_number(number: Option<u8>) -> Self {
        match number {
            Some(0) => Self::Unsettled,
            Some(1) => Self::Settled,
            _ => Self::Mixed,
        }
    }
}

impl ReceiverSettleMode {
    pub(crate) fn number(self) -> u8 {
        u8::from(self == Self::Second)
    }

    pub(crate) fn from_number(number: Option<u8>) -> Self {
        if number == Some(1) { Self::Second } else { Self::First }
    }
}
