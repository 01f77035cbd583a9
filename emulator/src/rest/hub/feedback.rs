//! Feedback on messages to devices: batches, each under a lock by which it is completed or abandoned.

use crate::{
    clock::wire_time,
    hub::{Feedback, Hub},
    rest::{
        answer::{self, Answer},
        call::Call,
        hub::HubRefusal,
    },
};

/// The oldest batch that nobody has; 204 where there is none. The lock token is its entity tag.
pub(super) fn receive(hub: &Hub) -> Answer {
    let Some(feedback) = hub.take_feedback() else {
        return answer::no_content();
    };
    let mut answer = answer::octets(feedback.body);
    for (name, value) in [
        ("content-type", Feedback::CONTENT_TYPE.to_owned()),
        ("etag", format!("\"{}\"", feedback.lock_token)),
        ("iothub-sequencenumber", feedback.sequence_number.to_string()),
        ("iothub-enqueuedtime", wire_time::print(feedback.enqueued)),
        // How often it was delivered before.
        ("iothub-deliverycount", feedback.deliveries.saturating_sub(1).to_string()),
        ("iothub-userid", hub.name().to_owned()),
    ] {
        answer = answer::with_header(answer, name, &value);
    }
    answer
}

pub(super) fn complete(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    hub.complete_feedback(lock_token(call))?;
    Ok(answer::no_content())
}

pub(super) fn abandon(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    hub.abandon_feedback(lock_token(call))?;
    Ok(answer::no_content())
}

fn lock_token(call: &Call) -> &str {
    call.segments.get(3).map(|token| token.trim_matches('"')).unwrap_or_default()
}
