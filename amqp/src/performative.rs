//! What the frames of a connection say.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

use bytes::Bytes;

use crate::delivery::{Outcome, ReceiverSettleMode, Role, SenderSettleMode};
use crate::error::Error;
use crate::terminus::{Source, Target};
use crate::value::Map;

/// A connection begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    pub container_id: String,
    pub hostname: Option<String>,
    pub max_frame_size: u32,
    pub channel_max: u16,
    /// Milliseconds after which the peer may take the connection for dead.
    pub idle_time_out: Option<u32>,
    pub outgoing_locales: Vec<String>,
    pub incoming_locales: Vec<String>,
    pub offered_capabilities: Vec<String>,
    pub desired_capabilities: Vec<String>,
    pub properties: Map,
}

impl Open {
    pub fn new(container_id: impl Into<String>) -> Self {
        Self { container_id: container_id.into(), ..Self::default() }
    }
}

impl Default for Open {
    fn default() -> Self {
        Self {
            container_id: String::new(),
            hostname: None,
            max_frame_size: u32::MAX,
            channel_max: u16::MAX,
            idle_time_out: None,
            outgoing_locales: Vec::new(),
            incoming_locales: Vec::new(),
            offered_capabilities: Vec::new(),
            desired_capabilities: Vec::new(),
            properties: Map::new(),
        }
    }
}

/// A session begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Begin {
    /// In an answer: the channel that the peer has begun on.
    pub remote_channel: Option<u16>,
    pub next_outgoing_id: u32,
    pub incoming_window: u32,
    pub outgoing_window: u32,
    pub handle_max: u32,
    pub offered_capabilities: Vec<String>,
    pub desired_capabilities: Vec<String>,
    pub properties: Map,
}

/// A link begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Attach {
    pub name: String,
    /// The engine's, whatever an application writes.
    pub handle: u32,
    pub role: Role,
    pub snd_settle_mode: SenderSettleMode,
    pub rcv_settle_mode: ReceiverSettleMode,
    pub source: Option<Source>,
    pub target: Option<Target>,
    /// The target is the coordinator of transactions, of which `target` says nothing.
    pub coordinator: bool,
    pub unsettled: Map,
    pub incomplete_unsettled: bool,
    pub initial_delivery_count: Option<u32>,
    pub max_message_size: Option<u64>,
    pub offered_capabilities: Vec<String>,
    pub desired_capabilities: Vec<String>,
    pub properties: Map,
}

impl Attach {
    /// Asks for messages from `source`.
    pub fn receiver(name: impl Into<String>, source: Source, target: Target) -> Self {
        Self::new(name.into(), Role::Receiver, Some(source), Some(target))
    }

    /// Asks to send messages to `target`.
    pub fn sender(name: impl Into<String>, source: Source, target: Target) -> Self {
        Self::new(name.into(), Role::Sender, Some(source), Some(target))
    }

    /// What a server answers that agrees to what was asked: modes and ends echoed, neither end null.
    pub fn answer(asked: &Self) -> Self {
        let role = asked.role.other();
        Self {
            snd_settle_mode: asked.snd_settle_mode,
            rcv_settle_mode: asked.rcv_settle_mode,
            ..Self::new(
                asked.name.clone(),
                role,
                Some(asked.source.clone().unwrap_or_default()),
                Some(asked.target.clone().unwrap_or_default()),
            )
        }
    }

    /// What a server answers that does not agree; a Detach with the reason follows.
    pub(crate) fn refusal(name: String, handle: u32, role: Role) -> Self {
        Self { handle, initial_delivery_count: None, ..Self::new(name, role, None, None) }
    }

    fn new(name: String, role: Role, source: Option<Source>, target: Option<Target>) -> Self {
        Self {
            name,
            handle: 0,
            role,
            snd_settle_mode: SenderSettleMode::default(),
            rcv_settle_mode: ReceiverSettleMode::default(),
            source,
            target,
            coordinator: false,
            unsettled: Map::new(),
            incomplete_unsettled: false,
            initial_delivery_count: (role == Role::Sender).then_some(0),
            max_message_size: None,
            offered_capabilities: Vec::new(),
            desired_capabilities: Vec::new(),
            properties: Map::new(),
        }
    }
}

/// The state of a session, and of a link if it has a handle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flow {
    pub next_incoming_id: Option<u32>,
    pub incoming_window: u32,
    pub next_outgoing_id: u32,
    pub outgoing_window: u32,
    pub handle: Option<u32>,
    pub delivery_count: Option<u32>,
    pub link_credit: Option<u32>,
    pub available: Option<u32>,
    pub drain: bool,
    pub echo: bool,
    pub properties: Map,
}

/// A message or a part of one; the payload follows it in the frame.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transfer {
    pub handle: u32,
    pub delivery_id: Option<u32>,
    pub delivery_tag: Option<Bytes>,
    pub message_format: Option<u32>,
    pub settled: Option<bool>,
    pub more: bool,
    pub rcv_settle_mode: Option<ReceiverSettleMode>,
    pub state: Option<Outcome>,
    pub resume: bool,
    pub aborted: bool,
    pub batchable: bool,
}

/// What became of deliveries from `first` to `last`.
#[derive(Debug, Clone, PartialEq)]
pub struct Disposition {
    /// Of the end that says it.
    pub role: Role,
    pub first: u32,
    pub last: Option<u32>,
    pub settled: bool,
    pub state: Option<Outcome>,
    pub batchable: bool,
}

/// A link ends, for good if closed.
#[derive(Debug, Clone, PartialEq)]
pub struct Detach {
    pub handle: u32,
    pub closed: bool,
    pub error: Option<Error>,
}

/// What a frame of a connection says.
#[derive(Debug, Clone, PartialEq)]
pub enum Performative {
    Open(Box<Open>),
    Begin(Box<Begin>),
    Attach(Box<Attach>),
    Flow(Box<Flow>),
    Transfer(Transfer),
    Disposition(Disposition),
    Detach(Detach),
    End(Option<Error>),
    Close(Option<Error>),
}
