//! The session of one client without sockets: time and packets in, packets out.

use tokio::time::Instant;

use super::{
    acknowledge::Acknowledger,
    congestion::{SlowLine, Throttle},
    outlet::Outlet,
    service::{Exchange, Service, violation},
};
use crate::{
    events::DisconnectReason,
    faults::FaultKind,
    mqtt::{Packet, PacketId, QoS, SubscribeCode},
};

/// One client and the service it talks to.
pub(crate) struct Session<V> {
    pub service: V,
    acknowledger: Acknowledger,
    throttle: Throttle,
    line: SlowLine<Packet>,
}

impl<V: Service> Session<V> {
    pub(crate) fn new(service: V) -> Self {
        Self {
            service,
            acknowledger: Acknowledger::default(),
            throttle: Throttle::default(),
            line: SlowLine::default(),
        }
    }

    /// Whether further packets may be received.
    pub(crate) fn has_room(&self) -> bool {
        self.line.has_room()
    }

    /// When [`Self::pass_time`] has something to do.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let service = [self.service.ends(now), self.service.due(now)];
        [self.acknowledger.due(), self.line.due()].into_iter().chain(service).flatten().min()
    }

    /// Does what is due: acknowledgements that were delayed, the next packet that was slow, and the end.
    pub(crate) fn pass_time(
        &mut self,
        now: Instant,
        outlet: &mut dyn Outlet,
    ) -> Result<(), DisconnectReason> {
        self.acknowledger.release(now, outlet);
        if self.service.ends(now).is_some_and(|end| end <= now) {
            return Err(DisconnectReason::TokenExpired);
        }
        if self.service.due(now).is_some_and(|due| due <= now) {
            let (service, mut exchange) = self.exchange(now, outlet);
            service.pass_time(&mut exchange);
        }
        match self.line.arrived(now) {
            Some(packet) => self.take(now, packet, outlet),
            None => Ok(()),
        }
    }

    /// A packet has come from the client; it counts when its line lets it.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        packet: Packet,
        outlet: &mut dyn Outlet,
    ) -> Result<(), DisconnectReason> {
        match self.line.send(now, packet, self.service.faults(), self.service.place()) {
            Some(packet) => self.take(now, packet, outlet),
            None => Ok(()),
        }
    }

    /// Sends what waits for the client.
    pub(crate) fn deliver(&mut self, now: Instant, outlet: &mut dyn Outlet) {
        let (service, mut exchange) = self.exchange(now, outlet);
        service.deliver(&mut exchange);
    }

    pub(crate) fn push(&mut self, now: Instant, push: V::Push, outlet: &mut dyn Outlet) {
        let (service, mut exchange) = self.exchange(now, outlet);
        service.push(push, &mut exchange);
    }

    fn take(
        &mut self,
        now: Instant,
        packet: Packet,
        outlet: &mut dyn Outlet,
    ) -> Result<(), DisconnectReason> {
        let (faults, place) = (self.service.faults(), self.service.place());
        if faults.strikes(place, &FaultKind::DropConnection) {
            return Err(DisconnectReason::Fault);
        }
        if faults.strikes(place, &FaultKind::BlackHole) {
            return Ok(());
        }
        match packet {
            Packet::Publish(publish) if publish.qos == QoS::ExactlyOnce && publish.properties.is_none() => {
                return Err(violation("a PUBLISH with QoS 2"));
            }
            Packet::Publish(publish) => {
                let (service, mut exchange) = self.exchange(now, outlet);
                service.published(publish, &mut exchange)?;
            }
            Packet::PubAck(id) => self.service.acknowledged(id),
            Packet::Subscribe { packet_id, filters } => self.subscribe(packet_id, &filters, outlet)?,
            Packet::Unsubscribe { packet_id, filters } => {
                for filter in &filters {
                    self.service.unsubscribe(filter);
                }
                self.service.subscriptions_changed();
                outlet.put(&Packet::UnsubAck(packet_id));
            }
            Packet::PingReq => outlet.put(&Packet::PingResp),
            Packet::Disconnect => return Err(DisconnectReason::Disconnect),
            Packet::Five(packet) => {
                let (service, mut exchange) = self.exchange(now, outlet);
                service.five(packet, &mut exchange)?;
            }
            Packet::Connect(_) => return Err(violation("a second CONNECT")),
            Packet::ConnAck { .. } | Packet::SubAck { .. } | Packet::UnsubAck(_) | Packet::PingResp => {
                return Err(violation("a packet that only servers send"));
            }
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        packet_id: PacketId,
        filters: &[(String, QoS)],
        outlet: &mut dyn Outlet,
    ) -> Result<(), DisconnectReason> {
        let mut codes = Vec::with_capacity(filters.len());
        for (filter, asked) in filters {
            let granted = (*asked).min(QoS::AtLeastOnce);
            self.service.subscribe(filter, granted)?;
            codes.push(SubscribeCode::Granted(granted));
        }
        self.service.subscriptions_changed();
        outlet.put(&Packet::SubAck { packet_id, codes });
        Ok(())
    }

    fn exchange<'a>(&'a mut self, now: Instant, outlet: &'a mut dyn Outlet) -> (&'a mut V, Exchange<'a>) {
        let Self { service, acknowledger, throttle, .. } = self;
        (service, Exchange { now, outlet, acknowledger, throttle })
    }
}
