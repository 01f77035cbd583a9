//! What is told of issued certificates: to the cloud by a message of its own, and in the device twin.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::event_message::EventMessage;
use crate::platform::timestamp::Timestamp;
use crate::uplink::renewal::plan::Term;

/// Who the message is about.
const KIND: &str = "certificate";
const NAME: &str = "operational";

/// A new certificate is in use.
pub(super) fn renewed(term: &Term, thumbprint: &str) -> EventMessage {
    let Term { not_before, not_after, due } = *term;
    let fields = json!({
        "certificate": NAME, "state": "renewed", "thumbprint": thumbprint,
        "validFrom": Timestamp(not_before), "validUntil": Timestamp(not_after), "renewalDue": Timestamp(due),
    });
    EventMessage::new(KIND, NAME, "renewed", fields.to_string())
}

/// The one in use is near its end, and there is no new one.
pub(super) fn ending(not_after: DateTime<Utc>, why: &str) -> EventMessage {
    let why: String = why.chars().take(500).collect();
    let fields = json!({
        "certificate": NAME, "state": "ending", "validUntil": Timestamp(not_after), "trouble": why,
    });
    EventMessage::new(KIND, NAME, "ending", fields.to_string())
}

/// What is reported of it beside its validity.
pub(super) fn reported(reported: &mut Value, term: Option<&Term>, trouble: &str) {
    reported["issuer"] = "dps".into();
    reported["renewalDue"] = json!(term.map(|term| Timestamp(term.due)));
    reported["trouble"] = trouble.chars().take(500).collect::<String>().into();
}
