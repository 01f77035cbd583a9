//! One device on one AMQP connection: what its links share.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use serde_json::Value;
use tokio::time::Instant;
use tracker_amqp::{Body, Error, Message, Value as Amqp, condition};

use super::{bell::Bell, calls::Calls, channels::Channels};
use crate::{
    amqp::{Act, Guest},
    events::DisconnectReason,
    faults::{FaultKind, Place},
    hub::{
        Hub,
        connection::{Attachment, Mailbox, Push},
    },
    lock::lock,
    session::Throttle,
};

/// Calls that wait to be sent; while there are more, no further push is taken.
const MAX_WAITING: usize = 64;

/// Links of one device on one connection. Microsoft's clients have six.
const MAX_LINKS: usize = 32;

/// The mailbox on its way to the next push.
type Next = Pin<Box<dyn Future<Output = (Mailbox, Result<Push, DisconnectReason>)> + Send>>;

/// A device on one connection. It leaves the hub when the last of its links is gone.
pub(super) struct Presence {
    pub hub: Hub,
    pub device_id: String,
    pub connection_id: u64,
    /// Whether it was let in by a token, which may expire.
    by_token: bool,
    bell: Arc<Bell>,
    berths: AtomicU64,
    state: Mutex<State>,
}

/// What changes.
pub(super) struct State {
    next: Next,
    over: Option<DisconnectReason>,
    throttle: Throttle,
    pub calls: Calls,
    pub channels: Channels,
}

impl Presence {
    pub(super) fn new(hub: Hub, device_id: &str, attachment: Attachment) -> Arc<Self> {
        Arc::new(Self {
            hub,
            device_id: device_id.to_owned(),
            connection_id: attachment.connection_id,
            by_token: attachment.token_expiry.is_some(),
            bell: Arc::default(),
            berths: AtomicU64::new(0),
            state: Mutex::new(State {
                next: next(attachment.mailbox),
                over: None,
                throttle: Throttle::default(),
                calls: Calls::default(),
                channels: Channels::default(),
            }),
        })
    }

    /// A place for one more link.
    pub(super) fn berth(self: &Arc<Self>) -> Result<Berth, Error> {
        // Each holds on to the device, and so does who asks.
        if Arc::strong_count(self) > MAX_LINKS {
            let sentence = format!("a device has at most {MAX_LINKS} links on a connection.");
            return Err(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, sentence));
        }
        Ok(Berth { presence: Arc::clone(self), number: self.berths.fetch_add(1, Ordering::Relaxed) })
    }

    /// Whether the hub has ended it.
    pub(super) fn is_over(&self) -> bool {
        lock(&self.state).over.is_some()
    }

    /// What its links are told, if the hub has ended it.
    pub(super) fn farewell(&self) -> Option<Error> {
        lock(&self.state).over.as_ref().map(farewell)
    }

    /// Where the faults of this device strike.
    pub(super) fn place(&self) -> Place<'_> {
        Place { hub: Some(&self.hub.0.name), device: &self.device_id }
    }

    /// Does something with what changes; all links look at it then.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut lock(&self.state));
        self.bell.ring();
        changed
    }

    /// Does something with what changes that is no matter of other links.
    pub(super) fn take<T>(&self, take: impl FnOnce(&mut State) -> T) -> T {
        take(&mut lock(&self.state))
    }

    /// Counts a message for [`FaultKind::Throttle`]; tells whether it is too many.
    pub(super) fn is_throttled(&self) -> bool {
        lock(&self.state).throttle.exceeded(Instant::now(), &self.hub.0.faults, self.place())
    }

    /// How often something is sent to the device: twice, when that is asked for.
    pub(super) fn times(&self) -> usize {
        1 + usize::from(self.hub.0.faults.strikes(self.place(), &FaultKind::DuplicateDelivery))
    }

    /// Whether a device that a token has let in has shown another one in time.
    pub(super) fn check(&self, guest: &Guest) -> Result<(), Error> {
        if !self.by_token || guest.is_device(&self.device_id) {
            return Ok(());
        }
        self.end(&DisconnectReason::TokenExpired);
        Err(farewell(&DisconnectReason::TokenExpired))
    }

    /// The device leaves its hub. The first reason counts.
    pub(super) fn end(&self, reason: &DisconnectReason) {
        let mut state = lock(&self.state);
        if state.over.is_some() {
            return;
        }
        state.over = Some(reason.clone());
        state.calls.end();
        drop(state);
        self.hub.depart(&self.device_id, self.connection_id, reason.clone());
        self.bell.ring();
    }

    /// Takes the pushes of the hub that are there.
    fn take_pushes(&self) -> Result<(), DisconnectReason> {
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut state = lock(&self.state);
        loop {
            if let Some(reason) = &state.over {
                return Err(reason.clone());
            }
            if state.calls.waiting() >= MAX_WAITING || state.channels.is_full() {
                return Ok(());
            }
            let Poll::Ready((mailbox, push)) = state.next.as_mut().poll(&mut Context::from_waker(&waker))
            else {
                return Ok(());
            };
            state.next = next(mailbox);
            match push {
                Ok(push) => self.push(push, &mut state),
                Err(reason) => {
                    drop(state);
                    self.end(&reason);
                    return Err(reason);
                }
            }
            self.bell.ring();
        }
    }

    fn push(&self, push: Push, state: &mut State) {
        match push {
            Push::Method { name, payload, answer, patience: _ } => {
                state.calls.put(&self.device_id, name, payload, answer, self.times());
            }
            Push::Desired { version, mut patch } => {
                patch.insert("$version".into(), version.into());
                let message = Message {
                    message_annotations: vec![(Amqp::symbol("version"), Amqp::Long(version as i64))],
                    body: Body::data(Value::Object(patch).to_string()),
                    ..Message::default()
                };
                state.channels.tell(&message, self.times());
            }
            // The link of messages looks by itself.
            Push::Messages => {}
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.end(&DisconnectReason::Disconnect);
    }
}

/// The place of one link of a device. The device stays as long as it has one.
pub(super) struct Berth {
    pub presence: Arc<Presence>,
    number: u64,
}

impl Berth {
    /// Has the link woken when something happens, and takes the pushes of the hub; `Err` when the device has to leave.
    pub(super) fn listen(&self, context: &Context<'_>) -> Result<(), Act> {
        self.presence.bell.hear(self.number, context.waker());
        self.presence.take_pushes().map_err(|reason| Act::Detach(Some(farewell(&reason))))
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        self.presence.bell.forget(self.number);
    }
}

fn next(mut mailbox: Mailbox) -> Next {
    Box::pin(async move {
        let push = mailbox.next().await;
        (mailbox, push)
    })
}

/// What a client is told when its device has to leave.
fn farewell(reason: &DisconnectReason) -> Error {
    let condition = match reason {
        DisconnectReason::TakenOver => condition::STOLEN,
        DisconnectReason::DeviceDisabled | DisconnectReason::TokenExpired => condition::UNAUTHORIZED_ACCESS,
        DisconnectReason::DeviceDeleted => condition::NOT_FOUND,
        DisconnectReason::Backlog => condition::RESOURCE_LIMIT_EXCEEDED,
        _ => condition::DETACH_FORCED,
    };
    Error::new(condition, format!("the device has to leave: {reason}."))
}
