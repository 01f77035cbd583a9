//! `devices/{id}/messages/events`: telemetry.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tracker_amqp::{Error, Message, Outcome, condition};
use tracker_protocol::hub::MAX_TELEMETRY;

use super::{incoming::Incoming, links::check, presence::Berth, read::read};
use crate::amqp::{Act, Guest, Node, Verdict};

/// Azure's word for a device that sends too often.
const THROTTLED: &str = "com.microsoft:device-container-throttled";

/// Takes in the telemetry of one device.
pub(super) struct TelemetryNode {
    incoming: Incoming,
    guest: Arc<Guest>,
}

impl TelemetryNode {
    pub(super) fn new(berth: Berth, guest: Arc<Guest>) -> Self {
        Self { incoming: Incoming::new(berth), guest }
    }
}

impl Node for TelemetryNode {
    fn receive(&mut self, number: u64, message: Message) -> Verdict {
        match self.incoming.intake.take(number, message) {
            Some(message) => judge(&mut self.incoming, number, &message),
            None => Verdict::Later,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, _credit: u32) -> Poll<Act> {
        self.incoming.poll(context, |incoming, number, message| judge(incoming, number, &message))
    }

    fn check(&mut self) -> Result<(), Error> {
        check(&self.guest, &self.incoming.berth.presence)
    }
}

fn judge(incoming: &mut Incoming, number: u64, message: &Message) -> Verdict {
    match take(incoming, message) {
        Ok(()) => incoming.intake.verdict(number, Outcome::Accepted),
        Err(error) => Verdict::Now(Outcome::Rejected(Some(error))),
    }
}

fn take(incoming: &Incoming, message: &Message) -> Result<(), Error> {
    let presence = &incoming.berth.presence;
    if presence.is_over() {
        return Err(Error::new(condition::DETACH_FORCED, "the device has to leave."));
    }
    if presence.is_throttled() {
        return Err(Error::new(THROTTLED, "a fault was asked for: too many messages in a second."));
    }
    let (body, properties) = read(message)?;
    let size = body.len() + properties.metered_len();
    if size > MAX_TELEMETRY {
        let sentence = format!("a message of {size} bytes; the limit is {MAX_TELEMETRY}.");
        return Err(Error::new(condition::MESSAGE_SIZE_EXCEEDED, sentence));
    }
    presence.hub.receive(&presence.device_id, &body, properties, false);
    Ok(())
}
