//! Direct methods: what the hub can ask the device, and its answers.

use serde_json::{Value, json};

use crate::platform::clock::rfc3339;
use crate::status::Status;

/// Answers a call with a status, numbered as in HTTP, and a body.
pub fn call(name: &str, payload: &[u8], status: &Status) -> (i32, Value) {
    match name {
        "ping" => {
            let echo: Value = serde_json::from_slice(payload).unwrap_or(Value::Null);
            (200, json!({"pong": true, "time": status.clock.utc().map(rfc3339), "payload": echo}))
        }
        "getStatus" => (200, json!(status.device())),
        _ => (
            404,
            json!({"message": format!("there is no method {name:?}; ping and getStatus can be called")}),
        ),
    }
}
