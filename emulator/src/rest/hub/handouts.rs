//! Feedback on messages to devices in batches, and notices of uploaded files: each under a lock by which it is completed or
//! abandoned.

use crate::{
    clock::wire_time,
    hub::{Handout, Hub},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

/// The oldest that nobody has; 204 where there is none. The lock token is its entity tag.
pub(super) fn show(hub: &Hub, handout: Option<Handout>) -> Answer {
    let Some(handout) = handout else {
        return answer::no_content();
    };
    let mut answer = answer::octets(handout.body);
    for (name, value) in [
        ("content-type", handout.content_type.to_owned()),
        ("etag", format!("\"{}\"", handout.lock_token)),
        ("iothub-sequencenumber", handout.sequence_number.to_string()),
        ("iothub-enqueuedtime", wire_time::print(handout.enqueued)),
        // How often it was delivered before.
        ("iothub-deliverycount", handout.deliveries.saturating_sub(1).to_string()),
        ("iothub-userid", hub.name().to_owned()),
    ] {
        answer = answer::with_header(answer, name, &value);
    }
    answer
}

/// By which a call completes or abandons one.
pub(super) fn lock_token(call: &Call) -> &str {
    call.segments.get(3).map(|token| token.trim_matches('"')).unwrap_or_default()
}
