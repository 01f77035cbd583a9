//! `messages/serviceBound/…`: what became of messages to devices (`feedback`), and files that devices have uploaded
//! (`filenotifications`).

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::watch;
use tracker_amqp::{Body, Error, Message, Outcome, Properties, Value};

use super::rights::check_service;
use crate::{
    amqp::{Act, Guest, Node},
    hub::{Handout, Hub, HubError},
    id::guid,
};

type Arrival = Pin<Box<dyn Future<Output = Option<watch::Receiver<u64>>> + Send>>;

/// Where handouts come from.
#[derive(Clone, Copy)]
pub(super) struct Source {
    take: fn(&Hub) -> Option<Handout>,
    complete: fn(&Hub, &str) -> Result<(), HubError>,
    abandon: fn(&Hub, &str) -> Result<(), HubError>,
    arrivals: fn(&Hub) -> watch::Receiver<u64>,
}

/// Batches of feedback.
pub(super) const FEEDBACK: Source = Source {
    take: Hub::take_feedback,
    complete: Hub::complete_feedback,
    abandon: Hub::abandon_feedback,
    arrivals: Hub::feedback_arrivals,
};

/// Notices of uploaded files.
pub(super) const FILES: Source = Source {
    take: Hub::take_file_notification,
    complete: Hub::complete_file_notification,
    abandon: Hub::abandon_file_notification,
    arrivals: Hub::file_notification_arrivals,
};

/// Hands out what its source has. What the client doesn't settle goes to another one later.
pub(super) struct HandoutNode {
    source: Source,
    hub: Hub,
    guest: Arc<Guest>,
    path: String,
    /// What was sent, with what they are completed by.
    sent: HashMap<u64, String>,
    arrival: Arrival,
}

impl HandoutNode {
    pub(super) fn new(source: Source, hub: Hub, guest: Arc<Guest>, path: &str) -> Self {
        let arrival = next_arrival((source.arrivals)(&hub));
        Self { source, hub, guest, path: path.to_owned(), sent: HashMap::new(), arrival }
    }

    fn give_back(&mut self) {
        for (_, lock_token) in self.sent.drain() {
            // One whose lock is over is there for others already.
            let _ = (self.source.abandon)(&self.hub, &lock_token);
        }
    }
}

/// Is there when something has come. `None`: nothing will any more.
fn next_arrival(mut arrivals: watch::Receiver<u64>) -> Arrival {
    Box::pin(async move { arrivals.changed().await.is_ok().then_some(arrivals) })
}

impl Node for HandoutNode {
    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        // Looked at before the handouts are: what comes in between wakes.
        while let Poll::Ready(arrived) = self.arrival.as_mut().poll(context) {
            self.arrival = match arrived {
                Some(arrivals) => next_arrival(arrivals),
                None => Box::pin(std::future::pending()),
            };
        }
        if credit == 0 {
            return Poll::Pending;
        }
        let Some(handout) = (self.source.take)(&self.hub) else { return Poll::Pending };
        self.sent.insert(handout.sequence_number, handout.lock_token.clone());
        Poll::Ready(Act::Send {
            key: handout.sequence_number,
            settled: false,
            message: Box::new(message(handout)),
        })
    }

    fn settled(&mut self, key: u64, outcome: &Outcome) {
        let Some(lock_token) = self.sent.remove(&key) else { return };
        // A lock that is over can't be helped.
        let _ = match outcome {
            Outcome::Accepted | Outcome::Rejected(_) => (self.source.complete)(&self.hub, &lock_token),
            _ => (self.source.abandon)(&self.hub, &lock_token),
        };
    }

    fn check(&mut self) -> Result<(), Error> {
        check_service(&self.guest, &self.path)
    }

    fn ended(&mut self) {
        self.give_back();
    }
}

impl Drop for HandoutNode {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn message(handout: Handout) -> Message {
    let annotations = [
        ("iothub-enqueuedtime", Value::Timestamp(handout.enqueued.timestamp_millis())),
        ("iothub-deliverycount", Value::Uint(handout.deliveries)),
        ("x-opt-sequence-number", Value::Long(handout.sequence_number as i64)),
        ("x-opt-lock-token", Value::String(handout.lock_token)),
    ];
    Message {
        message_annotations: annotations.map(|(key, value)| (Value::Symbol(key.to_owned()), value)).to_vec(),
        properties: Properties {
            message_id: Some(Value::String(guid())),
            content_type: Some(handout.content_type.to_owned()),
            content_encoding: Some("utf-8".into()),
            creation_time: Some(handout.enqueued.timestamp_millis()),
            ..Properties::default()
        },
        body: Body::data(handout.body),
        ..Message::default()
    }
}
