//! One MQTT connection over TLS, from its first byte to its last; where that port is closed, in a WebSocket and through a proxy.
//!
//! Packets are read and written by `rumqttc`'s codec (`classic.rs` for MQTT 3.1.1, `v5/` for MQTT 5); dialling, TLS and what
//! belongs to one connection are here, the same for both. That library's own event loop dials one address after the other
//! without a limit, pings although publishes go out, and keeps across connections what the journal keeps better.

mod classic;
mod codec;
pub mod dial;
pub mod dialer;
pub mod error;
mod http;
#[cfg(feature = "tpm")]
pub mod https;
pub mod roots;
mod message;
mod packet;
mod stage;
pub mod timing;
pub mod tls;
pub mod tunnel;
mod upgrade;
#[cfg(feature = "mqtt5")]
mod v5;
mod websocket;
mod wire;

use std::collections::VecDeque;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracker_protocol::Publish;
use tracker_timers::{Sleep, sleep_until};

use crate::config::{Endpoint, Proxy, Transport};
use crate::identity::Password;
use crate::link::dialer::Dialer;
use crate::link::error::{bad_topic, io_error, no_connack, no_pong, no_room, not_heeded, unacknowledged};
use crate::link::packet::{Heard, Said, Welcome};
use crate::link::stage::{Attempt, Stage};
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::link::websocket::WebSocket;
use crate::link::wire::Wire;

pub use codec::Version;
pub use error::{LinkError, LinkErrorKind, explain_tls};
pub use message::{Message, Properties};
pub use packet::{Refusal, RefusalKind};

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
    /// What carries MQTT.
    pub transport: Transport,
    /// Through which TCP goes.
    pub proxy: Option<Proxy>,
    /// MQTT client ID.
    pub client_id: String,
    /// MQTT user name.
    pub username: String,
    /// In place of a certificate.
    pub password: Option<Password>,
    /// Seconds without a word of ours after which to ping.
    pub keep_alive: u16,
    /// How long connecting, its stages, and answers to pings may take.
    pub timing: Timing,
    /// TLS with the device's certificate.
    pub tls: Tls,
    /// Which MQTT to speak.
    pub version: Version,
}

/// A connection; `T` is what the acknowledgement of a publish stands for. Dropping it cuts it.
pub struct Link<T> {
    wire: Wire,
    greeting: Greeting,
    /// Publishes sent and not acknowledged, oldest first, and what their acknowledgement stands for.
    in_flight: VecDeque<(u16, Option<T>)>,
    /// So many may be in flight, as the server says; MQTT 3.1.1 does not say.
    receive_maximum: usize,
    /// Those for which there is no room there yet.
    held: VecDeque<(Message, Option<T>)>,
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
    Awaited { attempt: Attempt, endpoint: Endpoint, followed: bool, subscription: Option<Vec<String>> },
    /// CONNACK has come, and SUBACK of a subscription that was asked for before has not.
    Unsure {
        subscription: Vec<String>,
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
        /// What MQTT 5 says beside.
        properties: Option<Box<Properties>>,
    },
    /// The other side has taken the publish that was made with this.
    Acknowledged(T),
    /// The other side does not take the publish that was made with this, and says why. The connection stands.
    Refused(Option<T>, Refusal),
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
        let LinkOptions { endpoint, client_id, username, password, keep_alive, timing, version, .. } =
            options;
        let password = password.as_ref().map_or("", Password::reveal);
        let attempt = Attempt::begin(timing);
        // In a place of its own, which is given back: it takes more than all that comes after.
        let mut wire = Box::pin(Self::wire(dialer, options, &attempt, *version)).await?;
        wire.queue(Said::Connect { client_id, username, password, keep_alive: *keep_alive })?;
        let said_at = Instant::now();
        Ok(Self {
            wire,
            in_flight: VecDeque::new(),
            receive_maximum: usize::MAX,
            held: VecDeque::new(),
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

    /// What is there before MQTT: TCP, the proxy's tunnel, TLS, the WebSocket.
    async fn wire(
        dialer: &mut Dialer,
        LinkOptions { endpoint, proxy, transport, tls, .. }: &LinkOptions,
        attempt: &Attempt,
        version: Version,
    ) -> Result<Wire, LinkError> {
        let mut stream = secure(dialer, endpoint, proxy.as_ref(), tls, attempt).await?;
        let websocket = match transport {
            Transport::Mqtt => None,
            Transport::Websocket => {
                let upgrading = upgrade::upgrade(&mut stream, endpoint);
                Some(WebSocket::new(attempt.stage(Stage::Upgrading, upgrading).await??))
            }
        };
        Ok(Wire::new(stream, websocket, version))
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
        let filters: Vec<String> = filters.into_iter().collect();
        let id = self.packet_id()?;
        self.say(Said::Subscribe { id, filters: &filters })?;
        if let Greeting::Awaited { subscription, .. } = &mut self.greeting {
            *subscription = Some(filters);
        }
        Ok(())
    }

    /// Publishes at `QoS` 1. What is given as `acknowledges` comes back as [`LinkEvent::Acknowledged`]. A message that
    /// can't be sent ([`LinkErrorKind::Unsendable`]) leaves the connection as it is: so it is with one that is given nothing
    /// when thousands wait for their acknowledgement, as after a burst of calls.
    pub fn publish(&mut self, message: Publish, acknowledges: Option<T>) -> Result<(), LinkError> {
        self.send(message.into(), acknowledges)
    }

    /// As [`Link::publish`], with what MQTT 5 lets a message say. One that the server has no room for leaves later.
    pub fn send(&mut self, message: Message, acknowledges: Option<T>) -> Result<(), LinkError> {
        let topic = &message.publish.topic;
        if topic.is_empty()
            || topic.len() > LONGEST_TOPIC
            || topic.bytes().any(|byte| matches!(byte, b'+' | b'#' | 0))
        {
            return Err(bad_topic());
        }
        if !message.at_least_once {
            return self.say(Said::Publish { id: 0, message });
        }
        if acknowledges.is_none() && self.in_flight.len() + self.held.len() >= MOST_ANSWERS {
            return Err(no_room(MOST_ANSWERS));
        }
        if self.in_flight.len() >= self.receive_maximum {
            self.held.push_back((message, acknowledges));
            return Ok(());
        }
        self.say_publish(message, acknowledges)
    }

    fn say_publish(&mut self, message: Message, acknowledges: Option<T>) -> Result<(), LinkError> {
        let id = self.packet_id()?;
        self.say(Said::Publish { id, message })?;
        self.in_flight.push_back((id, acknowledges));
        Ok(())
    }

    /// So many messages may wait for their acknowledgement, of `most`: the server may take fewer.
    pub fn window(&self, most: usize) -> usize {
        most.min(self.receive_maximum)
    }

    /// How many messages more may be sent, of so many that may wait for their acknowledgement at the most: the server may
    /// take fewer.
    pub fn room(&self, most: usize) -> usize {
        let room = self.receive_maximum.saturating_sub(self.in_flight.len() + self.held.len());
        most.saturating_sub(self.unacknowledged().count()).min(room)
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

    fn say(&mut self, packet: Said<'_>) -> Result<(), LinkError> {
        self.wire.queue(packet)?;
        if let Greeting::Awaited { followed, .. } = &mut self.greeting {
            *followed = true;
        }
        self.said_at = Instant::now();
        Ok(())
    }

    /// What the publishes stand for that are not acknowledged yet, oldest first.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &T> {
        let held = self.held.iter().map(|(_, acknowledges)| acknowledges);
        self.in_flight.iter().map(|(_, acknowledges)| acknowledges).chain(held).flatten()
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
                Heard::Acknowledged(id, refusal) => {
                    if let Some(event) = self.acknowledged(id, refusal)? {
                        return Ok(event);
                    }
                }
                Heard::Pong => {
                    self.pong_due = None;
                    self.set_alarm();
                }
                Heard::Subscribed(id, granted) => {
                    self.heeded(id)?;
                    granted?;
                    return Ok(LinkEvent::Subscribed);
                }
                Heard::Message { topic, payload, properties, .. } => {
                    return Ok(LinkEvent::Message { topic, payload, properties });
                }
                Heard::Goodbye(error) => {
                    self.ended(&error);
                    return Err(error);
                }
                Heard::Greeting(_) | Heard::Other => {}
            }
        }
    }

    /// The server has taken a publish, or not: there is room for another one.
    fn acknowledged(&mut self, id: u16, refusal: Option<Refusal>) -> Result<Option<LinkEvent<T>>, LinkError> {
        let acknowledged = self.in_flight.iter().position(|(sent, _)| *sent == id);
        let Some((_, acknowledges)) = acknowledged.and_then(|index| self.in_flight.remove(index)) else {
            return Ok(None);
        };
        if let Some((message, acknowledges)) = self.held.pop_front() {
            self.say_publish(message, acknowledges)?;
        }
        Ok(match refusal {
            None => acknowledges.map(LinkEvent::Acknowledged),
            Some(refusal) => Some(LinkEvent::Refused(acknowledges, refusal)),
        })
    }

    /// Takes the first packet, which must be CONNACK.
    fn greeted(&mut self, packet: Result<Heard, LinkError>) -> Result<(), LinkError> {
        let Greeting::Awaited { endpoint, followed, subscription, .. } = &mut self.greeting else {
            return Ok(());
        };
        let followed = *followed;
        let (error, minded) = match packet {
            Ok(Heard::Greeting(Ok(Welcome { receive_maximum, keep_alive }))) => {
                let until = Instant::now() + self.heeded_within;
                let unsure = |subscription| Greeting::Unsure { subscription, until, again: None };
                self.greeting = subscription.take().map_or(Greeting::Done, unsure);
                self.receive_maximum = receive_maximum.map_or(usize::MAX, usize::from);
                if let Some(seconds) = keep_alive {
                    self.keep_alive = Duration::from_secs(seconds.into());
                }
                self.set_alarm();
                return Ok(());
            }
            Ok(Heard::Greeting(Err(refused))) => {
                // To a strict server, packets that did not wait for it are an error of the protocol.
                let minded = refused.kind == LinkErrorKind::Terminal;
                (refused, minded)
            }
            Ok(_) => (no_connack(), true),
            Err(error) => {
                let minded = matches!(error.kind, LinkErrorKind::Closed | LinkErrorKind::Outage);
                (error, minded)
            }
        };
        let error = error.at(endpoint);
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

    /// The same of one that says why it ends the connection, and finds fault with what this side has sent.
    fn ended(&mut self, error: &LinkError) {
        if matches!(self.greeting, Greeting::Unsure { .. }) && error.kind == LinkErrorKind::Terminal {
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
                let filters = subscription.clone();
                let id = self.packet_id()?;
                self.say(Said::Subscribe { id, filters: &filters })?;
                if let Greeting::Unsure { again, .. } = &mut self.greeting {
                    *again = Some(id);
                }
            }
            _ => {}
        }
        match self.pong_due {
            Some(due) if due <= now => return Err(no_pong()),
            None if self.said_at + self.keep_alive <= now => {
                self.say(Said::Ping)?;
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
        if self.wire.queue(Said::Goodbye).is_ok() {
            self.wire.queue_end();
            let _ = timeout(CLOSE_TIMEOUT, self.wire.flush()).await;
        }
    }
}

/// TCP, the proxy's tunnel, TLS.
async fn secure(
    dialer: &mut Dialer,
    endpoint: &Endpoint,
    proxy: Option<&Proxy>,
    tls: &Tls,
    attempt: &Attempt,
) -> Result<TlsStream<TcpStream>, LinkError> {
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|error| LinkError { kind: LinkErrorKind::Answered, why: error.to_string() })?;
    let tcp = match proxy {
        None => dialer.reach(endpoint, attempt).await?,
        Some(proxy) => {
            let reached = dialer.reach(&proxy.endpoint, attempt).await;
            let mut tcp = reached.map_err(|error| error.at_proxy(proxy))?;
            attempt.stage(Stage::Tunnelling, tunnel::open(&mut tcp, endpoint, proxy)).await??;
            tcp
        }
    };
    // Packets are small, and each is waited for.
    let _ = tcp.set_nodelay(true);
    let securing = TlsConnector::from(tls.clone()).connect(name, tcp);
    Ok(attempt.stage(Stage::Securing, securing).await?.map_err(|error| io_error(&error))?)
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
