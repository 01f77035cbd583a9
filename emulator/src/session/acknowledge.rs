//! PUBACKs, with the faults that can befall them.

use std::{collections::VecDeque, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use crate::{
    faults::{FaultKind, Faults, Place},
    mqtt::{Link, Packet, PacketId},
};

/// Delayed acknowledgements kept for one connection; more are sent at once.
const MAX_DELAYED: usize = 4096;

/// Acknowledges the publishes of one connection.
#[derive(Debug, Default)]
pub(crate) struct Acknowledger {
    delayed: VecDeque<(Instant, PacketId)>,
}

enum AckFault {
    Withhold,
    Duplicate,
    Delay(Duration),
}

impl Acknowledger {
    /// Acknowledges a PUBLISH, as far as the faults in force let it.
    pub(crate) fn acknowledge<S: AsyncRead + AsyncWrite>(
        &mut self,
        link: &mut Link<S>,
        id: PacketId,
        faults: &Faults,
        place: Place<'_>,
    ) {
        let fault = faults.take(place, |kind| match kind {
            FaultKind::WithholdPubAck => Some(AckFault::Withhold),
            FaultKind::DuplicatePubAck => Some(AckFault::Duplicate),
            FaultKind::DelayPubAck(delay) => Some(AckFault::Delay(*delay)),
            _ => None,
        });
        match fault {
            Some(AckFault::Withhold) => {}
            Some(AckFault::Duplicate) => {
                link.queue(&Packet::PubAck(id));
                link.queue(&Packet::PubAck(id));
            }
            Some(AckFault::Delay(delay)) if self.delayed.len() < MAX_DELAYED => {
                let due = Instant::now() + delay;
                let place = self.delayed.partition_point(|(earlier, _)| *earlier <= due);
                self.delayed.insert(place, (due, id));
            }
            Some(AckFault::Delay(_)) | None => link.queue(&Packet::PubAck(id)),
        }
    }

    /// When the next delayed acknowledgement is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.delayed.front().map(|(due, _)| *due)
    }

    /// Sends what is due.
    pub(crate) fn release<S: AsyncRead + AsyncWrite>(&mut self, link: &mut Link<S>) {
        let now = Instant::now();
        while let Some((due, id)) = self.delayed.front().copied()
            && due <= now
        {
            self.delayed.pop_front();
            link.queue(&Packet::PubAck(id));
        }
    }
}
