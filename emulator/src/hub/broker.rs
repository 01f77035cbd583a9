//! What a broker of MQTT 5 keeps for one client: its subscriptions, and messages of `QoS` 1 on their way to it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tracker_protocol::hub_v5::Channel;

use crate::mqtt::{PacketId, Publish, QoS, reason};

/// Messages that may wait for a client that is not connected; with more, its session ends (limits of the broker, of 2023).
const MAX_KEPT: usize = 100;

/// The same in bytes.
const MAX_KEPT_BYTES: usize = 1024 * 1024;

/// The subscriptions of a client: what follows `ih/{id}/dev/`, and the `QoS` granted.
#[derive(Clone, Debug, Default)]
pub(super) struct Filters(BTreeMap<String, QoS>);

impl Filters {
    /// Takes a subscription; gives its reason code, and the words for one that is refused.
    pub(super) fn subscribe(&mut self, filter: &str, asked: QoS, device_id: &str) -> (u8, Option<String>) {
        if filter.starts_with("$share/") {
            return (reason::SHARED_SUBSCRIPTION, Some("there are no shared subscriptions here".into()));
        }
        let Some(rest) = own(filter, device_id) else {
            let what = if filter.to_ascii_lowercase().contains("devicebound") {
                "a hub of MQTT 5 has no messages from the cloud"
            } else if filter.starts_with("$iothub/credentials") {
                "a hub of MQTT 5 renews no certificates; DPS issues them"
            } else {
                "not a topic to this device: ih/{id}/dev/…"
            };
            return (reason::NOT_AUTHORIZED, Some(what.into()));
        };
        let granted = asked.min(QoS::AtLeastOnce);
        self.0.insert(rest.to_owned(), granted);
        (granted as u8, None)
    }

    /// Ends a subscription; gives its reason code.
    pub(super) fn unsubscribe(&mut self, filter: &str, device_id: &str) -> u8 {
        match own(filter, device_id).and_then(|rest| self.0.remove(rest)) {
            Some(_) => reason::SUCCESS,
            None => reason::NO_SUBSCRIPTION_EXISTED,
        }
    }

    /// The highest `QoS` with which the client wants what is published there.
    pub(super) fn granted(&self, channel: Channel) -> Option<QoS> {
        ["#", "+", channel.name()].iter().filter_map(|rest| self.0.get(*rest)).max().copied()
    }
}

/// What follows `ih/{id}/dev/` in a filter that a device may subscribe to.
fn own<'a>(filter: &'a str, device_id: &str) -> Option<&'a str> {
    let rest = filter.strip_prefix("ih/")?.strip_prefix(device_id)?.strip_prefix("/dev/")?;
    matches!(rest, "#" | "+" | "presence" | "twin" | "methods").then_some(rest)
}

/// A message of `QoS` 1.
#[derive(Clone, Debug)]
struct Waiting {
    publish: Publish,
    expires: Option<Instant>,
}

/// Messages of `QoS` 1 on their way to one client, no more of them unacknowledged than it takes.
#[derive(Debug)]
pub(super) struct Outbox {
    window: usize,
    last_id: u16,
    in_flight: Vec<(PacketId, Waiting)>,
    waiting: VecDeque<Waiting>,
}

impl Outbox {
    /// For a client that takes this many; `kept` are those of the connection before.
    pub(super) fn new(window: u16, kept: Vec<KeptMessage>) -> Self {
        let waiting = kept.into_iter().map(|KeptMessage(message)| message).collect();
        Self { window: window.into(), last_id: 0, in_flight: Vec::new(), waiting }
    }

    pub(super) fn put(&mut self, now: Instant, publish: Publish) {
        let expiry = publish.properties.as_ref().and_then(|properties| properties.expiry);
        let expires = expiry.map(|seconds| now + Duration::from_secs(seconds.into()));
        self.waiting.push_back(Waiting { publish, expires });
    }

    pub(super) fn acknowledged(&mut self, id: PacketId) {
        self.in_flight.retain(|(known, _)| *known != id);
    }

    /// The next message that may go; those whose time is over are dropped.
    pub(super) fn next(&mut self, now: Instant) -> Option<Publish> {
        while self.in_flight.len() < self.window {
            let mut message = self.waiting.pop_front()?;
            if message.expires.is_some_and(|end| end <= now) {
                continue;
            }
            let id = self.free_id();
            message.publish.packet_id = Some(id);
            if let Some(properties) = &mut message.publish.properties {
                // What is left of it (section 3.3.2.3.3), in whole seconds.
                let left = message.expires.map(|end| (end - now).as_millis().div_ceil(1000) as u32);
                properties.expiry = left;
            }
            let publish = message.publish.clone();
            self.in_flight.push((id, message));
            return Some(publish);
        }
        None
    }

    fn free_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_id)
                && self.in_flight.iter().all(|(used, _)| *used != id)
            {
                return id;
            }
        }
    }

    /// What the next connection is to have: first what was sent and not acknowledged, marked as repeated. `None`: too much.
    fn keep(self) -> Option<Vec<KeptMessage>> {
        let sent = self.in_flight.into_iter().map(|(_, mut message)| {
            message.publish.dup = true;
            message
        });
        let kept: Vec<_> = sent.chain(self.waiting).map(KeptMessage).collect();
        let bytes: usize = kept.iter().map(|KeptMessage(message)| message.publish.payload.len()).sum();
        (kept.len() <= MAX_KEPT && bytes <= MAX_KEPT_BYTES).then_some(kept)
    }
}

/// One that waits for the next connection.
#[derive(Clone, Debug)]
pub(super) struct KeptMessage(Waiting);

/// A session that outlives its connection.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptSession {
    pub filters: Filters,
    pub messages: Vec<KeptMessage>,
    /// When it ends; `None` while the client is connected.
    pub until: Option<DateTime<Utc>>,
}

impl KeptSession {
    /// At the end of a connection. `None`: too much waits, and the session is over.
    pub(super) fn new(filters: Filters, outbox: Outbox, until: DateTime<Utc>) -> Option<Self> {
        Some(Self { filters, messages: outbox.keep()?, until: Some(until) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::MessageProperties;

    fn message(name: &str, expiry: Option<u32>) -> Publish {
        let properties = MessageProperties { expiry, ..MessageProperties::default() };
        Publish {
            qos: QoS::AtLeastOnce,
            properties: Some(Box::new(properties)),
            ..Publish::new("ih/d/dev/methods", name.as_bytes().to_vec())
        }
    }

    fn bodies(outbox: &mut Outbox, now: Instant) -> Vec<(String, bool, Option<u32>, PacketId)> {
        std::iter::from_fn(|| outbox.next(now))
            .map(|publish| {
                let expiry = publish.properties.and_then(|properties| properties.expiry);
                let body = String::from_utf8_lossy(&publish.payload).into_owned();
                (body, publish.dup, expiry, publish.packet_id.expect("an identifier"))
            })
            .collect()
    }

    #[test]
    fn no_more_goes_out_than_the_client_takes_and_nothing_that_has_expired() {
        let start = Instant::now();
        let mut outbox = Outbox::new(2, Vec::new());
        for (name, expiry) in [("a", None), ("b", Some(10)), ("c", Some(3)), ("d", Some(10))] {
            outbox.put(start, message(name, expiry));
        }
        let first = bodies(&mut outbox, start);
        assert_eq!(first.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        outbox.acknowledged(first[0].3);
        let later = start + Duration::from_millis(3500);
        let second = bodies(&mut outbox, later);
        assert_eq!(second.len(), 1);
        assert_eq!((second[0].0.as_str(), second[0].2), ("d", Some(7)), "6.5 s are left of it");
    }

    #[test]
    fn what_was_not_acknowledged_comes_again_on_the_next_connection_until_it_expires() {
        let start = Instant::now();
        let mut outbox = Outbox::new(1, Vec::new());
        outbox.put(start, message("a", None));
        outbox.put(start, message("b", Some(5)));
        bodies(&mut outbox, start);
        let kept = KeptSession::new(Filters::default(), outbox, DateTime::UNIX_EPOCH).expect("little");
        let mut again = Outbox::new(5, kept.messages.clone());
        let comes = bodies(&mut again, start);
        assert_eq!(
            comes.iter().map(|(name, dup, ..)| (name.as_str(), *dup)).collect::<Vec<_>>(),
            [("a", true), ("b", false)]
        );
        let mut late = Outbox::new(5, kept.messages);
        assert_eq!(bodies(&mut late, start + Duration::from_secs(6)).len(), 1);
        let mut much = Outbox::new(1, Vec::new());
        (0..=MAX_KEPT).for_each(|_| much.put(start, message("x", None)));
        assert!(KeptSession::new(Filters::default(), much, DateTime::UNIX_EPOCH).is_none());
    }

    #[test]
    fn filters_to_the_device_are_taken_and_others_refused_in_words() {
        let mut filters = Filters::default();
        let asked = QoS::ExactlyOnce;
        assert_eq!(filters.subscribe("ih/d/dev/#", asked, "d"), (1, None));
        assert_eq!(filters.subscribe("ih/d/dev/twin", QoS::AtMostOnce, "d"), (0, None));
        assert_eq!(filters.granted(Channel::Twin), Some(QoS::AtLeastOnce));
        assert_eq!(filters.unsubscribe("ih/d/dev/#", "d"), 0);
        assert_eq!(filters.unsubscribe("ih/d/dev/#", "d"), 0x11);
        assert_eq!(filters.granted(Channel::Twin), Some(QoS::AtMostOnce));
        assert_eq!(filters.granted(Channel::Methods), None);
        for (filter, code, part) in [
            ("$share/g/ih/d/dev/#", 0x9e, "shared"),
            ("ih/e/dev/#", 0x87, "not a topic to this device"),
            ("ih/d/srv/#", 0x87, "not a topic"),
            ("#", 0x87, "not a topic"),
            ("devices/d/messages/devicebound/#", 0x87, "no messages from the cloud"),
            ("$iothub/credentials/res/#", 0x87, "renews no certificates"),
        ] {
            let (given, why) = filters.subscribe(filter, asked, "d");
            let why = why.unwrap_or_default();
            assert!(given == code && why.contains(part), "{filter}: {given:#x} {why}");
        }
    }
}
