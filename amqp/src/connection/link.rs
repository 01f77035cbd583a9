//! What is known of a link, and what of a message has come so far.

use bytes::{Bytes, BytesMut};

use super::names::SessionId;
use crate::delivery::{Role, SenderSettleMode};

/// How far a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkState {
    /// The peer has asked, and we have not answered.
    Asked,
    /// We have asked, and the peer has not answered.
    Asking,
    Attached,
    /// We have said Detach, and the peer has not.
    Detaching,
}

/// A link, seen from our end.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) session: SessionId,
    pub(super) name: String,
    /// Ours.
    pub(super) role: Role,
    pub(super) state: LinkState,
    pub(super) handle: Option<u32>,
    pub(super) remote_handle: Option<u32>,
    pub(super) snd_settle_mode: SenderSettleMode,
    pub(super) delivery_count: u32,
    pub(super) credit: u32,
    /// As sender: the receiver wants what there is. As receiver: we have asked for it.
    pub(super) drain: bool,
    /// Of messages that we send; 0 if the peer does not say.
    pub(super) peer_max_message_size: u64,
    /// Of messages that come.
    pub(super) max_message_size: u64,
    pub(super) partial: Option<Partial>,
}

/// What of a message has come so far.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) id: u32,
    pub(super) tag: Bytes,
    pub(super) format: u32,
    pub(super) settled: bool,
    pub(super) bytes: BytesMut,
}

impl Link {
    pub(super) fn new(session: SessionId, name: String, role: Role, state: LinkState) -> Self {
        Self {
            session,
            name,
            role,
            state,
            handle: None,
            remote_handle: None,
            snd_settle_mode: SenderSettleMode::Mixed,
            delivery_count: 0,
            credit: 0,
            drain: false,
            peer_max_message_size: 0,
            max_message_size: u64::MAX,
            partial: None,
        }
    }
}
