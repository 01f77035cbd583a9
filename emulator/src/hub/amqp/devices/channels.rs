//! The pairs of links by which one device asks for its twin, and what waits to go out by them.

use std::collections::{BTreeMap, VecDeque};

use tracker_amqp::Message;

/// Answers that wait for a device which gives no credit; requests beyond are refused.
const MAX_WAITING: usize = 64;

/// The channels of one device, by what the client calls them: the same for both links of a pair.
#[derive(Debug, Default)]
pub(super) struct Channels(BTreeMap<String, Channel>);

/// One pair.
#[derive(Debug, Default)]
struct Channel {
    links: usize,
    is_subscribed: bool,
    waiting: VecDeque<Message>,
}

impl Channels {
    /// A link of a channel has come.
    pub(super) fn joined(&mut self, name: &str) {
        self.0.entry(name.to_owned()).or_default().links += 1;
    }

    /// A link of a channel is gone; with the last one the channel is.
    pub(super) fn left(&mut self, name: &str) {
        if let Some(channel) = self.0.get_mut(name) {
            channel.links = channel.links.saturating_sub(1);
            if channel.links == 0 {
                self.0.remove(name);
            }
        }
    }

    /// Whether one of them can't take any more.
    pub(super) fn is_full(&self) -> bool {
        self.0.values().any(|channel| channel.waiting.len() >= MAX_WAITING)
    }

    /// The device wants to hear of changes of desired properties by this channel, or not any more.
    pub(super) fn subscribe(&mut self, name: &str, wanted: bool) {
        if let Some(channel) = self.0.get_mut(name) {
            channel.is_subscribed = wanted;
        }
    }

    /// A message to all who want to hear of changes; `times` it is sent.
    pub(super) fn tell(&mut self, message: &Message, times: usize) {
        for channel in self.0.values_mut().filter(|channel| channel.is_subscribed) {
            channel.waiting.extend(std::iter::repeat_n(message.clone(), times));
        }
    }

    /// Whether the channel takes another request.
    pub(super) fn has_room(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|channel| channel.waiting.len() < MAX_WAITING)
    }

    /// An answer.
    pub(super) fn answer(&mut self, name: &str, message: Message) {
        if let Some(channel) = self.0.get_mut(name) {
            channel.waiting.push_back(message);
        }
    }

    /// The next message to be sent.
    pub(super) fn next(&mut self, name: &str) -> Option<Message> {
        self.0.get_mut(name)?.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_go_to_those_who_asked_for_them() {
        let mut channels = Channels::default();
        for name in ["a", "a", "b"] {
            channels.joined(name);
        }
        channels.subscribe("a", true);
        channels.tell(&Message::default(), 2);
        let count = |channels: &mut Channels, name: &str| std::iter::from_fn(|| channels.next(name)).count();
        assert_eq!((count(&mut channels, "a"), count(&mut channels, "b")), (2, 0));
        channels.left("a");
        channels.tell(&Message::default(), 1);
        assert_eq!(count(&mut channels, "a"), 1, "its other link is still there");
        channels.left("a");
        channels.joined("a");
        channels.tell(&Message::default(), 1);
        assert_eq!(count(&mut channels, "a"), 0, "a new pair asks anew");
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut channels = Channels::default();
        channels.joined("a");
        for _ in 0..MAX_WAITING {
            assert!(channels.has_room("a") && !channels.is_full());
            channels.answer("a", Message::default());
        }
        assert!(!channels.has_room("a") && channels.is_full());
    }
}
