//! The proof that a webhook wants to hear: it gives back a code that it was sent.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::event::topic;
use crate::{clock::wire_time, id::guid, net::outgoing};

/// As Event Grid does.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks a webhook for the proof; the error says why it is none.
pub(in crate::hub) async fn validate(
    url: &str,
    subscription: &str,
    hub_name: &str,
    now: DateTime<Utc>,
) -> Result<(), String> {
    let code = guid().to_ascii_uppercase();
    let event = json!([{
        "id": guid(),
        "topic": topic(hub_name),
        "subject": "",
        "data": { "validationCode": code },
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": wire_time::print(now),
        "metadataVersion": "1",
        "dataVersion": "2",
    }]);
    let headers = [
        ("aeg-event-type", "SubscriptionValidation".to_owned()),
        ("aeg-subscription-name", subscription.to_ascii_uppercase()),
        ("aeg-delivery-count", "0".to_owned()),
    ];
    let failed = |why: String| Err(format!("the webhook has not proved that it wants these events: {why}"));
    let asked = outgoing::post_json(url, &headers, event.to_string());
    let (status, body) = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return failed(error.to_string()),
        Err(_elapsed) => return failed(format!("no answer within {} seconds", PATIENCE.as_secs())),
    };
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    match answer["validationResponse"].as_str() {
        _ if status != 200 => failed(format!("it answered HTTP {status} to the validation event, not 200")),
        Some(given) if given == code => Ok(()),
        Some(_) => failed("validationResponse is not the code that it was sent".into()),
        None => failed(
            "its answer has no validationResponse (this emulator has no validation by hand, with a validationUrl)".into(),
        ),
    }
}
