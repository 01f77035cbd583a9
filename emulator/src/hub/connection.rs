//! What ties the registry to the session of a connected device.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::{Notify, oneshot};
use tracker_protocol::hub::{CREDENTIALS_FILTER, METHOD_FILTER, TWIN_DESIRED_FILTER, TWIN_RESPONSE_FILTER};

use super::{HubError, module_id::is_module};
use crate::{events::DisconnectReason, lock::lock, mqtt::QoS};

/// Pushes waiting for a session; a device with more does not read.
const MAX_PUSHES: usize = 64;

/// Something the service side sends to a connected device.
#[derive(Debug)]
pub(crate) enum Push {
    /// Desired properties have changed.
    Desired { version: u64, patch: Map<String, Value> },
    /// Call a direct method.
    Method {
        name: String,
        payload: Vec<u8>,
        /// How long the caller waits for the device to be ready, and then for its answer.
        patience: Patience,
        answer: oneshot::Sender<Result<MethodAnswer, HubError>>,
    },
    /// There are messages to deliver.
    Messages,
}

/// The two time-outs of a call of a direct method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub connect: Duration,
    pub response: Duration,
}

/// What a device answered to a direct method, its body as sent.
#[derive(Debug)]
pub(crate) struct MethodAnswer {
    pub status: i32,
    pub body: Vec<u8>,
}

/// What lies between registry and session. One small thing for both, as there is one for every connected device and nearly
/// always nothing in it.
#[derive(Debug, Default)]
struct Between {
    waiting: Mutex<Waiting>,
    /// Something has been put there.
    arrived: Notify,
    /// Something has been taken away.
    taken: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    pushes: VecDeque<Push>,
    /// Why the connection is to end; the first reason given.
    end: Option<DisconnectReason>,
    /// Nobody takes pushes any more.
    is_gone: bool,
}

/// Where pushes for a session are put.
#[derive(Clone, Debug)]
pub(super) struct Pushes(Arc<Between>);

/// Why a push was not taken; it is given back while there may be room for it later.
#[derive(Debug)]
pub(super) enum NotTaken {
    Full(Push),
    Gone,
}

impl Pushes {
    pub(super) fn put(&self, push: Push) -> Result<(), NotTaken> {
        let mut waiting = lock(&self.0.waiting);
        if waiting.is_gone {
            return Err(NotTaken::Gone);
        }
        if waiting.pushes.len() >= MAX_PUSHES {
            return Err(NotTaken::Full(push));
        }
        waiting.pushes.push_back(push);
        drop(waiting);
        self.0.arrived.notify_one();
        Ok(())
    }

    /// Waits for room. A session that has ended drops what it is sent.
    pub(super) async fn send(&self, mut push: Push) {
        while let Err(NotTaken::Full(back)) = self.put(push) {
            push = back;
            self.0.taken.notified().await;
        }
        // There may be room for one more who waits.
        self.0.taken.notify_one();
    }
}

/// The registry's end.
#[derive(Debug)]
pub(super) struct Handle {
    pub id: u64,
    pub pushes: Pushes,
}

impl Handle {
    /// Ends the connection. The first reason given stays.
    pub(super) fn close(&self, reason: DisconnectReason) {
        lock(&self.pushes.0.waiting).end.get_or_insert(reason);
        self.pushes.0.arrived.notify_one();
    }

    /// Hands over a push; a device that lets them pile up is disconnected.
    pub(super) fn give(&self, push: Push) {
        if self.pushes.put(push).is_err() {
            self.close(DisconnectReason::Backlog);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close(DisconnectReason::Shutdown);
    }
}

/// What a session is told by the service side.
#[derive(Debug)]
pub(super) struct Mailbox(Arc<Between>);

impl Mailbox {
    /// Waits for the next push; an error says why the connection is to end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Push, DisconnectReason> {
        loop {
            if let Some(push) = self.at_hand()? {
                return Ok(push);
            }
            self.0.arrived.notified().await;
        }
    }

    /// A push that is there already, if one is.
    pub(super) fn at_hand(&mut self) -> Result<Option<Push>, DisconnectReason> {
        let mut waiting = lock(&self.0.waiting);
        if let Some(reason) = &waiting.end {
            return Err(reason.clone());
        }
        let Some(push) = waiting.pushes.pop_front() else { return Ok(None) };
        if waiting.pushes.is_empty() {
            // Nobody knows when there will be more.
            waiting.pushes = VecDeque::new();
        }
        drop(waiting);
        self.0.taken.notify_one();
        Ok(Some(push))
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let mut waiting = lock(&self.0.waiting);
        waiting.is_gone = true;
        let left = std::mem::take(&mut waiting.pushes);
        drop(waiting);
        // With those who wait for their answers.
        drop(left);
        self.0.taken.notify_one();
    }
}

/// The session's end.
#[derive(Debug)]
pub(super) struct Attachment {
    pub connection_id: u64,
    pub mailbox: Mailbox,
    /// Kept from the session before, when the client asked for that.
    pub subscriptions: Subscriptions,
    pub session_present: bool,
    /// When the token that let it in expires, if one did.
    pub token_expiry: Option<DateTime<Utc>>,
    /// When certificates that were asked for are there.
    pub renewal_due: Option<DateTime<Utc>>,
}

pub(super) fn pair(id: u64, subscriptions: Option<Subscriptions>) -> (Handle, Attachment) {
    let between = Arc::new(Between::default());
    let session_present = subscriptions.is_some();
    let attachment = Attachment {
        connection_id: id,
        mailbox: Mailbox(Arc::clone(&between)),
        subscriptions: subscriptions.unwrap_or_default(),
        session_present,
        token_expiry: None,
        renewal_due: None,
    };
    (Handle { id, pushes: Pushes(between) }, attachment)
}

/// The topic filters a device may subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Filter {
    TwinResponses,
    DesiredChanges,
    Methods,
    DeviceBound,
    Credentials,
}

impl Filter {
    pub(super) fn parse(filter: &str, device_id: &str) -> Option<Self> {
        match filter {
            TWIN_RESPONSE_FILTER => Some(Self::TwinResponses),
            TWIN_DESIRED_FILTER => Some(Self::DesiredChanges),
            METHOD_FILTER => Some(Self::Methods),
            CREDENTIALS_FILTER => Some(Self::Credentials),
            // The case of the last segment varies between clients; those of Microsoft's SDK for embedded C put a wildcard in
            // place of the device. Modules have inputs, by which an edge runtime sends them messages, and a hub none.
            other => {
                let rest = other.strip_prefix("devices/")?;
                let rest = match rest.strip_prefix(device_id) {
                    Some(rest) => rest,
                    None => rest.strip_prefix('+').filter(|_| !is_module(device_id))?,
                };
                let what = rest.strip_prefix('/')?;
                if is_module(device_id) && matches!(what, "#" | "inputs/#") {
                    return Some(Self::DeviceBound);
                }
                let direction = what.strip_prefix("messages/")?.strip_suffix("/#")?;
                direction.eq_ignore_ascii_case("devicebound").then_some(Self::DeviceBound)
            }
        }
    }
}

/// What a device is subscribed to, with the `QoS` granted. Five are possible, so the hub's limit of five holds.
pub(super) type Subscriptions = BTreeMap<Filter, QoS>;
