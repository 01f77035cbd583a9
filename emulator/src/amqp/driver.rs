//! What happens on a connection, and what is done about it: between the engine, which knows frames, and the nodes, which
//! know services. Without the stream.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
};

use tracker_amqp::{Attach, Connection, Error, Event, LinkId, Open, Outcome, SendError, condition};

use super::{
    Act, Asked, Guest, Place, Reception, SignIn, SignedIn, Verdict, link::Link, path_of, ready::Ready,
    tracking::tracked,
};
use crate::events::{DisconnectReason, EventBus, EventKind};

/// What one node may do before others have their turn.
const BURST: usize = 64;

/// Bytes that wait to be written beyond which nodes wait.
pub(super) const OUTPUT_LIMIT: usize = 256 * 1024;

/// The largest frame, as the services have it.
pub(super) const FRAME: u32 = 65_536;

/// As the services say it.
const CHANNEL_MAX: u16 = 8191;

/// After so many milliseconds of silence the client may take the service for dead.
const IDLE_TIME_OUT: u32 = 240_000;

/// The format of messages that are batches of them.
const BATCH: u32 = 0x8001_3700;

/// The largest message on a link, unless its node says otherwise.
const MAX_MESSAGE: u64 = 1_048_576;

/// A connection without its stream.
pub(super) struct Driver<R> {
    pub connection: Connection,
    guest: Arc<Guest>,
    reception: R,
    place: Option<Box<dyn Place>>,
    links: HashMap<LinkId, Link>,
    ready: Arc<Ready>,
    /// Links whose nodes wait for the client to read.
    stalled: Vec<LinkId>,
    /// Links that have credit and must not send, as too much of their session waits: until the client says something.
    held_up: Vec<LinkId>,
    events: EventBus,
    /// How it ended, once it has.
    pub ended: Option<DisconnectReason>,
}

impl<R: Reception> Driver<R> {
    pub(super) fn new(connection: Connection, guest: Guest, reception: R, events: EventBus) -> Self {
        Self {
            connection,
            guest: Arc::new(guest),
            reception,
            place: None,
            links: HashMap::new(),
            ready: Arc::default(),
            stalled: Vec::new(),
            held_up: Vec::new(),
            events,
            ended: None,
        }
    }

    /// The next link whose node wants to be polled.
    pub(super) fn next_ready(&self, context: &Context<'_>) -> Option<LinkId> {
        self.ready.next(context)
    }

    pub(super) fn is_open(&self) -> bool {
        self.place.is_some()
    }

    /// Whether tokens are to be looked after.
    pub(super) fn can_expire(&self) -> bool {
        self.guest.can_expire() && !self.links.is_empty()
    }

    /// Does what has come.
    pub(super) fn take_events(&mut self) {
        while self.ended.is_none()
            && let Some(event) = self.connection.poll_event()
        {
            self.take(event);
        }
    }

    /// Those who wait for the client to say something look whether it was that.
    pub(super) fn wake_held_up(&mut self) {
        let held_up = std::mem::take(&mut self.held_up);
        held_up.iter().filter_map(|id| self.links.get(id)).for_each(Link::wake);
    }

    /// Those who waited for the client to read look whether it has.
    pub(super) fn wake_stalled(&mut self) {
        if self.stalled.is_empty() || self.connection.output().len() > OUTPUT_LIMIT / 2 {
            return;
        }
        let stalled = std::mem::take(&mut self.stalled);
        stalled.iter().filter_map(|id| self.links.get(id)).for_each(Link::wake);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::SaslInit { mechanism, response, hostname } => self.sign_in(&SignIn {
                mechanism: &mechanism,
                response: response.as_deref().unwrap_or_default(),
                host_name: hostname.as_deref(),
            }),
            Event::SaslResponse(response) => {
                let judged = self.reception.answered(&response);
                self.signed_in(judged, "an answer");
            }
            Event::Opened(open) => self.opened(&open),
            Event::AttachAsked { link, attach, .. } => self.attach(link, &attach),
            Event::Credit { link, credit, drain } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.drains = drain;
                    link.credit = credit;
                    link.wake();
                }
            }
            Event::Message { link, delivery, format, settled, message, .. } => {
                let Some(held) = self.links.get_mut(&link) else { return };
                let number = u64::from(delivery.0);
                let verdict = if format == BATCH {
                    held.node.receive_batch(number, *message)
                } else {
                    held.node.receive(number, *message)
                };
                held.has_come(matches!(verdict, Verdict::Later) && !settled);
                match verdict {
                    Verdict::Now(outcome) if !settled => self.connection.settle(link, delivery, outcome),
                    Verdict::Now(_) | Verdict::Later => {}
                    Verdict::Detach(error) => return self.detach(link, Some(error)),
                }
                held.wake();
                self.give_credit(link);
            }
            Event::Settled { link, delivery, outcome } => {
                if let Some(held) = self.links.get_mut(&link)
                    && let Some(key) = held.was_settled(delivery)
                {
                    held.node.settled(key, &outcome.unwrap_or(Outcome::Accepted));
                    held.wake();
                }
            }
            Event::Detached { link, .. } => {
                if let Some(mut held) = self.links.remove(&link) {
                    held.node.ended();
                }
            }
            // Whose fault it is the engine knows, where it has failed.
            Event::Closed(error) if self.connection.failure().is_none() => {
                self.ended.get_or_insert(match error {
                    None => DisconnectReason::Disconnect,
                    Some(error) => DisconnectReason::ConnectionLost(format!("the client closed it: {error}")),
                });
            }
            // Sessions need nothing, and the rest is for clients.
            _ => {}
        }
    }

    fn sign_in(&mut self, asked: &SignIn<'_>) {
        let judged = self.reception.sign_in(&self.guest, asked);
        self.signed_in(judged, asked.mechanism);
    }

    /// `what`: the mechanism, or that it is an answer within one.
    fn signed_in(&mut self, judged: Result<SignedIn, String>, what: &str) {
        match judged {
            Ok(SignedIn::Welcome) => self.connection.sasl_outcome(true),
            Ok(SignedIn::Asked(challenge)) => self.connection.sasl_challenge(&challenge),
            Err(reason) => {
                self.connection.sasl_outcome(false);
                self.refused("", &format!("SASL {}: {reason}", shown(what)));
            }
        }
    }

    fn opened(&mut self, open: &Open) {
        self.guest.opened(&open.container_id, open.hostname.as_deref());
        let found = self.reception.open(&self.guest, open);
        let identity = found.as_ref().map(|place| place.identity());
        let (container_id, hostname) = identity.unwrap_or_else(|_| ("DeviceGateway".into(), None));
        self.connection.open(Open {
            hostname,
            max_frame_size: FRAME,
            channel_max: CHANNEL_MAX,
            idle_time_out: Some(IDLE_TIME_OUT),
            ..Open::new(container_id)
        });
        match found {
            Ok(place) => {
                tracing::trace!(target: "tracker_emulator::wire", connection = %self.guest.visit.peer, "AMQP, open at {}", place.name());
                self.place = Some(place);
            }
            Err(error) => {
                self.refused("", &error.to_string());
                self.close(DisconnectReason::ProtocolViolation(error.to_string()), Some(error));
            }
        }
    }

    fn attach(&mut self, id: LinkId, attach: &Attach) {
        let is_sender = attach.role == tracker_amqp::Role::Sender;
        let address = if is_sender {
            attach.target.as_ref().and_then(|target| target.address.as_deref())
        } else {
            attach.source.as_ref().and_then(|source| source.address.as_deref())
        };
        let path = path_of(address.unwrap_or_default());
        let asked = Asked { path: &path, is_sender, attach, guest: &self.guest };
        let found = match &mut self.place {
            _ if attach.coordinator => Err(Error::new(
                condition::NOT_IMPLEMENTED,
                "transactions are not implemented by this emulator.",
            )),
            Some(place) => place.attach(&asked),
            None => Err(Error::new(condition::NOT_ALLOWED, "the connection is not open.")),
        };
        tracing::trace!(target: "tracker_emulator::wire", connection = %self.guest.visit.peer, "AMQP, attach \"{path}\", {}", if found.is_ok() { "taken" } else { "refused" });
        match found {
            Ok(node) => {
                let mut answer = Attach::answer(attach);
                answer.max_message_size = Some(MAX_MESSAGE);
                node.shape(&mut answer);
                self.connection.accept(id, answer);
                let link = Link::new(node, &path, is_sender, &self.ready, id);
                link.wake();
                self.links.insert(id, link);
                self.give_credit(id);
            }
            Err(error) => {
                if error.condition != condition::LINK_REDIRECT {
                    self.refused_link(&path, &error);
                }
                self.connection.refuse(id, tracked(error, &**self.guest.clock()));
            }
        }
    }

    fn give_credit(&mut self, id: LinkId) {
        if let Some(more) = self.links.get_mut(&id).and_then(Link::credit_due) {
            self.connection.add_credit(id, more);
        }
    }

    /// Polls the node of a link.
    pub(super) fn work(&mut self, id: LinkId) {
        for _ in 0..BURST {
            let Some(link) = self.links.get_mut(&id) else { return };
            if self.connection.output().len() > OUTPUT_LIMIT {
                return self.stalled.push(id);
            }
            let credit = if link.is_receiver() { self.connection.may_send(id) } else { 0 };
            match link.poll(credit) {
                Poll::Ready(act) => self.act(id, act),
                Poll::Pending => {
                    if link.drains {
                        link.drains = false;
                        self.connection.drained(id);
                    } else if credit == 0 && link.credit > 0 {
                        self.held_up.push(id);
                    }
                    return;
                }
            }
        }
        if let Some(link) = self.links.get(&id) {
            link.wake();
        }
    }

    fn act(&mut self, id: LinkId, act: Act) {
        match act {
            Act::Send { message, settled, key } => {
                let sent = self.connection.send(id, &message, settled);
                self.sent(id, sent, settled, key);
            }
            Act::SendEncoded { parts, settled, key } => {
                let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
                let sent = self.connection.send_encoded(id, &parts, settled);
                self.sent(id, sent, settled, key);
            }
            Act::Settle { number, outcome } => {
                if let Ok(number) = u32::try_from(number) {
                    self.connection.settle(id, tracker_amqp::DeliveryId(number), outcome);
                }
                if let Some(link) = self.links.get_mut(&id) {
                    link.was_decided();
                }
                self.give_credit(id);
            }
            Act::Detach(error) => self.detach(id, error),
            Act::Close { reason, error } => self.close(reason, error),
        }
    }

    fn sent(
        &mut self,
        id: LinkId,
        sent: Result<tracker_amqp::DeliveryId, SendError>,
        settled: bool,
        key: u64,
    ) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.credit = link.credit.saturating_sub(u32::from(sent.is_ok()));
        match sent {
            Ok(_) if settled => {}
            Ok(delivery) => link.was_sent(delivery, key),
            // What can't be sent comes back as if the client had let it go.
            Err(error) => {
                tracing::debug!(path = link.path, %error, "a message was not sent over AMQP");
                if !settled {
                    link.node.settled(key, &Outcome::Released);
                }
                link.wake();
            }
        }
    }

    fn detach(&mut self, id: LinkId, error: Option<Error>) {
        if self.links.remove(&id).is_some() {
            let error = error.map(|error| tracked(error, &**self.guest.clock()));
            self.connection.detach(id, error);
        }
    }

    /// Ends the connection for a reason of the service.
    pub(super) fn close(&mut self, reason: DisconnectReason, error: Option<Error>) {
        self.connection.close(error.map(|error| tracked(error, &**self.guest.clock())));
        self.ended.get_or_insert(reason);
    }

    /// Ends the links of those whose tokens have expired.
    pub(super) fn check(&mut self) {
        let ids: Vec<LinkId> = self.links.keys().copied().collect();
        for id in ids {
            let Some(Err(error)) = self.links.get_mut(&id).map(|link| link.node.check()) else { continue };
            if let Some(link) = self.links.get_mut(&id) {
                link.node.ended();
                let path = link.path.clone();
                self.refused_link(&path, &error);
            }
            self.detach(id, Some(error));
        }
    }

    /// It is over: place and nodes are told.
    pub(super) fn end(mut self, reason: &DisconnectReason) {
        if let Some(place) = &mut self.place {
            place.ended(reason);
        }
        for (_, mut link) in self.links.drain() {
            link.node.ended();
        }
    }

    /// Tells the operator of a client that was not let in.
    pub(super) fn refused(&self, service: &str, reason: &str) {
        self.events.tell(EventKind::ConnectionRefused {
            service: if service.is_empty() { "AMQP".into() } else { service.to_owned() },
            client_id: shown(self.guest.container()),
            code: None,
            reason: reason.to_owned(),
        });
    }

    fn refused_link(&self, path: &str, error: &Error) {
        let service = self.place.as_ref().map(|place| place.name().to_owned()).unwrap_or_default();
        self.refused(&service, &format!("the AMQP link \"{}\": {error}", shown(path)));
    }
}

fn shown(text: &str) -> String {
    text.chars().take(128).collect()
}
