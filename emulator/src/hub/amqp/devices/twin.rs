//! `devices/{id}/twin`: requests come by one link; answers, and changes of desired properties, go out by another.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use serde_json::Value as Json;
use tracker_amqp::{
    Attach, Body, Error, Message, Outcome, Properties, SenderSettleMode, Value, condition, get,
};

use super::{
    incoming::Incoming,
    presence::{Berth, Presence},
};
use crate::{
    amqp::{Act, Guest, Node, Verdict},
    faults::FaultKind,
};

/// What a device asks for that wants to hear of changes.
const DESIRED: &str = "notifications/twin/properties/desired";

const REPORTED: &str = "properties/reported";

/// One link of a pair.
struct Half {
    name: String,
}

impl Half {
    /// The links of a pair say in their properties to which it is that they belong.
    fn new(berth: &Berth, asked: &Attach) -> Self {
        let name = get(&asked.properties, "com.microsoft:channel-correlation-id").and_then(Value::as_str);
        let name: String = name.unwrap_or_default().chars().take(256).collect();
        berth.presence.change(|state| state.channels.joined(&name));
        Self { name }
    }

    fn leave(&self, presence: &Presence) {
        presence.change(|state| state.channels.left(&self.name));
    }
}

/// Sends answers and changes.
pub(super) struct TwinAnswerNode {
    berth: Berth,
    guest: Arc<Guest>,
    half: Half,
    is_settled: bool,
}

impl TwinAnswerNode {
    pub(super) fn new(berth: Berth, guest: Arc<Guest>, asked: &Attach) -> Self {
        let half = Half::new(&berth, asked);
        Self { berth, guest, half, is_settled: asked.snd_settle_mode != SenderSettleMode::Unsettled }
    }
}

impl Node for TwinAnswerNode {
    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        if let Err(farewell) = self.berth.listen(context) {
            return Poll::Ready(farewell);
        }
        if credit == 0 {
            return Poll::Pending;
        }
        match self.berth.presence.take(|state| state.channels.next(&self.half.name)) {
            Some(message) => {
                Poll::Ready(Act::Send { message: Box::new(message), settled: self.is_settled, key: 0 })
            }
            None => Poll::Pending,
        }
    }

    fn check(&mut self) -> Result<(), Error> {
        self.berth.presence.check(&self.guest)
    }
}

impl Drop for TwinAnswerNode {
    fn drop(&mut self) {
        self.half.leave(&self.berth.presence);
    }
}

/// Takes requests.
pub(super) struct TwinRequestNode {
    incoming: Incoming,
    guest: Arc<Guest>,
    half: Half,
}

impl TwinRequestNode {
    pub(super) fn new(berth: Berth, guest: Arc<Guest>, asked: &Attach) -> Self {
        let half = Half::new(&berth, asked);
        Self { incoming: Incoming::new(berth), guest, half }
    }
}

impl Node for TwinRequestNode {
    fn receive(&mut self, number: u64, message: Message) -> Verdict {
        match self.incoming.intake.take(number, message) {
            Some(message) => judge(&self.incoming, &self.half.name, message),
            None => Verdict::Later,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, _credit: u32) -> Poll<Act> {
        let name = &self.half.name;
        self.incoming.poll(context, |incoming, _, message| judge(incoming, name, message))
    }

    fn check(&mut self) -> Result<(), Error> {
        self.incoming.berth.presence.check(&self.guest)
    }
}

impl Drop for TwinRequestNode {
    fn drop(&mut self) {
        self.half.leave(&self.incoming.berth.presence);
    }
}

fn judge(incoming: &Incoming, channel: &str, request: Message) -> Verdict {
    let presence = &incoming.berth.presence;
    if !presence.take(|state| state.channels.has_room(channel)) {
        let sentence =
            "answers to requests before this one wait to be fetched: give credit on the receiving link.";
        return Verdict::Now(Outcome::Rejected(Some(Error::new(
            condition::RESOURCE_LIMIT_EXCEEDED,
            sentence,
        ))));
    }
    let answer = answer(presence, channel, &request);
    let garbage = presence.hub.0.faults.strikes(presence.place(), &FaultKind::GarbageBody);
    let version = answer.version.map(|version| (Value::symbol("version"), Value::Long(version as i64)));
    let status = (Value::symbol("status"), Value::Int(answer.status.into()));
    let message = Message {
        message_annotations: std::iter::once(status).chain(version).collect(),
        properties: Properties { correlation_id: request.properties.correlation_id, ..Properties::default() },
        body: Body::data(if garbage { "<html>".to_owned() } else { answer.body }),
        ..Message::default()
    };
    presence.change(|state| state.channels.answer(channel, message));
    Verdict::Now(Outcome::Accepted)
}

struct Answer {
    status: u16,
    version: Option<u64>,
    body: String,
}

fn answer(presence: &Presence, channel: &str, request: &Message) -> Answer {
    let hub = &presence.hub;
    let refused =
        |status: u16, why: &str| Answer { status, version: None, body: hub.twin_refusal(status, why) };
    if presence.is_throttled() {
        return refused(429, "a fault was asked for: too many requests in a second");
    }
    let injected = hub.0.faults.take(presence.place(), |kind| match kind {
        FaultKind::TwinError { status } => Some(*status),
        _ => None,
    });
    if let Some(status) = injected {
        return refused(status, "a fault was asked for");
    }
    let annotation =
        |name: &str| get(&request.message_annotations, name).and_then(Value::as_str).unwrap_or_default();
    let operation = annotation("operation").to_ascii_uppercase();
    let resource = annotation("resource").trim_matches('/').to_ascii_lowercase();
    match (operation.as_str(), resource.as_str()) {
        ("GET", "") => match hub.twin_for_device(&presence.device_id) {
            Ok(twin) => Answer { status: 200, version: None, body: twin.to_string() },
            Err(error) => refused(400, &error.to_string()),
        },
        ("PATCH", REPORTED) => {
            let body = request.body.to_bytes().unwrap_or_default();
            let Ok(Json::Object(patch)) = serde_json::from_slice(&body) else {
                return refused(400, "the body is not a JSON object");
            };
            match hub.patch_reported(&presence.device_id, &patch, None) {
                Ok(version) => Answer { status: 204, version: Some(version), body: String::new() },
                Err(error) => refused(400, &error.to_string()),
            }
        }
        ("PUT" | "DELETE", DESIRED) => {
            presence.take(|state| state.channels.subscribe(channel, operation == "PUT"));
            Answer { status: 200, version: None, body: String::new() }
        }
        _ => refused(
            400,
            "the annotations 'operation' and 'resource' ask for something that twins don't have: GET; PATCH of \
             /properties/reported; PUT or DELETE of /notifications/twin/properties/desired",
        ),
    }
}
