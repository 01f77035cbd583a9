//! What the nodes share that take messages from a device.

use std::task::{Context, Poll};

use tracker_amqp::Message;

use super::presence::Berth;
use crate::{
    amqp::{Act, Due, Intake, Verdict},
    events::DisconnectReason,
};

/// The way in of one link.
pub(super) struct Incoming<T = Message> {
    pub berth: Berth,
    pub intake: Intake<T>,
}

impl<T> Incoming<T> {
    pub(super) fn new(berth: Berth) -> Self {
        let presence = &berth.presence;
        let intake = Intake::new(&presence.hub.0.faults, Some(&presence.hub.0.name), &presence.device_id);
        Self { berth, intake }
    }

    /// The next thing to do, where `judge` says what becomes of a message.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut judge: impl FnMut(&mut Self, u64, T) -> Verdict,
    ) -> Poll<Act> {
        if let Err(farewell) = self.berth.listen(context) {
            return Poll::Ready(farewell);
        }
        loop {
            let act = match std::task::ready!(self.intake.poll(context)) {
                Due::BreakOff => Act::Close { reason: DisconnectReason::Fault, error: None },
                Due::Outcome(number, outcome) => Act::Settle { number, outcome },
                Due::Message(number, message) => match judge(self, number, message) {
                    Verdict::Now(outcome) => Act::Settle { number, outcome },
                    Verdict::Detach(error) => Act::Detach(Some(error)),
                    Verdict::Later => continue,
                },
            };
            return Poll::Ready(act);
        }
    }
}
