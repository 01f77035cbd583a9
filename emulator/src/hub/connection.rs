//! What ties the registry to the session of a connected device.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot, watch};
use tracker_protocol::hub::{CREDENTIALS_FILTER, METHOD_FILTER, TWIN_DESIRED_FILTER, TWIN_RESPONSE_FILTER};

use super::{HubError, module_id::is_module};
use crate::{events::DisconnectReason, mqtt::QoS};

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

/// The registry's end.
#[derive(Debug)]
pub(super) struct Handle {
    pub id: u64,
    /// In boxes: a channel makes room for many when it is made, and most devices are never sent one.
    pub pushes: mpsc::Sender<Box<Push>>,
    close: watch::Sender<Option<DisconnectReason>>,
}

impl Handle {
    /// Ends the connection. The first reason given stays.
    pub(super) fn close(&self, reason: DisconnectReason) {
        self.close.send_if_modified(|current| {
            let first = current.is_none();
            if first {
                *current = Some(reason);
            }
            first
        });
    }

    /// Hands over a push; a device that lets them pile up is disconnected.
    pub(super) fn give(&self, push: Push) {
        if self.pushes.try_send(Box::new(push)).is_err() {
            self.close(DisconnectReason::Backlog);
        }
    }
}

/// What a session is told by the service side.
#[derive(Debug)]
pub(super) struct Mailbox {
    pushes: mpsc::Receiver<Box<Push>>,
    close: watch::Receiver<Option<DisconnectReason>>,
}

impl Mailbox {
    /// Waits for the next push; an error says why the connection is to end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Push, DisconnectReason> {
        tokio::select! {
            biased;
            _ = self.close.changed() => Err(self.close.borrow().clone().unwrap_or(DisconnectReason::Shutdown)),
            Some(push) = self.pushes.recv() => Ok(*push),
        }
    }

    /// A push that is there already, if one is.
    pub(super) fn at_hand(&mut self) -> Result<Option<Push>, DisconnectReason> {
        match &*self.close.borrow() {
            Some(reason) => Err(reason.clone()),
            None => Ok(self.pushes.try_recv().ok().map(|push| *push)),
        }
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
    let (pushes_in, pushes_out) = mpsc::channel(MAX_PUSHES);
    let (close_in, close_out) = watch::channel(None);
    let session_present = subscriptions.is_some();
    let attachment = Attachment {
        connection_id: id,
        mailbox: Mailbox { pushes: pushes_out, close: close_out },
        subscriptions: subscriptions.unwrap_or_default(),
        session_present,
        token_expiry: None,
        renewal_due: None,
    };
    (Handle { id, pushes: pushes_in, close: close_in }, attachment)
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
