//! Messages that come, and what becomes of those that went.

use bytes::{Bytes, BytesMut};

use super::engine::Connection;
use super::event::Event;
use super::link::{LinkState, Partial};
use super::names::{DeliveryId, LinkId, SessionId};
use super::session::take_range;
use crate::delivery::Role;
use crate::error::{Error, condition};
use crate::message::Message;
use crate::performative::{Disposition, Performative, Transfer};

impl Connection {
    pub(super) fn transfer_came(&mut self, id: SessionId, transfer: Transfer, payload: &Bytes) {
        let most = self.limits.incoming_window;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.incoming_window == 0 {
            let what = "more frames of messages came than the window allows";
            return self.fail_session(id, Error::new(condition::WINDOW_VIOLATION, what));
        }
        session.incoming_window -= 1;
        session.next_incoming_id = session.next_incoming_id.wrapping_add(1);
        let Some(&link) = session.remote_handles.get(&transfer.handle) else {
            let what = format!("no link has handle {}", transfer.handle);
            return self.fail_session(id, Error::new(condition::UNATTACHED_HANDLE, what));
        };
        if session.incoming_window <= most / 2 {
            session.incoming_window = most;
            self.say_flow(id, None);
        }
        match self.take_part(link, transfer, payload) {
            Ok(Some((part, payload))) => self.message_came(link, part, &payload),
            Ok(None) => {}
            Err(error) => self.fail_link(link, error),
        }
    }

    /// Puts a part to those before it; gives all of them when the last has come.
    fn take_part(
        &mut self,
        link: LinkId,
        transfer: Transfer,
        payload: &Bytes,
    ) -> Result<Option<(Partial, Bytes)>, Error> {
        let held: usize = self.held();
        let Some(state) = self.links.get_mut(&link) else { return Ok(None) };
        if state.state == LinkState::Detaching {
            return Ok(None);
        }
        if state.role == Role::Sender {
            return Err(Error::new(condition::NOT_ALLOWED, "messages go the other way on this link"));
        }
        let mut part = match state.partial.take() {
            Some(part) if transfer.delivery_id.is_none_or(|id| id == part.id) => part,
            Some(_) => {
                return Err(Error::new(
                    condition::INVALID_FIELD,
                    "a message began before the last one ended",
                ));
            }
            None => {
                let Some(id) = transfer.delivery_id else {
                    return Err(Error::new(condition::INVALID_FIELD, "a message has no delivery-id"));
                };
                if state.credit == 0 {
                    let what = "a message came for which there was no credit";
                    return Err(Error::new(condition::TRANSFER_LIMIT_EXCEEDED, what));
                }
                state.credit -= 1;
                state.delivery_count = state.delivery_count.wrapping_add(1);
                let tag = transfer.delivery_tag.unwrap_or_default();
                let format = transfer.message_format.unwrap_or_default();
                Partial { id, tag, format, settled: false, bytes: BytesMut::new() }
            }
        };
        if transfer.aborted {
            return Ok(None);
        }
        part.settled |= transfer.settled.unwrap_or_default();
        let size = part.bytes.len() + payload.len();
        let most = state.max_message_size;
        if size as u64 > most {
            return Err(Error::new(
                condition::MESSAGE_SIZE_EXCEEDED,
                format!("a message has more than {most} bytes"),
            ));
        }
        if !transfer.more && part.bytes.is_empty() {
            return Ok(Some((part, payload.clone())));
        }
        if held + payload.len() > self.limits.max_queued {
            let what = "too many messages have come in part";
            return Err(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, what));
        }
        part.bytes.extend_from_slice(payload);
        if transfer.more {
            state.partial = Some(part);
            return Ok(None);
        }
        let whole = std::mem::take(&mut part.bytes).freeze();
        Ok(Some((part, whole)))
    }

    /// Bytes of messages that have come in part.
    fn held(&self) -> usize {
        if self.links.len() == 1 {
            // What stands on the only link is bounded by the size of a message.
            return 0;
        }
        self.links.values().filter_map(|link| link.partial.as_ref()).map(|part| part.bytes.len()).sum()
    }

    fn message_came(&mut self, link: LinkId, part: Partial, payload: &Bytes) {
        let message = match Message::decode(payload) {
            Ok(message) => Box::new(message),
            Err(error) => {
                return self.fail_link(link, Error::new(condition::DECODE_ERROR, error.to_string()));
            }
        };
        let Some(session) = self.links.get(&link).and_then(|state| self.sessions.get_mut(&state.session))
        else {
            return;
        };
        if !part.settled {
            if session.received.len() >= self.limits.max_unsettled {
                let what = "too many messages are not settled";
                return self.fail_link(link, Error::new(condition::RESOURCE_LIMIT_EXCEEDED, what));
            }
            session.received.insert(part.id, link);
        }
        self.events.push_back(Event::Message {
            link,
            delivery: DeliveryId(part.id),
            tag: part.tag,
            format: part.format,
            settled: part.settled,
            message,
        });
    }

    /// The peer broke the rules of a link: it ends.
    pub(super) fn fail_link(&mut self, link: LinkId, error: Error) {
        if self.say_refusal(link, Some(error.clone())) {
            self.events.push_back(Event::Detached { link, closed: true, error: Some(error) });
        }
    }

    pub(super) fn disposition_came(&mut self, id: SessionId, disposition: Disposition) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let last = disposition.last.unwrap_or(disposition.first);
        if disposition.role == Role::Sender {
            if disposition.settled {
                take_range(&mut session.received, disposition.first, last);
            }
            return;
        }
        let final_state = disposition.state.as_ref().is_some_and(crate::delivery::Outcome::is_terminal);
        if !disposition.settled && !final_state {
            return;
        }
        let settled = take_range(&mut session.sent, disposition.first, last);
        let channel = session.channel;
        let found = !settled.is_empty();
        for (delivery, link) in settled {
            let outcome = disposition.state.clone();
            self.events.push_back(Event::Settled { link, delivery: DeliveryId(delivery), outcome });
        }
        if found && !disposition.settled {
            // The receiver waits for us to settle.
            let answer = Disposition { role: Role::Sender, settled: true, ..disposition };
            self.say(channel, &Performative::Disposition(answer));
        }
    }
}
