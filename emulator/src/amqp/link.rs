//! One link as the driver holds it: its node, what wakes it, and what is under way.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tracker_amqp::{DeliveryId, LinkId};

use super::{Act, Node, ready::Ready};

/// One link.
pub(super) struct Link {
    pub node: Box<dyn Node>,
    /// The address, for events.
    pub path: String,
    /// Whether the client sends on it.
    is_sender: bool,
    waker: Waker,
    /// Messages that were sent and not settled, with the keys by which the node knows them.
    sent: HashMap<DeliveryId, u64>,
    /// The client wants what is there, and then to hear that there is no more.
    pub drains: bool,
    /// What is left of the credit that the client has given.
    pub credit: u32,
    /// Messages that the client may still send.
    granted: u32,
    /// Messages that came and wait for a verdict.
    undecided: u32,
}

impl Link {
    pub(super) fn new(
        node: Box<dyn Node>,
        path: &str,
        is_sender: bool,
        ready: &Arc<Ready>,
        id: LinkId,
    ) -> Self {
        Self {
            node,
            path: path.to_owned(),
            is_sender,
            waker: Waker::from(ready.mark(id)),
            sent: HashMap::new(),
            drains: false,
            credit: 0,
            granted: 0,
            undecided: 0,
        }
    }

    /// Has the node polled soon.
    pub(super) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    pub(super) fn poll(&mut self, credit: u32) -> Poll<Act> {
        self.node.poll(&mut Context::from_waker(&self.waker), credit)
    }

    pub(super) fn is_receiver(&self) -> bool {
        !self.is_sender
    }

    pub(super) fn was_sent(&mut self, delivery: DeliveryId, key: u64) {
        self.sent.insert(delivery, key);
    }

    /// The key of a message that the client has settled.
    pub(super) fn was_settled(&mut self, delivery: DeliveryId) -> Option<u64> {
        self.sent.remove(&delivery)
    }

    /// A message has come.
    pub(super) fn has_come(&mut self, is_undecided: bool) {
        self.granted = self.granted.saturating_sub(1);
        self.undecided += u32::from(is_undecided);
    }

    /// The verdict on one that waited is there.
    pub(super) fn was_decided(&mut self) {
        self.undecided = self.undecided.saturating_sub(1);
    }

    /// How much credit the client is to be given now: none until half of it is used up.
    pub(super) fn credit_due(&mut self) -> Option<u32> {
        if !self.is_sender {
            return None;
        }
        let window = self.node.window().max(1);
        let taken = self.granted + self.undecided;
        if taken > window / 2 {
            return None;
        }
        let more = window - taken;
        self.granted += more;
        Some(more)
    }
}
