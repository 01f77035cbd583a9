//! A device with a connection to its hub: readings when they are due, the twin, answers to methods.

use std::pin::pin;

use tokio::time::{Instant, sleep_until};
use tracker_protocol::Publish;
use tracker_protocol::hub::{
    CloudTopic, DeviceTopic, METHOD_FILTER, TWIN_DESIRED_FILTER, TWIN_RESPONSE_FILTER,
};

use super::device::{Device, End, Sent};
use super::fault::{Fault, FaultKind};
use super::latency::Latency;
use super::plan::Happening;
use super::reading::message;
use super::shared::Stage;
use crate::link::{Link, LinkError, LinkEvent};

/// Messages of a device that may wait for their acknowledgement.
const WINDOW: usize = 32;

impl Device {
    /// Works until the connection ends.
    pub(super) async fn serve(&mut self, mut link: Link<Sent>) -> End {
        match self.work(&mut link).await {
            Ok(end) => {
                // A cut is one: nobody says goodbye.
                if !matches!(end, End::Happened(Happening::Cut)) {
                    Box::pin(link.close()).await;
                }
                end
            }
            Err(error) => End::Lost(error.into()),
        }
    }

    async fn work(&mut self, link: &mut Link<Sent>) -> Result<End, LinkError> {
        let filters = [TWIN_RESPONSE_FILTER, TWIN_DESIRED_FILTER, METHOD_FILTER];
        link.subscribe(filters.map(str::to_owned))?;
        for index in 0..self.unacknowledged.len() {
            let again = self.unacknowledged[index];
            self.publish(link, again)?;
            self.shared.tally.resent.inc();
        }
        let mut twin_asked = None;
        let mut due = self.due();
        let mut alarm = pin!(sleep_until(due.unwrap_or_else(Instant::now)));
        loop {
            tokio::select! {
                event = link.next() => match event? {
                    LinkEvent::Subscribed => {
                        let topic = DeviceTopic::TwinGet { request_id: "1".into() }.to_string();
                        link.publish(Publish { topic, payload: Vec::new() }, None)?;
                        twin_asked = Some(Instant::now());
                    }
                    LinkEvent::Acknowledged(sent) => {
                        if let Some(until) = self.acknowledged(sent) {
                            return Ok(End::Dark(until));
                        }
                    }
                    LinkEvent::Message { topic, .. } => self.hear(link, &topic, &mut twin_asked)?,
                    LinkEvent::Refused(_, refusal) => {
                        self.shared.tally.fault(&Fault::new(FaultKind::Message, refusal.why));
                    }
                    LinkEvent::Connected => {}
                },
                () = &mut alarm, if due.is_some() => {
                    let message = self.next;
                    self.next += 1;
                    self.send(link, message)?;
                }
                changed = self.stage.changed() => {
                    let stage = *self.stage.borrow_and_update();
                    match stage {
                        Stage::Happened(Happening::Alarms) => self.alarm(link)?,
                        Stage::Happened(happening) => return Ok(End::Happened(happening)),
                        Stage::Going if changed.is_ok() => {}
                        Stage::Going | Stage::Leaving => return Ok(End::Left),
                    }
                }
            }
            let next = self.due();
            if next != due {
                due = next;
                if let Some(due) = due {
                    alarm.as_mut().reset(due);
                }
            }
        }
    }

    /// When the next message leaves, if there is one and room for it.
    fn due(&self) -> Option<Instant> {
        let plan = &self.shared.plan;
        if self.next >= plan.messages(self.number) || self.unacknowledged.len() >= WINDOW {
            return None;
        }
        let slots = f64::from(plan.cargo(self.number, self.next).slot) + plan.phase(self.number);
        Some(self.begun? + plan.interval.mul_f64(slots))
    }

    fn send(&mut self, link: &mut Link<Sent>, message: u32) -> Result<(), LinkError> {
        self.unacknowledged.push_back(message);
        self.shared.tally.sent.inc();
        self.publish(link, message)
    }

    fn publish(&self, link: &mut Link<Sent>, number: u32) -> Result<(), LinkError> {
        let shared = &self.shared;
        let said = message(&shared.plan, self.number, self.device_id(), &shared.run, number);
        shared.tally.bytes.inc_by((said.topic.len() + said.payload.len()) as u64);
        link.publish(said, Some(Sent { message: number, at: Instant::now() }))
    }

    /// A burst, in the numbering behind the readings.
    fn alarm(&mut self, link: &mut Link<Sent>) -> Result<(), LinkError> {
        let plan = &self.shared.plan;
        let (first, most) = (plan.messages(self.number), plan.alarms());
        while self.alarms < most {
            let number = first + self.alarms;
            self.alarms += 1;
            self.send(link, number)?;
        }
        self.shared.tally.recovered.inc();
        Ok(())
    }

    /// Takes an acknowledgement; until when the device is without a connection, if it goes to sea.
    fn acknowledged(&mut self, sent: Sent) -> Option<Instant> {
        let tally = &self.shared.tally;
        let place = self.unacknowledged.iter().position(|number| *number == sent.message)?;
        self.unacknowledged.remove(place);
        tally.took(Latency::Puback, sent.at.elapsed());
        tally.acknowledged.inc();
        self.finish();
        let plan = &self.shared.plan;
        let all = plan.messages(self.number);
        let goes = sent.message < all && plan.cargo(self.number, sent.message).then_dark;
        if goes && self.next < all && self.unacknowledged.is_empty() { self.due() } else { None }
    }

    /// Counts the device as one that has finished, once it has said all and was told its twin.
    fn finish(&mut self) {
        let plan = &self.shared.plan;
        let has_said_all = self.next >= plan.messages(self.number)
            && self.alarms >= plan.alarms()
            && self.unacknowledged.is_empty();
        if has_said_all && self.knows_twin && !self.has_finished {
            self.has_finished = true;
            self.shared.tally.finished.inc();
        }
    }

    fn hear(
        &mut self,
        link: &mut Link<Sent>,
        topic: &str,
        twin_asked: &mut Option<Instant>,
    ) -> Result<(), LinkError> {
        let tally = &self.shared.tally;
        match topic.parse() {
            Ok(CloudTopic::TwinResponse { status, .. }) => {
                let asked = twin_asked.take();
                if status != 200 {
                    let why = format!(
                        "{}: the hub answered the request for the twin with {status}",
                        self.device_id()
                    );
                    tally.fault(&Fault::new(FaultKind::Twin, why));
                } else if let Some(asked) = asked {
                    tally.took(Latency::Twin, asked.elapsed());
                    tally.twins.inc();
                }
                self.knows_twin = true;
                self.finish();
            }
            Ok(CloudTopic::MethodRequest { request_id, .. }) => {
                let topic = DeviceTopic::MethodResponse { status: 200, request_id }.to_string();
                let payload = format!("{{\"number\":{}}}", self.number).into_bytes();
                link.publish(Publish { topic, payload }, None)?;
                tally.methods.inc();
            }
            _ => {}
        }
        Ok(())
    }
}
