//! One MQTT connection over TLS, from its first byte to its last.
//!
//! Packets are read and written by `rumqttc`'s codec; dialling, TLS and what belongs to one connection are here. That
//! library's own event loop dials one address after the other without a limit, pings although publishes go out, and
//! keeps across connections what the journal keeps better.

pub mod dial;
pub mod dialer;
pub mod error;
pub mod roots;
mod stage;
pub mod timing;
pub mod tls;
mod wire;

use std::collections::VecDeque;
use std::time::Duration;

use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, Packet, QoS, Subscribe, SubscribeFilter, SubscribeReasonCode,
};
use rustls::pki_types::ServerName;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tracker_protocol::Publish;
use tracker_timers::{Sleep, sleep_until};

use crate::config::Endpoint;
use crate::link::dialer::Dialer;
use crate::link::error::{
    bad_topic, io_error, no_connack, no_pong, no_room, not_heeded, refused, unacknowledged,
};
use crate::link::stage::{Attempt, Stage};
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::link::wire::Wire;

pub use error::{LinkError, LinkErrorKind, explain_tls};

/// Time for the last packet to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
/// Messages that the other side may leave unacknowledged: the delivery window, twin requests, and an answer for every
/// method call of a burst.
const MOST_IN_FLIGHT: usize = 4096;
/// So many of them may be messages whose acknowledgement nobody waits for: the rest of the room is for readings.
const MOST_ANSWERS: usize = 3072;
/// Longest topic, in bytes, of which MQTT has two to say so.
const LONGEST_TOPIC: usize = u16::MAX as usize;

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// Host and port; the host is also the name that the server's certificate must carry.
    pub endpoint: Endpoint,
    /// MQTT client ID.
    pub client_id: String,
    /// MQTT user name.
    pub username: String,
    /// Seconds without a word of ours after which to ping.
    pub keep_alive: u16,
    /// How long connecting, its stages, and answers to pings may take.
    pub timing: Timing,
    /// TLS with the device's certificate.
    pub tls: Tls,
}

/// A connection; `T` is what the acknowledgement of a publish stands for. Dropping it cuts it.
pub struct Link<T> {
    wire: Wire,
    greeting: Greeting,
    /// Publishes sent and not acknowledged, oldest first, and what their acknowledgement stands for.
    in_flight: VecDeque<(u16, Option<T>)>,
    last_packet_id: u16,
    keep_alive: Duration,
    /// When something was last sent: the server expects a word of ours every `keep_alive`.
    said_at: Instant,
    pong_within: Duration,
    /// When the ping that is not answered yet must be.
    pong_due: Option<Instant>,
    /// Rings when a ping or its answer may be due, never later than either. What is said meanwhile does not set it
    /// anew.
    alarm: Sleep,
    /// A subscription that was asked for before CONNACK, and is not acknowledged so long after it, is asked for again.
    heeded_within: Duration,
}

/// How far server and device have greeted each other.
///
/// MQTT 3.1.1 (section 3.1.4) lets a client send packets at once after CONNECT, without waiting for CONNACK. A server that
/// minds closes, or goes on as if it had not heard them.
enum Greeting {
    /// CONNECT is on its way; packets may have followed it, and a subscription among them.
    Awaited { attempt: Attempt, endpoint: Endpoint, followed: bool, subscription: Option<Subscribe> },
    /// CONNACK has come, and SUBACK of a subscription that was asked for before has not.
    Unsure {
        subscription: Subscribe,
        /// Then it is asked for again. A server that answers that, and not what came before, has not heard the first; one
        /// that is late answers the first.
        until: Instant,
        /// Packet ID of the second.
        again: Option<u16>,
    },
    /// It has, or none was asked for before.
    Done,
    /// The server minds.
    Minded,
}

/// What a link reports.
#[derive(Debug)]
pub enum LinkEvent<T> {
    /// The server has accepted the device: CONNACK 0. The first event of a link.
    Connected,
    /// A message arrived.
    Message {
        /// Its topic.
        topic: String,
        /// Its body.
        payload: Vec<u8>,
    },
    /// The other side has taken the publish that was made with this.
    Acknowledged(T),
    /// A subscription is in force.
    Subscribed,
}

impl<T> Link<T> {
    /// Connects and waits for CONNACK.
    pub async fn connect(options: &LinkOptions) -> Result<Self, LinkError> {
        Self::connect_by(&mut Dialer::default(), options).await
    }

    /// As [`Link::connect`], with a memory of earlier attempts.
    pub async fn connect_by(dialer: &mut Dialer, options: &LinkOptions) -> Result<Self, LinkError> {
        let mut link = Self::open(dialer, options).await?;
        match link.next().await? {
            LinkEvent::Connected => Ok(link),
            // A link begins with that one.
            _ => Err(no_connack()),
        }
    }

    /// Makes TLS, and does not wait for CONNACK: what is said meanwhile leaves together with CONNECT, as soon as
    /// [`Link::next`] waits for the answers.
    pub async fn open(dialer: &mut Dialer, options: &LinkOptions) -> Result<Self, LinkError> {
        Self::attempt(dialer, options).await.map_err(|error| error.at(&options.endpoint))
    }

    async fn attempt(dialer: &mut Dialer, options: &LinkOptions) -> Result<Self, LinkError> {
        let LinkOptions { endpoint, client_id, username, keep_alive, timing, tls } = options;
        let attempt = Attempt::begin(timing);
        let name = ServerName::try_from(endpoint.host.clone())
            .map_err(|error| LinkError { kind: LinkErrorKind::Answered, why: error.to_string() })?;
        let tcp = dialer.reach(endpoint, &attempt).await?;
        // Packets are small, and each is waited for.
        let _ = tcp.set_nodelay(true);
        let securing = TlsConnector::from(tls.clone()).connect(name, tcp);
        let stream = attempt.stage(Stage::Securing, securing).await?.map_err(|error| io_error(&error))?;
        let mut wire = Wire::new(stream);
        let mut connect = Connect::new(client_id);
        connect.keep_alive = *keep_alive;
        connect.set_login(username, "");
        wire.queue(&Packet::Connect(connect))?;
        let said_at = Instant::now();
        Ok(Self {
            wire,
            in_flight: VecDeque::new(),
            last_packet_id: 0,
            keep_alive: Duration::from_secs((*keep_alive).into()),
            said_at,
            pong_within: timing.pong_within,
            pong_due: None,
            alarm: sleep_until(said_at + attempt.left()),
            greeting: Greeting::Awaited {
                attempt,
                endpoint: endpoint.clone(),
                followed: false,
                subscription: None,
            },
            // Long before it would be given up.
            heeded_within: timing.acknowledge_within / 6,
        })
    }

    /// Whether the server has accepted the device.
    pub fn is_connected(&self) -> bool {
        !matches!(self.greeting, Greeting::Awaited { .. })
    }

    /// Once the link is lost: whether the server has closed it, or taken no notice, because packets followed CONNECT at
    /// once.
    pub fn is_minded(&self) -> bool {
        matches!(self.greeting, Greeting::Minded)
    }

    /// Asks for messages on `filter`, `QoS` 1.
    pub fn subscribe(&mut self, filters: impl IntoIterator<Item = String>) -> Result<(), LinkError> {
        let filters = filters.into_iter().map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
        let mut subscribe = Subscribe::new_many(filters);
        subscribe.pkid = self.packet_id()?;
        if let Greeting::Awaited { subscription, .. } = &mut self.greeting {
            *subscription = Some(subscribe.clone());
        }
        self.say(&Packet::Subscribe(subscribe))
    }

    /// Publishes at `QoS` 1. What is given as `acknowledges` comes back as [`LinkEvent::Acknowledged`]. A message that
    /// can't be sent ([`LinkErrorKind::Unsendable`]) leaves the connection as it is: so it is with one that is given nothing
    /// when thousands wait for their acknowledgement, as after a burst of calls.
    pub fn publish(&mut self, message: Publish, acknowledges: Option<T>) -> Result<(), LinkError> {
        let Publish { topic, payload } = message;
        if topic.is_empty()
            || topic.len() > LONGEST_TOPIC
            || topic.bytes().any(|byte| matches!(byte, b'+' | b'#' | 0))
        {
            return Err(bad_topic());
        }
        if acknowledges.is_none() && self.in_flight.len() >= MOST_ANSWERS {
            return Err(no_room(MOST_ANSWERS));
        }
        let mut publish = rumqttc::Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = self.packet_id()?;
        let id = publish.pkid;
        self.say(&Packet::Publish(publish))?;
        self.in_flight.push_back((id, acknowledges));
        Ok(())
    }

    /// A packet ID that no message in flight has.
    fn packet_id(&mut self) -> Result<u16, LinkError> {
        if self.in_flight.len() >= MOST_IN_FLIGHT {
            return Err(unacknowledged(MOST_IN_FLIGHT));
        }
        self.last_packet_id =
            free_id(self.last_packet_id, |wanted| self.in_flight.iter().any(|(id, _)| *id == wanted));
        Ok(self.last_packet_id)
    }

    fn say(&mut self, packet: &Packet) -> Result<(), LinkError> {
        self.wire.queue(packet)?;
        if let Greeting::Awaited { followed, .. } = &mut self.greeting {
            *followed = true;
        }
        self.said_at = Instant::now();
        Ok(())
    }

    /// What the publishes stand for that are not acknowledged yet, oldest first.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &T> {
        self.in_flight.iter().filter_map(|(_, acknowledges)| acknowledges.as_ref())
    }

    /// The next event; what was said leaves meanwhile. Cancel-safe.
    pub async fn next(&mut self) -> Result<LinkEvent<T>, LinkError> {
        loop {
            // Packets that came together are no reason to hold up all else.
            tokio::task::coop::consume_budget().await;
            let packet = tokio::select! {
                // A server that never stops talking must not keep the device from saying a word.
                biased;
                () = &mut self.alarm => {
                    self.ring()?;
                    continue;
                }
                packet = self.wire.receive() => packet,
            };
            if !self.is_connected() {
                self.greeted(packet)?;
                return Ok(LinkEvent::Connected);
            }
            let packet = packet.inspect_err(|error| self.broken(error));
            match packet? {
                Packet::PubAck(ack) => {
                    let acknowledged = self.in_flight.iter().position(|(id, _)| *id == ack.pkid);
                    let acknowledged = acknowledged.and_then(|index| self.in_flight.remove(index));
                    if let Some((_, Some(acknowledged))) = acknowledged {
                        return Ok(LinkEvent::Acknowledged(acknowledged));
                    }
                }
                Packet::PingResp => {
                    self.pong_due = None;
                    self.set_alarm();
                }
                Packet::SubAck(ack) => {
                    self.heeded(ack.pkid)?;
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        let why = "the server refused a subscription".into();
                        return Err(LinkError { kind: LinkErrorKind::Answered, why });
                    }
                    return Ok(LinkEvent::Subscribed);
                }
                Packet::Publish(message) => {
                    return Ok(LinkEvent::Message {
                        topic: message.topic,
                        payload: message.payload.to_vec(),
                    });
                }
                _ => {}
            }
        }
    }

    /// Takes the first packet, which must be CONNACK.
    fn greeted(&mut self, packet: Result<Packet, LinkError>) -> Result<(), LinkError> {
        let Greeting::Awaited { endpoint, followed, subscription, .. } = &mut self.greeting else {
            return Ok(());
        };
        let followed = *followed;
        let mut minded = false;
        let error = match packet {
            Ok(Packet::ConnAck(ConnAck { code: ConnectReturnCode::Success, .. })) => {
                let until = Instant::now() + self.heeded_within;
                let unsure = |subscription| Greeting::Unsure { subscription, until, again: None };
                self.greeting = subscription.take().map_or(Greeting::Done, unsure);
                self.set_alarm();
                return Ok(());
            }
            Ok(Packet::ConnAck(ConnAck { code, .. })) => refused(code),
            Ok(_) => {
                minded = true;
                no_connack()
            }
            Err(error) => {
                minded = matches!(error.kind, LinkErrorKind::Closed | LinkErrorKind::Outage);
                error
            }
        }
        .at(endpoint);
        if followed && minded {
            self.greeting = Greeting::Minded;
        }
        Err(error)
    }

    /// A server that closes before it has answered what was said before its CONNACK may have closed because of it.
    fn broken(&mut self, error: &LinkError) {
        if matches!(self.greeting, Greeting::Unsure { .. }) && error.kind == LinkErrorKind::Closed {
            self.greeting = Greeting::Minded;
        }
    }

    /// A subscription is answered. Where it is the one that was asked for again, the server has not heard the first.
    fn heeded(&mut self, packet_id: u16) -> Result<(), LinkError> {
        if let Greeting::Unsure { again, .. } = &self.greeting {
            if *again == Some(packet_id) {
                self.greeting = Greeting::Minded;
                return Err(not_heeded());
            }
            self.greeting = Greeting::Done;
            self.set_alarm();
        }
        Ok(())
    }

    /// Something may be due. MQTT asks for a ping only where nothing else was said.
    fn ring(&mut self) -> Result<(), LinkError> {
        let now = Instant::now();
        match &self.greeting {
            Greeting::Awaited { attempt, endpoint, .. } => {
                return Err(attempt.late(Stage::Greeting).at(endpoint));
            }
            Greeting::Unsure { subscription, until, again: None } if *until <= now => {
                let mut subscription = subscription.clone();
                subscription.pkid = self.packet_id()?;
                let id = subscription.pkid;
                self.say(&Packet::Subscribe(subscription))?;
                if let Greeting::Unsure { again, .. } = &mut self.greeting {
                    *again = Some(id);
                }
            }
            _ => {}
        }
        match self.pong_due {
            Some(due) if due <= now => return Err(no_pong()),
            None if self.said_at + self.keep_alive <= now => {
                self.say(&Packet::PingReq)?;
                self.pong_due = Some(now + self.pong_within);
            }
            _ => {}
        }
        self.set_alarm();
        Ok(())
    }

    fn set_alarm(&mut self) {
        let next = self.pong_due.unwrap_or(self.said_at + self.keep_alive);
        let next = match self.greeting {
            Greeting::Unsure { until, again: None, .. } => next.min(until),
            _ => next,
        };
        self.alarm.reset(next);
    }

    /// Says goodbye, as far as the other side still listens.
    pub async fn close(mut self) {
        if self.wire.queue(&Packet::Disconnect).is_ok() {
            let _ = timeout(CLOSE_TIMEOUT, self.wire.flush()).await;
        }
    }
}

/// The next packet ID that is not busy; there must be one. 0 is none.
fn free_id(last: u16, busy: impl Fn(u16) -> bool) -> u16 {
    let mut id = last;
    loop {
        id = id.checked_add(1).unwrap_or(1);
        if !busy(id) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_ids_go_round_and_leave_out_what_is_busy_and_zero() {
        assert_eq!(free_id(0, |_| false), 1);
        assert_eq!(free_id(7, |id| id == 8 || id == 9), 10);
        assert_eq!(free_id(u16::MAX, |id| id == 1), 2);
        assert_eq!(free_id(u16::MAX - 2, |id| id >= u16::MAX - 1), 1);
    }
}
