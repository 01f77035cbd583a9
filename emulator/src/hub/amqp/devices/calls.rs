//! Direct methods of one device: calls that wait to be sent, and calls that wait for their answer.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::sync::oneshot;
use tracker_amqp::{Body, Message, Properties, Value};

use crate::{
    hub::{HubError, MethodAnswer, amqp::properties::text},
    id::guid,
};

/// Calls that a device may leave unanswered; those beyond are refused as for a device that is not there.
const MAX_OPEN: usize = 1024;

/// Where an answer goes.
type Answer = oneshot::Sender<Result<MethodAnswer, HubError>>;

/// The calls of one device.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Links by which the device takes calls.
    pub receivers: usize,
    waiting: VecDeque<Message>,
    /// By correlation ID.
    open: HashMap<String, Answer>,
}

impl Calls {
    /// How many wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Somebody calls a method; `times` it is sent.
    pub(super) fn put(
        &mut self,
        device_id: &str,
        name: String,
        payload: Vec<u8>,
        answer: Answer,
        times: usize,
    ) {
        self.open.retain(|_, waiting| !waiting.is_closed());
        if self.receivers == 0 || self.open.len() >= MAX_OPEN {
            return not_online(device_id, answer);
        }
        let id = guid();
        let message = Message {
            properties: Properties { correlation_id: Some(uuid(&id)), ..Properties::default() },
            application_properties: vec![("IoThub-methodname".into(), name.into())],
            body: Body::data(payload),
            ..Message::default()
        };
        self.waiting.extend(std::iter::repeat_n(message, times));
        self.open.insert(id, answer);
    }

    /// The next call to be sent.
    pub(super) fn next(&mut self) -> Option<Message> {
        self.waiting.pop_front()
    }

    /// The device has answered. An answer that nobody waits for, or not any more, is passed over.
    pub(super) fn answered(&mut self, correlation: &Value, answer: MethodAnswer) {
        let id = text(correlation).unwrap_or_default().to_ascii_lowercase();
        if let Some(waiting) = self.open.remove(&id) {
            let _ = waiting.send(Ok(answer));
        }
    }

    /// A link by which the device took calls is gone.
    pub(super) fn receiver_left(&mut self, device_id: &str) {
        self.receivers = self.receivers.saturating_sub(1);
        if self.receivers > 0 {
            return;
        }
        for message in std::mem::take(&mut self.waiting) {
            let id = message.properties.correlation_id.as_ref().and_then(text);
            if let Some(answer) = id.and_then(|id| self.open.remove(&id)) {
                not_online(device_id, answer);
            }
        }
    }

    /// The device is gone: those who wait hear of it.
    pub(super) fn end(&mut self) {
        self.waiting.clear();
        self.open.clear();
    }
}

fn not_online(device_id: &str, answer: Answer) {
    // The caller may have given up.
    let _ = answer
        .send(Err(HubError::DeviceNotOnline { device_id: device_id.to_owned(), waited: Duration::ZERO }));
}

/// The text of a UUID as a value: Microsoft's SDK for C takes no other correlation IDs.
fn uuid(text: &str) -> Value {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let byte = |place: usize| {
        digits.get(place * 2..place * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    Value::Uuid(std::array::from_fn(|place| byte(place).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(calls: &mut Calls) -> oneshot::Receiver<Result<MethodAnswer, HubError>> {
        let (answer, answered) = oneshot::channel();
        calls.put("d", "open".into(), Vec::new(), answer, 1);
        answered
    }

    #[test]
    fn an_answer_finds_its_call_by_uuid_and_by_text() {
        let mut calls = Calls { receivers: 1, ..Calls::default() };
        let mut answered = [call(&mut calls), call(&mut calls)];
        let ids: Vec<Value> = std::iter::from_fn(|| calls.next())
            .filter_map(|message| message.properties.correlation_id)
            .collect();
        calls.answered(&ids[0], MethodAnswer { status: 200, body: Vec::new() });
        calls.answered(
            &Value::String(text(&ids[1]).expect("a text")),
            MethodAnswer { status: 201, body: Vec::new() },
        );
        calls.answered(&ids[1], MethodAnswer { status: 500, body: Vec::new() });
        let statuses = answered
            .each_mut()
            .map(|answered| answered.try_recv().ok().and_then(Result::ok).map(|a| a.status));
        assert_eq!(statuses, [Some(200), Some(201)]);
    }

    #[test]
    fn nobody_is_called_who_takes_no_calls() {
        let mut calls = Calls::default();
        let refused = |answered: &mut oneshot::Receiver<_>| {
            matches!(answered.try_recv(), Ok(Err(HubError::DeviceNotOnline { .. })))
        };
        assert!(refused(&mut call(&mut calls)));
        calls.receivers = 1;
        let mut answered = call(&mut calls);
        calls.receiver_left("d");
        assert!(refused(&mut answered) && calls.waiting() == 0);
    }
}
