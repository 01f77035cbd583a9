//! Direct methods: what the hub can ask the device, and its answers.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::platform::clock::rfc3339;
use crate::recorder::{ActiveAlarm, AlarmDesk};
use crate::status::Status;
use crate::uplink::diagnostics;
use crate::uplink::trips::METHODS;

/// Bytes of an answer that a hub takes (IoT Hub quotas).
const LARGEST_ANSWER: usize = 128 * 1024;
/// All that can be called, here, in [`diagnostics`] and in [`trips`](crate::uplink::trips).
#[cfg_attr(not(feature = "mqtt5"), expect(dead_code, reason = "hubs of MQTT 5 ask for them first"))]
pub(super) const NAMES: &[&str] =
    &["ping", "getStatus", diagnostics::METHOD, "acknowledgeAlarm", METHODS[0], METHODS[1], METHODS[2]];
/// Characters of a name that an answer repeats.
const LONGEST_NAME: usize = 100;

/// Answers a call with a status, numbered as in HTTP, and a body, which is JSON. One that no hub would take is told so
/// by another with status 413.
pub fn call(name: &str, payload: &[u8], status: &Status) -> (i32, String) {
    let (code, body) = match name {
        "ping" => (200, pong(payload, status.clock.utc().map(rfc3339).as_deref())),
        "getStatus" => (200, json!(status.device()).to_string()),
        "acknowledgeAlarm" => acknowledge(payload, &status.alarms),
        _ => {
            let name: String = name.chars().take(LONGEST_NAME).collect();
            let others = METHODS.join(", ");
            let message = format!(
                "there is no method {name:?}; ping, getStatus, {}, acknowledgeAlarm, {others} can be called",
                diagnostics::METHOD
            );
            (404, json!({ "message": message }).to_string())
        }
    };
    bounded(code, body)
}

/// The answer where too many calls wait for theirs.
pub fn busy() -> (i32, String) {
    (429, json!({ "message": "too many calls wait for the journal; call again later" }).to_string())
}

/// The answer to a payload that is not understood.
pub fn bad(why: &str) -> (i32, String) {
    (400, json!({ "message": why }).to_string())
}

/// Takes note that somebody knows of an alarm; what it names is its name, by itself or as the member `alarm`.
fn acknowledge(payload: &[u8], alarms: &AlarmDesk) -> (i32, String) {
    let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
    let told = |code: i32, message: String| (code, json!({ "message": message }).to_string());
    let Some(name) = payload.get("alarm").unwrap_or(&payload).as_str() else {
        let message = "the payload names no alarm; it is {\"alarm\": \"NAME\"}, with a name of activeAlarms";
        return told(400, message.into());
    };
    match alarms.acknowledge(name) {
        Ok(ActiveAlarm { severity, since, .. }) => {
            let answer = json!({"alarm": name, "severity": severity, "since": since, "acknowledged": true});
            (200, answer.to_string())
        }
        Err(active) => {
            let name: String = name.chars().take(LONGEST_NAME).collect();
            let active = if active.is_empty() { "none is".into() } else { active.join(", ") };
            told(404, format!("no alarm {name:?} is active; active: {active}"))
        }
    }
}

fn bounded(code: i32, body: String) -> (i32, String) {
    if body.len() <= LARGEST_ANSWER {
        return (code, body);
    }
    let message = format!("the answer would have {} bytes; a hub takes {LARGEST_ANSWER}", body.len());
    (413, json!({ "message": message }).to_string())
}

/// The payload is given back byte for byte: written anew, a number in short form may become several times as long.
fn pong(payload: &[u8], time: Option<&str>) -> String {
    let text = str::from_utf8(payload).ok();
    let echo = text.filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok()).unwrap_or("null");
    format!("{{\"payload\":{},\"pong\":true,\"time\":{}}}", echo.trim(), json!(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_gives_back_the_bytes_that_came() {
        let numbers = format!("[{}]", vec!["1e9"; 31_000].join(","));
        for payload in [numbers.as_str(), "{\"n\": 7.0}", "1e400", "\"\\u00e9\"", "null"] {
            let (code, body) = bounded(200, pong(payload.as_bytes(), Some("2026-11-21T00:00:00Z")));
            assert_eq!(code, 200);
            assert_eq!(
                body,
                format!("{{\"payload\":{payload},\"pong\":true,\"time\":\"2026-11-21T00:00:00Z\"}}")
            );
        }
    }

    #[test]
    fn what_is_no_json_is_not_given_back() {
        for payload in [&b""[..], b"{", b"\xff", b"\"\xff\"", b"1} {"] {
            assert_eq!(pong(payload, None), r#"{"payload":null,"pong":true,"time":null}"#);
        }
        assert_eq!(pong(b" 1\n", None), r#"{"payload":1,"pong":true,"time":null}"#);
    }

    #[test]
    fn an_answer_that_no_hub_takes_is_a_small_one() {
        let payload = format!("\"{}\"", "x".repeat(128 * 1024 - 2));
        let (code, body) = bounded(200, pong(payload.as_bytes(), None));
        assert_eq!(code, 413);
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["message"], "the answer would have 131108 bytes; a hub takes 131072");
    }
}
