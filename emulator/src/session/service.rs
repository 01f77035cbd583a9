//! What a service is to the session of one of its clients.

use tokio::time::Instant;

use super::{acknowledge::Acknowledger, congestion::Throttle, outlet::Outlet};
use crate::{
    events::{DisconnectReason, EventKind},
    faults::{FaultKind, Faults, Place},
    mqtt::{ConnectCode, Five, LinkError, Packet, PacketId, Publish, QoS},
};

/// One service as it serves one client, from CONNECT to the end. It sees no socket and no clock of the machine: time
/// and packets are handed in, and what it answers goes to the outlet.
pub(crate) trait Service: Send {
    /// Something that the service side wants of a connected client.
    type Push: Send;

    /// The largest packet that the client may send, in bytes.
    const PACKET_LIMIT: usize;

    fn faults(&self) -> &Faults;

    /// Where the faults of this session strike.
    fn place(&self) -> Place<'_>;

    /// Whether subscriptions were kept from the connection before.
    fn session_present(&self) -> bool {
        false
    }

    /// The CONNACK.
    fn accepted(&self) -> Packet {
        Packet::ConnAck { session_present: self.session_present(), code: ConnectCode::Accepted }
    }

    /// When the service ends the connection for want of a good token; `None` if it never does. `now` is the present on the
    /// clock of the session, which is not that of tokens.
    fn ends(&self, _now: Instant) -> Option<Instant> {
        None
    }

    /// When something of the service's own is due, or there is something to deliver by time alone; told anew after each
    /// delivery.
    fn due(&self, _now: Instant) -> Option<Instant> {
        None
    }

    /// Does what is due. What is to be delivered is, whenever the session is awake.
    fn pass_time(&mut self, _exchange: &mut Exchange<'_>) {}

    /// A PUBLISH of `QoS` 0 or 1; in MQTT 5 also one of 2.
    fn published(&mut self, publish: Publish, exchange: &mut Exchange<'_>) -> Result<(), DisconnectReason>;

    /// The client has acknowledged a PUBLISH of the service.
    fn acknowledged(&mut self, id: PacketId);

    /// Takes a subscription; `Err` ends the connection.
    fn subscribe(&mut self, filter: &str, granted: QoS) -> Result<(), DisconnectReason>;

    fn unsubscribe(&mut self, filter: &str);

    /// Subscriptions have come or gone.
    fn subscriptions_changed(&mut self) {}

    /// A packet that MQTT 5 forms in another way; there is none on connections of 3.1.1.
    fn five(&mut self, _packet: Five, _exchange: &mut Exchange<'_>) -> Result<(), DisconnectReason> {
        Err(violation("a packet of MQTT 5"))
    }

    /// Why no further packet comes from the client.
    fn broken(&mut self, _error: &LinkError) {}

    /// What is said to the client before the service ends the connection; nothing in MQTT 3.1.1.
    fn farewell(&self, _reason: &DisconnectReason) -> Option<Packet> {
        None
    }

    /// Sends what waits for the client.
    fn deliver(&mut self, _exchange: &mut Exchange<'_>) {}

    /// The next push; `Err` when the service side ends the connection. Dropping the future loses nothing.
    fn next_push(&mut self) -> impl Future<Output = Result<Self::Push, DisconnectReason>> + Send;

    /// The next push if there is one already.
    fn push_at_hand(&mut self) -> Result<Option<Self::Push>, DisconnectReason>;

    fn push(&mut self, push: Self::Push, exchange: &mut Exchange<'_>);

    /// The session is over.
    fn ended(self, reason: DisconnectReason);
}

/// What a service answers with: the moment, the way out, and what the session keeps for it.
pub(crate) struct Exchange<'a> {
    pub now: Instant,
    pub(super) outlet: &'a mut dyn Outlet,
    pub(super) acknowledger: &'a mut Acknowledger,
    pub(super) throttle: &'a mut Throttle,
}

impl Exchange<'_> {
    pub(crate) fn send(&mut self, packet: &Packet) {
        self.outlet.put(packet);
    }

    /// Acknowledges a PUBLISH, as far as the faults in force let it.
    pub(crate) fn acknowledge(&mut self, id: Option<PacketId>, faults: &Faults, place: Place<'_>) {
        if let Some(id) = id {
            self.acknowledger.acknowledge(self.now, self.outlet, id, faults, place);
        }
    }

    /// How many PUBLISH packets of `QoS` 1 wait for their acknowledgement.
    pub(crate) fn outstanding(&self) -> usize {
        self.acknowledger.outstanding()
    }

    /// Counts a request for [`FaultKind::Throttle`]; tells whether it is too many.
    pub(crate) fn is_throttled(&mut self, faults: &Faults, place: Place<'_>) -> bool {
        self.throttle.exceeded(self.now, faults, place)
    }
}

/// A CONNECT that is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    /// `DPS`, the name of a hub, or empty when the client had not said.
    pub service: String,
    pub client_id: String,
    pub code: ConnectCode,
    /// For the operator.
    pub reason: String,
}

impl Refused {
    /// The event that tells of it.
    pub(crate) fn event(self) -> EventKind {
        EventKind::ConnectionRefused {
            service: self.service,
            client_id: self.client_id,
            code: Some(self.code as u8),
            reason: self.reason,
        }
    }
}

/// Code and reason when a fault in force asks for CONNECT to be refused here.
pub(crate) fn connect_fault(faults: &Faults, place: Place<'_>) -> Option<(ConnectCode, String)> {
    let code = faults.take(place, |kind| match kind {
        FaultKind::RefuseConnect { code } => ConnectCode::refusal(*code),
        _ => None,
    })?;
    Some((code, "a fault was asked for".into()))
}

/// The end of a connection whose client broke the rules.
pub(crate) fn violation(what: impl Into<String>) -> DisconnectReason {
    DisconnectReason::ProtocolViolation(what.into())
}

/// Text from the wire as it stands in a reason: shortened, so that nobody fills the events with it.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 160;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
