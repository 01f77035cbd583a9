//! `messages/serviceBound/feedback`: what became of messages to devices.

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
    hub::{Feedback, Hub},
    id::guid,
};

type Arrival = Pin<Box<dyn Future<Output = Option<watch::Receiver<u64>>> + Send>>;

/// Gives out batches of feedback. What the client doesn't settle goes to another one later.
pub(super) struct FeedbackNode {
    hub: Hub,
    guest: Arc<Guest>,
    path: String,
    /// Batches that were sent, with what they are completed by.
    sent: HashMap<u64, String>,
    arrival: Arrival,
}

impl FeedbackNode {
    pub(super) fn new(hub: Hub, guest: Arc<Guest>, path: &str) -> Self {
        let arrival = next_arrival(hub.feedback_arrivals());
        Self { hub, guest, path: path.to_owned(), sent: HashMap::new(), arrival }
    }

    fn give_back(&mut self) {
        for (_, lock_token) in self.sent.drain() {
            // One whose lock is over is there for others already.
            let _ = self.hub.abandon_feedback(&lock_token);
        }
    }
}

/// Is there when something has come. `None`: nothing will any more.
fn next_arrival(mut arrivals: watch::Receiver<u64>) -> Arrival {
    Box::pin(async move { arrivals.changed().await.is_ok().then_some(arrivals) })
}

impl Node for FeedbackNode {
    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        // Looked at before the batches are: what comes in between wakes.
        while let Poll::Ready(arrived) = self.arrival.as_mut().poll(context) {
            self.arrival = match arrived {
                Some(arrivals) => next_arrival(arrivals),
                None => Box::pin(std::future::pending()),
            };
        }
        if credit == 0 {
            return Poll::Pending;
        }
        let Some(batch) = self.hub.take_feedback() else { return Poll::Pending };
        self.sent.insert(batch.sequence_number, batch.lock_token.clone());
        Poll::Ready(Act::Send {
            key: batch.sequence_number,
            settled: false,
            message: Box::new(message(batch)),
        })
    }

    fn settled(&mut self, key: u64, outcome: &Outcome) {
        let Some(lock_token) = self.sent.remove(&key) else { return };
        // A lock that is over can't be helped.
        let _ = match outcome {
            Outcome::Accepted | Outcome::Rejected(_) => self.hub.complete_feedback(&lock_token),
            _ => self.hub.abandon_feedback(&lock_token),
        };
    }

    fn check(&mut self) -> Result<(), Error> {
        check_service(&self.guest, &self.path)
    }

    fn ended(&mut self) {
        self.give_back();
    }
}

impl Drop for FeedbackNode {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn message(batch: Feedback) -> Message {
    let annotations = [
        ("iothub-enqueuedtime", Value::Timestamp(batch.enqueued.timestamp_millis())),
        ("iothub-deliverycount", Value::Uint(batch.deliveries)),
        ("x-opt-sequence-number", Value::Long(batch.sequence_number as i64)),
        ("x-opt-lock-token", Value::String(batch.lock_token)),
    ];
    Message {
        message_annotations: annotations.map(|(key, value)| (Value::Symbol(key.to_owned()), value)).to_vec(),
        properties: Properties {
            message_id: Some(Value::String(guid())),
            content_type: Some(Feedback::CONTENT_TYPE.to_owned()),
            content_encoding: Some("utf-8".into()),
            creation_time: Some(batch.enqueued.timestamp_millis()),
            ..Properties::default()
        },
        body: Body::data(batch.body),
        ..Message::default()
    }
}
