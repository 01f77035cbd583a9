//! One MQTT connection over TLS, from its first byte to its last.
//!
//! Every connection gets a `rumqttc` client and event loop of its own: what that library keeps across connections
//! (packet IDs, pending publishes) survives badly, and the journal does it better. The event loop runs in its own
//! task, so that no `select!` ever cancels it half way through a handshake.

pub mod error;
pub mod stage;
pub mod timing;
pub mod tls;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Incoming, MqttOptions, NetworkOptions, Outgoing, Packet,
    QoS, SubscribeReasonCode, TlsConfiguration, Transport,
};
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracker_protocol::Publish;

use crate::config::Endpoint;
use crate::link::error::{classify, no_pong, queue_full};
use crate::link::stage::stuck;
use crate::link::timing::Timing;
use crate::link::tls::Tls;

pub use error::{LinkError, LinkErrorKind, explain_tls};

/// Time for the last packet to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
/// Requests to and events from the event loop that may wait. Everything sent is bounded below it: the delivery window,
/// one twin request of each kind, one answer for every method call received.
const CHANNEL: usize = 256;
/// Packet IDs in use at the most; above the delivery window, so that the client never stops on a collision.
const PACKET_IDS: u16 = 512;
/// Largest packet either way: what a hub takes, and its topic.
const LARGEST_PACKET: usize = 260 * 1024;

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub struct LinkOptions {
    /// Host and port; the host is also the name that the server's certificate must carry.
    pub endpoint: Endpoint,
    /// MQTT client ID.
    pub client_id: String,
    /// MQTT user name.
    pub username: String,
    /// Seconds of silence after which to ping.
    pub keep_alive: u16,
    /// How long connecting, its stages, and answers to pings may take.
    pub timing: Timing,
    /// TLS with the device's certificate.
    pub tls: Tls,
}

/// A connection that stands; `T` is what the acknowledgement of a publish stands for. Dropping it cuts it.
pub struct Link<T> {
    client: AsyncClient,
    events: mpsc::Receiver<Result<Event, ConnectionError>>,
    task: JoinHandle<()>,
    /// Publishes handed to the client, in the order in which it will number them.
    unnumbered: VecDeque<Option<T>>,
    /// What the acknowledgement of each packet ID in flight stands for.
    in_flight: HashMap<u16, T>,
    pong_within: Duration,
    /// When the ping that is not answered yet must be.
    pong_due: Option<Instant>,
}

/// What a link reports.
#[derive(Debug)]
pub enum LinkEvent<T> {
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
        let LinkOptions { endpoint, client_id, username, keep_alive, timing, tls } = options;
        let mut mqtt = MqttOptions::new(client_id, &endpoint.host, endpoint.port);
        mqtt.set_credentials(username, "")
            .set_keep_alive(Duration::from_secs((*keep_alive).into()))
            .set_clean_session(true)
            .set_max_packet_size(LARGEST_PACKET, LARGEST_PACKET)
            .set_inflight(PACKET_IDS)
            .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls.config.clone())));
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        // Counted here, to the millisecond and by stages; the library counts whole seconds.
        network.set_connection_timeout(timing.connect_within.as_secs() + 1);
        let stage = tls.begin();
        let (client, mut event_loop) = AsyncClient::new(mqtt, CHANNEL);
        event_loop.set_network_options(network);
        let (sender, events) = mpsc::channel(CHANNEL);
        let task = tokio::spawn(poll(event_loop, sender));
        let mut link = Self {
            client,
            events,
            task,
            unnumbered: VecDeque::new(),
            in_flight: HashMap::new(),
            pong_within: timing.pong_within,
            pong_due: None,
        };
        let connack = tokio::select! {
            event = link.receive() => event?,
            why = stuck(stage, resolved(endpoint), timing.stage_within, timing.connect_within) => {
                return Err(LinkError { kind: LinkErrorKind::Outage, why });
            }
        };
        match connack {
            Event::Incoming(Packet::ConnAck(_)) => Ok(link),
            other => Err(LinkError {
                kind: LinkErrorKind::Answered,
                why: format!("the server began with {other:?} instead of CONNACK"),
            }),
        }
    }

    /// Asks for messages on `filter`, `QoS` 1.
    pub fn subscribe(&self, filters: impl IntoIterator<Item = String>) -> Result<(), LinkError> {
        let filters =
            filters.into_iter().map(|filter| rumqttc::SubscribeFilter::new(filter, QoS::AtLeastOnce));
        self.client.try_subscribe_many(filters).map_err(|_| queue_full())
    }

    /// Publishes at `QoS` 1. What is given as `acknowledges` comes back as [`LinkEvent::Acknowledged`].
    pub fn publish(&mut self, message: Publish, acknowledges: Option<T>) -> Result<(), LinkError> {
        self.client
            .try_publish(message.topic, QoS::AtLeastOnce, false, message.payload)
            .map_err(|_| queue_full())?;
        self.unnumbered.push_back(acknowledges);
        Ok(())
    }

    /// What the publishes stand for that are not acknowledged yet, in no particular order.
    pub fn unacknowledged(&self) -> impl Iterator<Item = &T> {
        self.unnumbered.iter().flatten().chain(self.in_flight.values())
    }

    /// The next event. Cancel-safe.
    pub async fn next(&mut self) -> Result<LinkEvent<T>, LinkError> {
        loop {
            let event = match self.pong_due {
                Some(due) => timeout_at(due, self.receive()).await.unwrap_or_else(|_| Err(no_pong()))?,
                None => self.receive().await?,
            };
            match event {
                Event::Outgoing(Outgoing::Publish(id)) => {
                    if let Some(Some(acknowledges)) = self.unnumbered.pop_front() {
                        self.in_flight.insert(id, acknowledges);
                    }
                }
                Event::Incoming(Incoming::PubAck(ack)) => {
                    if let Some(acknowledged) = self.in_flight.remove(&ack.pkid) {
                        return Ok(LinkEvent::Acknowledged(acknowledged));
                    }
                }
                Event::Outgoing(Outgoing::PingReq) => self.pong_due = Some(Instant::now() + self.pong_within),
                Event::Incoming(Incoming::PingResp) => self.pong_due = None,
                Event::Incoming(Incoming::SubAck(ack)) => {
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        let why = "the server refused a subscription".into();
                        return Err(LinkError { kind: LinkErrorKind::Answered, why });
                    }
                    return Ok(LinkEvent::Subscribed);
                }
                Event::Incoming(Incoming::Publish(message)) => {
                    return Ok(LinkEvent::Message {
                        topic: message.topic,
                        payload: message.payload.to_vec(),
                    });
                }
                _ => {}
            }
        }
    }

    /// Says goodbye, as far as the other side still listens.
    pub async fn close(mut self) {
        if self.client.try_disconnect().is_err() {
            return;
        }
        let gone = async {
            while let Ok(event) = self.receive().await {
                if matches!(event, Event::Outgoing(Outgoing::Disconnect)) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, gone).await;
    }

    async fn receive(&mut self) -> Result<Event, LinkError> {
        match self.events.recv().await {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(classify(&error)),
            None => Err(LinkError { kind: LinkErrorKind::Outage, why: "the connection is closed".into() }),
        }
    }
}

impl<T> Drop for Link<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn poll(mut event_loop: EventLoop, events: mpsc::Sender<Result<Event, ConnectionError>>) {
    loop {
        let result = event_loop.poll().await;
        let ended = result.is_err();
        if events.send(result).await.is_err() || ended {
            return;
        }
    }
}

/// Ends when `endpoint`'s name has an address.
async fn resolved(endpoint: &Endpoint) {
    if !lookup_host((endpoint.host.as_str(), endpoint.port))
        .await
        .is_ok_and(|mut addresses| addresses.next().is_some())
    {
        // The client asks the same and will say what is wrong.
        std::future::pending::<()>().await;
    }
}
