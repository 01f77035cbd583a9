//! PUBACKs, with the faults that can befall them.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::outlet::Outlet;
use crate::{
    faults::{FaultKind, Faults, Place},
    mqtt::{Packet, PacketId},
};

/// Delayed acknowledgements kept for one connection; more are sent at once.
const MAX_DELAYED: usize = 4096;

/// Acknowledges the publishes of one connection.
#[derive(Debug, Default)]
pub(super) struct Acknowledger {
    delayed: VecDeque<(Instant, PacketId)>,
    withheld: usize,
}

enum AckFault {
    Withhold,
    Duplicate,
    Delay(Duration),
}

impl Acknowledger {
    /// Acknowledges a PUBLISH, as far as the faults in force let it.
    pub(super) fn acknowledge(
        &mut self,
        now: Instant,
        outlet: &mut dyn Outlet,
        id: PacketId,
        faults: &Faults,
        place: Place<'_>,
    ) {
        let fault = faults.take(place, |kind| match kind {
            FaultKind::WithholdPubAck => Some(AckFault::Withhold),
            FaultKind::DuplicatePubAck => Some(AckFault::Duplicate),
            FaultKind::DelayPubAck { delay } => Some(AckFault::Delay(*delay)),
            _ => None,
        });
        match fault {
            Some(AckFault::Withhold) => self.withheld += 1,
            Some(AckFault::Duplicate) => {
                outlet.put(&Packet::PubAck(id));
                outlet.put(&Packet::PubAck(id));
            }
            Some(AckFault::Delay(delay)) if self.delayed.len() < MAX_DELAYED => {
                let due = now + delay;
                let place = self.delayed.partition_point(|(earlier, _)| *earlier <= due);
                self.delayed.insert(place, (due, id));
            }
            Some(AckFault::Delay(_)) | None => outlet.put(&Packet::PubAck(id)),
        }
    }

    /// How many have not gone out.
    pub(super) fn outstanding(&self) -> usize {
        self.delayed.len() + self.withheld
    }

    /// When the next delayed acknowledgement is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.delayed.front().map(|(due, _)| *due)
    }

    /// Sends what is due.
    pub(super) fn release(&mut self, now: Instant, outlet: &mut dyn Outlet) {
        while let Some((due, id)) = self.delayed.front().copied()
            && due <= now
        {
            self.delayed.pop_front();
            outlet.put(&Packet::PubAck(id));
        }
    }
}
