//! One device on one AMQP connection to DPS: what its two links share.

use std::{collections::VecDeque, sync::Mutex, task::Waker};

use tokio::time::Instant;
use tracker_amqp::Message;

use crate::{
    dps::{Applicant, Dps, applicant::Moment, issue::place},
    events::{DisconnectReason, EventKind},
    lock::lock,
    session::Throttle,
};

/// Answers that wait for a device which gives no credit; requests beyond are refused.
const MAX_WAITING: usize = 64;

/// A device that registers. It is gone with the last of its links.
pub(super) struct Registrant {
    pub dps: Dps,
    pub applicant: Applicant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    throttle: Throttle,
    waiting: VecDeque<Message>,
    /// The link by which answers go out.
    outlet: Option<Waker>,
    over: Option<DisconnectReason>,
}

impl Registrant {
    pub(super) fn new(dps: Dps, applicant: Applicant) -> Self {
        dps.0.events.tell(EventKind::DpsConnected { registration_id: applicant.registration_id.clone() });
        Self { dps, applicant, state: Mutex::default() }
    }

    /// Counts a request.
    pub(super) fn moment(&self) -> Moment {
        let now = Instant::now();
        let place = place(&self.applicant.registration_id);
        let is_throttled = lock(&self.state).throttle.exceeded(now, &self.dps.0.faults, place);
        Moment { now, is_throttled }
    }

    /// Whether another answer has room.
    pub(super) fn has_room(&self) -> bool {
        lock(&self.state).waiting.len() < MAX_WAITING
    }

    pub(super) fn answer(&self, message: Message) {
        let mut state = lock(&self.state);
        state.waiting.push_back(message);
        let outlet = state.outlet.take();
        drop(state);
        if let Some(outlet) = outlet {
            outlet.wake();
        }
    }

    /// The next answer; `waker` is woken when there is one.
    pub(super) fn next(&self, has_credit: bool, waker: &Waker) -> Option<Message> {
        let mut state = lock(&self.state);
        state.outlet = Some(waker.clone());
        has_credit.then(|| state.waiting.pop_front()).flatten()
    }

    /// It is gone. The first reason counts.
    pub(super) fn end(&self, reason: &DisconnectReason) {
        let mut state = lock(&self.state);
        if state.over.is_some() {
            return;
        }
        state.over = Some(reason.clone());
        drop(state);
        let registration_id = self.applicant.registration_id.clone();
        self.dps.0.events.tell(EventKind::DpsDisconnected { registration_id, reason: reason.clone() });
    }
}

impl Drop for Registrant {
    fn drop(&mut self) {
        self.end(&DisconnectReason::Disconnect);
    }
}
