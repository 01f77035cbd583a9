//! The two links of a device at DPS.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use tracker_amqp::{Attach, Message, SenderSettleMode};

use super::{registrant::Registrant, request::judged};
use crate::{
    amqp::{Act, Due, Intake, Node, Verdict},
    events::DisconnectReason,
};

/// Takes requests.
pub(super) struct RequestNode {
    registrant: Arc<Registrant>,
    intake: Intake,
}

impl RequestNode {
    pub(super) fn new(registrant: Arc<Registrant>) -> Self {
        let intake = Intake::new(&registrant.dps.0.faults, None, &registrant.applicant.registration_id);
        Self { registrant, intake }
    }
}

impl Node for RequestNode {
    fn receive(&mut self, number: u64, message: Message) -> Verdict {
        match self.intake.take(number, message) {
            Some(message) => Verdict::Now(judged(&self.registrant, &message)),
            None => Verdict::Later,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, _credit: u32) -> Poll<Act> {
        Poll::Ready(match ready!(self.intake.poll(context)) {
            Due::BreakOff => Act::Close { reason: DisconnectReason::Fault, error: None },
            Due::Outcome(number, outcome) => Act::Settle { number, outcome },
            Due::Message(number, message) => {
                Act::Settle { number, outcome: judged(&self.registrant, &message) }
            }
        })
    }
}

/// Sends answers.
pub(super) struct AnswerNode {
    registrant: Arc<Registrant>,
    is_settled: bool,
}

impl AnswerNode {
    pub(super) fn new(registrant: Arc<Registrant>, asked: &Attach) -> Self {
        Self { registrant, is_settled: asked.snd_settle_mode != SenderSettleMode::Unsettled }
    }
}

impl Node for AnswerNode {
    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        match self.registrant.next(credit > 0, context.waker()) {
            Some(message) => {
                Poll::Ready(Act::Send { message: Box::new(message), settled: self.is_settled, key: 0 })
            }
            None => Poll::Pending,
        }
    }
}
