//! The way out of a session.

use crate::mqtt::Packet;

/// Where a session puts the packets for its client.
pub(crate) trait Outlet {
    fn put(&mut self, packet: &Packet);
}

impl Outlet for Vec<Packet> {
    fn put(&mut self, packet: &Packet) {
        self.push(packet.clone());
    }
}
