//! What is known of a session: windows, handles, and what is not settled.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use super::names::LinkId;

/// A session, seen from our end.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) channel: u16,
    pub(super) remote_channel: Option<u16>,
    /// We have said End, and the peer has not.
    pub(super) ending: bool,

    /// Frames of messages that the peer may still send.
    pub(super) incoming_window: u32,
    pub(super) next_incoming_id: u32,
    /// Frames of messages that we may still send.
    pub(super) remote_incoming_window: u32,
    pub(super) next_outgoing_id: u32,
    pub(super) next_delivery_id: u32,

    pub(super) remote_handle_max: u32,
    pub(super) handles: BTreeMap<u32, LinkId>,
    pub(super) remote_handles: BTreeMap<u32, LinkId>,

    /// Deliveries that we have sent, and that the peer has not settled.
    pub(super) sent: HashMap<u32, LinkId>,
    /// Deliveries that have come, and that we have not settled.
    pub(super) received: HashMap<u32, LinkId>,
    /// Messages that wait for the peer's window.
    pub(super) queue: VecDeque<Queued>,
    pub(super) queued: usize,
}

/// A message that waits for the peer's window, or what is left of it.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) link: LinkId,
    pub(super) id: u32,
    pub(super) settled: bool,
    pub(super) begun: bool,
    pub(super) payload: Bytes,
}

impl Session {
    pub(super) fn new(channel: u16, incoming_window: u32) -> Self {
        Self {
            channel,
            remote_channel: None,
            ending: false,
            incoming_window,
            next_incoming_id: 0,
            remote_incoming_window: 0,
            next_outgoing_id: 1,
            next_delivery_id: 1,
            remote_handle_max: u32::MAX,
            handles: BTreeMap::new(),
            remote_handles: BTreeMap::new(),
            sent: HashMap::new(),
            received: HashMap::new(),
            queue: VecDeque::new(),
            queued: 0,
        }
    }

    /// The lowest handle that is free, if the peer takes it.
    pub(super) fn free_handle(&self) -> Option<u32> {
        lowest_free(self.handles.keys().copied()).filter(|handle| *handle <= self.remote_handle_max)
    }

    /// Forgets a link and all that was under way on it.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.handles.retain(|_, other| *other != link);
        self.remote_handles.retain(|_, other| *other != link);
        self.forget_deliveries(link);
    }

    /// Forgets what was under way on a link.
    pub(super) fn forget_deliveries(&mut self, link: LinkId) {
        self.sent.retain(|_, other| *other != link);
        self.received.retain(|_, other| *other != link);
        self.queue.retain(|queued| queued.link != link);
        self.queued = self.queue.iter().map(|queued| queued.payload.len()).sum();
    }
}

/// The lowest number that is not among those, which are in order.
pub(super) fn lowest_free(taken: impl Iterator<Item = u32>) -> Option<u32> {
    let mut free = 0u32;
    for number in taken {
        if number != free {
            break;
        }
        free = free.checked_add(1)?;
    }
    Some(free)
}

/// Takes those deliveries from `unsettled` that are in the range, in their order. Numbers begin anew after the last.
pub(super) fn take_range(unsettled: &mut HashMap<u32, LinkId>, first: u32, last: u32) -> Vec<(u32, LinkId)> {
    let more = last.wrapping_sub(first);
    if more == 0 {
        return unsettled.remove(&first).map(|link| (first, link)).into_iter().collect();
    }
    let mut found: Vec<u32> = if (more as usize) < unsettled.len() {
        (0..=more).map(|offset| first.wrapping_add(offset)).filter(|id| unsettled.contains_key(id)).collect()
    } else {
        unsettled.keys().copied().filter(|id| id.wrapping_sub(first) <= more).collect()
    };
    found.sort_unstable_by_key(|id| id.wrapping_sub(first));
    found.into_iter().filter_map(|id| unsettled.remove(&id).map(|link| (id, link))).collect()
}
