//! Messages of a client on their way to a node, with the faults that can befall them there.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};
use tracker_amqp::{Message, Outcome};

use super::Verdict;
use crate::{
    faults::{FaultKind, Faults, Place},
    session::SlowLine,
};

/// The way in of one link of a device.
pub(crate) struct Intake<T = Message> {
    faults: Faults,
    hub: Option<String>,
    device: String,
    line: SlowLine<(u64, T)>,
    /// Outcomes that are told late, in the order of their times.
    late: VecDeque<(Instant, u64, Outcome)>,
    breaks_off: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is due.
pub(crate) enum Due<T = Message> {
    /// This message has arrived.
    Message(u64, T),
    /// The outcome of this one is to be told.
    Outcome(u64, Outcome),
    /// The connection is to end.
    BreakOff,
}

impl<T> Intake<T> {
    /// `hub` is `None` at DPS.
    pub(crate) fn new(faults: &Faults, hub: Option<&str>, device: &str) -> Self {
        Self {
            faults: faults.clone(),
            hub: hub.map(str::to_owned),
            device: device.to_owned(),
            line: SlowLine::default(),
            late: VecDeque::new(),
            breaks_off: false,
            timer: None,
        }
    }

    /// Where its faults strike.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { hub: self.hub.as_deref(), device: &self.device }
    }

    /// A message has come. `None`: it arrives later, by [`Self::poll`], or never; its verdict is [`Verdict::Later`].
    ///
    /// No more are held than the window of the link lets come; of those that the client has settled, for which there is no
    /// window, what is too much is lost.
    pub(crate) fn take(&mut self, number: u64, message: T) -> Option<T> {
        if !self.line.has_room() {
            return None;
        }
        let place = Place { hub: self.hub.as_deref(), device: &self.device };
        let (_, message) = self.line.send(Instant::now(), (number, message), &self.faults, place)?;
        self.arrived(message)
    }

    fn arrived(&mut self, message: T) -> Option<T> {
        if self.faults.strikes(self.place(), &FaultKind::DropConnection) {
            self.breaks_off = true;
            return None;
        }
        (!self.faults.strikes(self.place(), &FaultKind::BlackHole)).then_some(message)
    }

    /// When the outcome of a message is told, as far as the faults in force let it.
    pub(crate) fn verdict(&mut self, number: u64, outcome: Outcome) -> Verdict {
        let late = self.faults.take(self.place(), |kind| match kind {
            FaultKind::WithholdPubAck => Some(None),
            FaultKind::DelayPubAck { delay } => Some(Some(*delay)),
            _ => None,
        });
        match late {
            None => Verdict::Now(outcome),
            Some(None) => Verdict::Later,
            Some(Some(delay)) => {
                let due = Instant::now() + delay;
                let place = self.late.partition_point(|(earlier, ..)| *earlier <= due);
                self.late.insert(place, (due, number, outcome));
                Verdict::Later
            }
        }
    }

    /// What is due next.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Due<T>> {
        loop {
            if std::mem::take(&mut self.breaks_off) {
                return Poll::Ready(Due::BreakOff);
            }
            let now = Instant::now();
            if let Some((number, message)) = self.line.arrived(now) {
                match self.arrived(message) {
                    Some(message) => return Poll::Ready(Due::Message(number, message)),
                    None => continue,
                }
            }
            if self.late.front().is_some_and(|(due, ..)| *due <= now)
                && let Some((_, number, outcome)) = self.late.pop_front()
            {
                return Poll::Ready(Due::Outcome(number, outcome));
            }
            let next = self.late.front().map(|(due, ..)| *due);
            let Some(next) = self.line.due().into_iter().chain(next).min() else {
                self.timer = None;
                return Poll::Pending;
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next)));
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            ready!(timer.as_mut().poll(context));
        }
    }
}
