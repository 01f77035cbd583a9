//! What the peer says of sessions and links.

use bytes::Bytes;

use super::engine::Connection;
use super::event::Event;
use super::link::{Link, LinkState};
use super::names::{LinkId, SessionId};
use super::session::Session;
use crate::delivery::Role;
use crate::error::{Error, condition};
use crate::performative::{Attach, Begin, Detach, Flow, Performative};

impl Connection {
    pub(super) fn performative_came(&mut self, channel: u16, performative: Performative, payload: &Bytes) {
        if let Performative::Begin(begin) = performative {
            return self.begin_came(channel, &begin);
        }
        let Some(&id) = self.channels.get(&channel) else {
            let what = format!("there is no session on channel {channel}");
            return self.fail(Error::new(condition::NOT_ALLOWED, what));
        };
        let ending = self.sessions.get(&id).is_none_or(|session| session.ending);
        match performative {
            Performative::End(error) => self.end_came(id, channel, ending, error),
            // Said before the peer knew that it is over.
            _ if ending => {}
            Performative::Attach(attach) => self.attach_came(id, *attach),
            Performative::Flow(flow) => self.flow_came(id, &flow),
            Performative::Transfer(transfer) => self.transfer_came(id, transfer, payload),
            Performative::Disposition(disposition) => self.disposition_came(id, disposition),
            Performative::Detach(detach) => self.detach_came(id, detach),
            Performative::Open(_) | Performative::Begin(_) | Performative::Close(_) => {
                self.fail(Error::new(condition::NOT_ALLOWED, "this was said already"));
            }
        }
    }

    fn begin_came(&mut self, channel: u16, begin: &Begin) {
        if self.channels.contains_key(&channel) {
            let what = format!("channel {channel} has a session already");
            return self.fail(Error::new(condition::NOT_ALLOWED, what));
        }
        let id = match begin.remote_channel {
            // The answer to ours.
            Some(ours) => {
                let mut own = self.sessions.iter().filter(|(_, session)| session.remote_channel.is_none());
                let Some(id) = own.find(|(_, session)| session.channel == ours).map(|(id, _)| *id) else {
                    let what = format!("no session was begun on channel {ours}");
                    return self.fail(Error::new(condition::NOT_ALLOWED, what));
                };
                id
            }
            None => match self.new_session() {
                Some(id) => id,
                None => {
                    return self.fail(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, "too many sessions"));
                }
            },
        };
        self.channels.insert(channel, id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.remote_channel = Some(channel);
        session.next_incoming_id = begin.next_outgoing_id;
        session.remote_incoming_window = begin.incoming_window;
        session.remote_handle_max = begin.handle_max;
        if begin.remote_channel.is_none() {
            self.say_begin(id, Some(channel));
        }
        self.events.push_back(Event::Begun(id));
    }

    /// A session on the lowest channel that is free; none if there are too many.
    pub(super) fn new_session(&mut self) -> Option<SessionId> {
        let theirs = self.remote.as_ref().map_or(0, |open| open.channel_max);
        let mut taken: Vec<u32> = self.sessions.values().map(|session| session.channel.into()).collect();
        if taken.len() >= usize::from(self.limits.max_sessions) {
            return None;
        }
        taken.sort_unstable();
        let channel = super::session::lowest_free(taken.into_iter())?;
        let channel = u16::try_from(channel).ok().filter(|channel| *channel <= theirs)?;
        let id = SessionId(self.next_session);
        self.next_session = self.next_session.wrapping_add(1);
        self.sessions.insert(id, Session::new(channel, self.limits.incoming_window));
        Some(id)
    }

    pub(super) fn say_begin(&mut self, id: SessionId, remote_channel: Option<u16>) {
        let Some(session) = self.sessions.get(&id) else { return };
        let begin = Begin {
            remote_channel,
            next_outgoing_id: session.next_outgoing_id,
            incoming_window: session.incoming_window,
            outgoing_window: u32::MAX,
            handle_max: self.limits.max_links.saturating_sub(1),
            offered_capabilities: Vec::new(),
            desired_capabilities: Vec::new(),
            properties: Vec::new(),
        };
        self.say(session.channel, &Performative::Begin(Box::new(begin)));
    }

    fn end_came(&mut self, id: SessionId, channel: u16, ending: bool, error: Option<Error>) {
        if !ending {
            if let Some(session) = self.sessions.get(&id) {
                self.say(session.channel, &Performative::End(None));
            }
            self.tell_detached(id, error.as_ref());
            self.events.push_back(Event::Ended { session: id, error });
        }
        self.sessions.remove(&id);
        self.channels.remove(&channel);
    }

    /// Forgets the links of a session, and tells of it.
    fn tell_detached(&mut self, id: SessionId, error: Option<&Error>) {
        let events = &mut self.events;
        self.links.retain(|link, state| {
            let stays = state.session != id;
            if !stays && state.state != LinkState::Detaching {
                events.push_back(Event::Detached { link: *link, closed: true, error: error.cloned() });
            }
            stays
        });
    }

    /// The peer broke the rules of a session: it ends.
    pub(super) fn fail_session(&mut self, id: SessionId, error: Error) {
        self.say_end(id, Some(error.clone()));
        self.tell_detached(id, Some(&error));
        self.events.push_back(Event::Ended { session: id, error: Some(error) });
    }

    pub(super) fn say_end(&mut self, id: SessionId, error: Option<Error>) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.ending) else { return };
        let channel = session.channel;
        session.ending = true;
        session.queue.clear();
        session.queued = 0;
        session.handles.clear();
        session.remote_handles.clear();
        session.sent.clear();
        session.received.clear();
        self.say(channel, &Performative::End(error));
    }

    fn attach_came(&mut self, id: SessionId, attach: Attach) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.remote_handles.contains_key(&attach.handle) {
            let what = format!("handle {} is in use", attach.handle);
            return self.fail_session(id, Error::new(condition::HANDLE_IN_USE, what));
        }
        if attach.handle >= self.limits.max_links {
            let what = format!("handle {} is above handle-max", attach.handle);
            return self.fail(Error::new(condition::FRAMING_ERROR, what));
        }
        let ours = attach.role.other();
        let asked = session.handles.values().copied().find(|link| {
            let link = self.links.get(link);
            link.is_some_and(|link| {
                link.remote_handle.is_none()
                    && matches!(link.state, LinkState::Asking | LinkState::Detaching)
                    && link.role == ours
                    && link.name == attach.name
            })
        });
        if let Some(link) = asked {
            return self.attach_answered(id, link, attach);
        }
        if self.links.len() >= self.limits.max_links as usize {
            return self.fail_session(id, Error::new(condition::RESOURCE_LIMIT_EXCEEDED, "too many links"));
        }
        let link = LinkId(self.next_link);
        self.next_link = self.next_link.wrapping_add(1);
        session.remote_handles.insert(attach.handle, link);
        let mut state = Link::new(id, attach.name.clone(), ours, LinkState::Asked);
        learn(&mut state, &attach, self.limits.max_message_size);
        self.links.insert(link, state);
        self.events.push_back(Event::AttachAsked { link, session: id, attach: Box::new(attach) });
    }

    fn attach_answered(&mut self, id: SessionId, link: LinkId, attach: Attach) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.remote_handles.insert(attach.handle, link);
        let Some(state) = self.links.get_mut(&link) else { return };
        let asking = state.state == LinkState::Asking;
        let most = state.max_message_size;
        learn(state, &attach, most);
        if asking {
            state.state = LinkState::Attached;
            self.events.push_back(Event::AttachAnswered { link, attach: Box::new(attach) });
        }
    }

    fn detach_came(&mut self, id: SessionId, detach: Detach) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(&link) = session.remote_handles.get(&detach.handle) else {
            let what = format!("no link has handle {}", detach.handle);
            return self.fail_session(id, Error::new(condition::UNATTACHED_HANDLE, what));
        };
        let Some(state) = self.links.get(&link) else { return };
        let (attached, handle, channel) = (state.state, state.handle, session.channel);
        match (attached, handle) {
            (LinkState::Attached, Some(handle)) => {
                let answer = Detach { handle, closed: detach.closed, error: None };
                self.say(channel, &Performative::Detach(answer));
            }
            (LinkState::Asked, _) => {
                self.say_refusal(link, None);
            }
            _ => {}
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.forget(link);
        }
        self.links.remove(&link);
        if attached != LinkState::Detaching {
            self.events.push_back(Event::Detached { link, closed: detach.closed, error: detach.error });
        }
    }

    fn flow_came(&mut self, id: SessionId, flow: &Flow) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        // What the peer had seen of ours, and how much more it takes from there.
        let seen = flow.next_incoming_id.unwrap_or(1);
        let end = seen.wrapping_add(flow.incoming_window);
        let window = end.wrapping_sub(session.next_outgoing_id);
        let beyond = session.next_outgoing_id.wrapping_sub(seen) > flow.incoming_window;
        session.remote_incoming_window = if beyond { 0 } else { window };
        let Some(handle) = flow.handle else {
            self.flush();
            if flow.echo {
                self.say_flow(id, None);
            }
            return;
        };
        let Some(&link) = session.remote_handles.get(&handle) else {
            let what = format!("no link has handle {handle}");
            return self.fail_session(id, Error::new(condition::UNATTACHED_HANDLE, what));
        };
        self.flush();
        self.link_flow_came(link, flow);
        if flow.echo && self.links.get(&link).is_some_and(|state| state.state == LinkState::Attached) {
            self.say_flow(id, Some(link));
        }
    }

    fn link_flow_came(&mut self, link: LinkId, flow: &Flow) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.state == LinkState::Detaching {
            return;
        }
        if state.role == Role::Sender {
            let Some(credit) = flow.link_credit else { return };
            let counted = flow.delivery_count.unwrap_or_default();
            let used = state.delivery_count.wrapping_sub(counted);
            // A count ahead of ours is none of this link's.
            state.credit = if used > u32::MAX / 2 { credit } else { credit.saturating_sub(used) };
            state.drain = flow.drain;
            if state.state == LinkState::Attached {
                let (credit, drain) = (state.credit, state.drain);
                self.events.push_back(Event::Credit { link, credit, drain });
            }
        } else if let Some(counted) = flow.delivery_count {
            let gone = counted.wrapping_sub(state.delivery_count);
            if gone <= state.credit {
                state.credit -= gone;
                state.delivery_count = counted;
            }
            if state.drain && state.credit == 0 {
                state.drain = false;
                self.events.push_back(Event::Drained { link });
            }
        }
    }
}

/// What the peer's Attach says of a link.
fn learn(link: &mut Link, attach: &Attach, max_message_size: u64) {
    link.remote_handle = Some(attach.handle);
    link.snd_settle_mode = attach.snd_settle_mode;
    link.peer_max_message_size = attach.max_message_size.unwrap_or_default();
    link.max_message_size = max_message_size;
    if link.role == Role::Receiver {
        link.delivery_count = attach.initial_delivery_count.unwrap_or_default();
    }
}
