//! What we say of sessions and links, and messages that go.

use bytes::{Bytes, BytesMut};

use super::engine::{Connection, Stage};
use super::event::Event;
use super::link::{Link, LinkState};
use super::names::{ConnectionError, DeliveryId, LinkId, SendError, SessionId};
use super::session::Queued;
use crate::delivery::{Outcome, Role, SenderSettleMode};
use crate::error::Error;
use crate::frame;
use crate::message::Message;
use crate::performative::{Attach, Detach, Disposition, Flow, Performative, Transfer};

impl Connection {
    /// Client: begins a session, once the peer has opened. Links can be attached to it at once.
    pub fn begin(&mut self) -> Result<SessionId, ConnectionError> {
        if self.stage != Stage::Running {
            return Err(ConnectionError::NotOpen);
        }
        let id = self.new_session().ok_or(ConnectionError::TooMany("sessions"))?;
        self.say_begin(id, None);
        Ok(id)
    }

    /// Client: asks for a link. Its handle is the engine's.
    pub fn attach(&mut self, session: SessionId, mut attach: Attach) -> Result<LinkId, ConnectionError> {
        if self.links.len() >= self.limits.max_links as usize {
            return Err(ConnectionError::TooMany("links"));
        }
        let state = self.sessions.get_mut(&session).filter(|session| !session.ending);
        let state = state.ok_or(ConnectionError::NotOpen)?;
        let handle = state.free_handle().ok_or(ConnectionError::TooMany("links of the session"))?;
        let id = LinkId(self.next_link);
        self.next_link = self.next_link.wrapping_add(1);
        state.handles.insert(handle, id);
        attach.handle = handle;
        let mut link = Link::new(session, attach.name.clone(), attach.role, LinkState::Asking);
        link.handle = Some(handle);
        link.delivery_count = attach.initial_delivery_count.unwrap_or_default();
        link.max_message_size = own_max(&attach, self.limits.max_message_size);
        self.links.insert(id, link);
        let channel = state.channel;
        self.say(channel, &Performative::Attach(Box::new(attach)));
        Ok(id)
    }

    /// Agrees to a link that the peer has asked for; mostly with `Attach::answer`, changed. Name, handle and role are set here.
    pub fn accept(&mut self, link: LinkId, mut answer: Attach) {
        let Some(handle) = self.take_handle(link) else { return };
        let Some(state) = self.links.get_mut(&link) else { return };
        answer.name.clone_from(&state.name);
        answer.handle = handle;
        answer.role = state.role;
        if state.role == Role::Sender {
            answer.initial_delivery_count = Some(0);
            state.snd_settle_mode = answer.snd_settle_mode;
        }
        answer.source.get_or_insert_default();
        answer.target.get_or_insert_default();
        state.max_message_size = own_max(&answer, self.limits.max_message_size);
        state.state = LinkState::Attached;
        if state.role == Role::Sender && (state.credit > 0 || state.drain) {
            let (credit, drain) = (state.credit, state.drain);
            self.events.push_back(Event::Credit { link, credit, drain });
        }
        let channel = self.channel_of(link);
        self.say(channel, &Performative::Attach(Box::new(answer)));
    }

    /// Does not agree to a link: Attach without its ends, then Detach with the reason.
    pub fn refuse(&mut self, link: LinkId, error: Error) {
        if self.links.get(&link).is_some_and(|state| state.state == LinkState::Asked) {
            self.say_refusal(link, Some(error));
        }
    }

    /// Ends a link for good.
    pub fn detach(&mut self, link: LinkId, error: Option<Error>) {
        self.say_refusal(link, error);
    }

    /// Ends a session and its links.
    pub fn end(&mut self, session: SessionId, error: Option<Error>) {
        self.say_end(session, error);
        self.links.retain(|_, link| link.session != session);
    }

    /// Says Detach, and before it Attach where the peer waits for one. False if there is no such link, or Detach was said.
    pub(super) fn say_refusal(&mut self, link: LinkId, error: Option<Error>) -> bool {
        let Some(state) = self.links.get(&link).map(|state| state.state) else { return false };
        if state == LinkState::Detaching {
            return false;
        }
        if state == LinkState::Asked {
            let Some(handle) = self.take_handle(link) else { return false };
            let Some(asked) = self.links.get(&link) else { return false };
            let attach = Attach::refusal(asked.name.clone(), handle, asked.role);
            let channel = self.channel_of(link);
            self.say(channel, &Performative::Attach(Box::new(attach)));
        }
        let Some(state) = self.links.get_mut(&link) else { return false };
        state.state = LinkState::Detaching;
        state.partial = None;
        state.credit = 0;
        let (handle, session) = (state.handle.unwrap_or_default(), state.session);
        if let Some(session) = self.sessions.get_mut(&session) {
            session.forget_deliveries(link);
        }
        let channel = self.channel_of(link);
        self.say(channel, &Performative::Detach(Detach { handle, closed: true, error }));
        true
    }

    /// A handle for a link that the peer has asked for; none if there is no such link.
    fn take_handle(&mut self, link: LinkId) -> Option<u32> {
        let state = self.links.get_mut(&link).filter(|state| state.state == LinkState::Asked)?;
        let id = state.session;
        let session = self.sessions.get_mut(&id)?;
        let Some(handle) = session.free_handle() else {
            let what = "no handle is free for another link";
            self.fail_session(id, Error::new(crate::error::condition::RESOURCE_LIMIT_EXCEEDED, what));
            return None;
        };
        session.handles.insert(handle, link);
        state.handle = Some(handle);
        Some(handle)
    }

    fn channel_of(&self, link: LinkId) -> u16 {
        let session = self.links.get(&link).and_then(|state| self.sessions.get(&state.session));
        session.map_or(0, |session| session.channel)
    }

    /// How many messages may be sent on this link now; none while too much waits to be written.
    pub fn may_send(&self, link: LinkId) -> u32 {
        let Some(state) = self.links.get(&link) else { return 0 };
        let Some(session) = self.sessions.get(&state.session) else { return 0 };
        let full = self.output.len() > self.limits.max_output
            || session.queued > self.limits.max_queued
            || session.sent.len() >= self.limits.max_unsettled;
        let ready = state.role == Role::Sender && state.state == LinkState::Attached;
        if ready && !full { state.credit } else { 0 }
    }

    /// Sends a message. Its delivery ID comes again in `Settled`, unless it is settled already.
    pub fn send(&mut self, link: LinkId, message: &Message, settled: bool) -> Result<DeliveryId, SendError> {
        self.send_with(link, settled, |out| message.write(out))
    }

    /// Sends a message that is encoded already: the parts are its sections, in the standard's order.
    pub fn send_encoded(
        &mut self,
        link: LinkId,
        parts: &[&[u8]],
        settled: bool,
    ) -> Result<DeliveryId, SendError> {
        self.send_with(link, settled, |out| parts.iter().for_each(|part| out.extend_from_slice(part)))
    }

    fn send_with(
        &mut self,
        link: LinkId,
        settled: bool,
        write: impl FnOnce(&mut BytesMut),
    ) -> Result<DeliveryId, SendError> {
        let state = self.links.get_mut(&link).ok_or(SendError::NoLink)?;
        if state.role != Role::Sender || state.state != LinkState::Attached {
            return Err(SendError::NoLink);
        }
        let session = self.sessions.get_mut(&state.session).ok_or(SendError::NoLink)?;
        if state.credit == 0 {
            return Err(SendError::NoCredit);
        }
        let settled = settled || state.snd_settle_mode == SenderSettleMode::Settled;
        if self.output.len() > self.limits.max_output
            || session.queued > self.limits.max_queued
            || (!settled && session.sent.len() >= self.limits.max_unsettled)
        {
            return Err(SendError::Full);
        }
        let (id, handle) = (session.next_delivery_id, state.handle.unwrap_or_default());
        let out = &mut self.output;
        let at = frame::begin(out, session.channel);
        write_transfer(out, handle, Some((id, settled)), false);
        let payload_at = out.len();
        write(out);
        let size = out.len() - payload_at;
        if state.peer_max_message_size != 0 && size as u64 > state.peer_max_message_size {
            out.truncate(at);
            return Err(SendError::TooLarge);
        }
        if session.queue.is_empty()
            && session.remote_incoming_window > 0
            && out.len() - at <= self.max_frame_out
        {
            frame::finish(out, at);
            session.remote_incoming_window -= 1;
            session.next_outgoing_id = session.next_outgoing_id.wrapping_add(1);
            self.last_said = self.now;
        } else {
            let payload = Bytes::copy_from_slice(&out[payload_at..]);
            out.truncate(at);
            session.queued += payload.len();
            session.queue.push_back(Queued { link, id, settled, begun: false, payload });
        }
        session.next_delivery_id = id.wrapping_add(1);
        state.credit -= 1;
        state.delivery_count = state.delivery_count.wrapping_add(1);
        if !settled {
            session.sent.insert(id, link);
        }
        self.flush();
        Ok(DeliveryId(id))
    }

    /// Writes of what waits as much as windows and output take.
    pub(super) fn flush(&mut self) {
        for session in self.sessions.values_mut() {
            while session.remote_incoming_window > 0 && self.output.len() <= self.limits.max_output {
                let Some(mut queued) = session.queue.pop_front() else { break };
                let Some(handle) = self.links.get(&queued.link).and_then(|link| link.handle) else {
                    continue;
                };
                let first = (!queued.begun).then_some((queued.id, queued.settled));
                let at = frame::begin(&mut self.output, session.channel);
                write_transfer(&mut self.output, handle, first, false);
                let room = self.max_frame_out.saturating_sub(self.output.len() - at).max(1);
                if queued.payload.len() > room {
                    self.output.truncate(at + 8);
                    write_transfer(&mut self.output, handle, first, true);
                }
                let part = queued.payload.split_to(room.min(queued.payload.len()));
                self.output.extend_from_slice(&part);
                frame::finish(&mut self.output, at);
                session.queued = session.queued.saturating_sub(part.len());
                session.remote_incoming_window -= 1;
                session.next_outgoing_id = session.next_outgoing_id.wrapping_add(1);
                self.last_said = self.now;
                if !queued.payload.is_empty() {
                    queued.begun = true;
                    session.queue.push_front(queued);
                }
            }
        }
    }

    /// Tells the receiver that we have sent what was there, and that its remaining credit is used up.
    pub fn drained(&mut self, link: LinkId) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.role == Role::Sender && state.state == LinkState::Attached && state.drain {
            state.delivery_count = state.delivery_count.wrapping_add(state.credit);
            state.credit = 0;
            let session = state.session;
            self.say_flow(session, Some(link));
            if let Some(state) = self.links.get_mut(&link) {
                state.drain = false;
            }
        }
    }

    /// Tells the outcome of a message that has come, and settles it.
    pub fn settle(&mut self, link: LinkId, delivery: DeliveryId, outcome: Outcome) {
        let Some(session) = self.links.get(&link).and_then(|state| self.sessions.get_mut(&state.session))
        else {
            return;
        };
        if session.received.get(&delivery.0) != Some(&link) {
            return;
        }
        session.received.remove(&delivery.0);
        let disposition = Disposition {
            role: Role::Receiver,
            first: delivery.0,
            last: None,
            settled: true,
            state: Some(outcome),
            batchable: false,
        };
        let channel = session.channel;
        self.say(channel, &Performative::Disposition(disposition));
    }

    /// Lets the sender send so many messages more.
    pub fn add_credit(&mut self, link: LinkId, more: u32) {
        self.change_credit(link, more, false);
    }

    /// Asks the sender for what it has now: `Drained` comes when the rest of the credit is used up.
    pub fn drain(&mut self, link: LinkId) {
        self.change_credit(link, 0, true);
    }

    /// What is left of the credit that we have given, or were given.
    pub fn credit(&self, link: LinkId) -> u32 {
        self.links.get(&link).map_or(0, |state| state.credit)
    }

    fn change_credit(&mut self, link: LinkId, more: u32, drain: bool) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.role == Role::Receiver && state.state == LinkState::Attached {
            state.credit = state.credit.saturating_add(more);
            state.drain = drain;
            let session = state.session;
            self.say_flow(session, Some(link));
        }
    }

    /// The state of a session, and of a link of it.
    pub(super) fn say_flow(&mut self, id: SessionId, link: Option<LinkId>) {
        let Some(session) = self.sessions.get(&id) else { return };
        let link = link.and_then(|link| self.links.get(&link));
        let flow = Flow {
            next_incoming_id: session.remote_channel.map(|_| session.next_incoming_id),
            incoming_window: session.incoming_window,
            next_outgoing_id: session.next_outgoing_id,
            outgoing_window: u32::MAX,
            handle: link.and_then(|link| link.handle),
            delivery_count: link.map(|link| link.delivery_count),
            link_credit: link.map(|link| link.credit),
            available: link.map(|_| 0),
            drain: link.is_some_and(|link| link.drain),
            echo: false,
            properties: Vec::new(),
        };
        let channel = session.channel;
        self.say(channel, &Performative::Flow(Box::new(flow)));
    }
}

/// What we say of the size of messages in an Attach holds; at the most what the connection takes.
fn own_max(attach: &Attach, limit: u64) -> u64 {
    attach.max_message_size.filter(|most| *most > 0).map_or(limit, |most| most.min(limit))
}

/// A transfer without its payload: of the first frame of a message with its ID, of those that follow without.
fn write_transfer(out: &mut BytesMut, handle: u32, first: Option<(u32, bool)>, more: bool) {
    let tag = first.map(|(id, _)| id.to_le_bytes());
    Transfer::write_own(out, handle, first, tag.as_ref().map(<[u8; 4]>::as_slice), more);
}
