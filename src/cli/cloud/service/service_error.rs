//! What a service says when it refuses, in any of Azure's shapes.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use tracker_protocol::Printable;

/// A refusal.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// Azure's name of the error (`DeviceNotFound`) or its six digits, where there is one.
    pub code: Option<String>,
    /// The sentence, where there is one.
    pub message: String,
    /// What Microsoft's support asks for.
    pub tracking_id: Option<String>,
    /// How long it asks to wait.
    pub retry_after: Option<Duration>,
}

impl ServiceError {
    /// Reads a refusal. `header` is `iothub-errorcode`.
    ///
    /// DPS: `{"errorCode":404201,"trackingId":"…","message":"…"}`. Hubs: `{"Message":"ErrorCode:Name;text",
    /// "ExceptionMessage":"Tracking ID:…"}`, or a document like that of DPS as the text of `Message`.
    pub(in crate::cli) fn parse(status: u16, header: Option<&str>, body: &[u8]) -> Self {
        let document = serde_json::from_slice(body).unwrap_or(Value::Null);
        let mut error = Self {
            status,
            code: header.map(str::to_owned),
            message: String::new(),
            tracking_id: None,
            retry_after: None,
        };
        match document["Message"].as_str().or_else(|| document["message"].as_str()) {
            None => {
                let text = String::from_utf8_lossy(body);
                error.message = text.trim().chars().take(300).collect();
            }
            Some(text) => match serde_json::from_str(text) {
                Ok(inner @ Value::Object(_)) => error.take_document(&inner),
                _ => error.take_text(text),
            },
        }
        error.take_document(&document);
        let tracking =
            document["ExceptionMessage"].as_str().and_then(|text| text.strip_prefix("Tracking ID:"));
        error.tracking_id = error.tracking_id.or_else(|| tracking.map(str::to_owned));
        error
    }

    fn take_document(&mut self, document: &Value) {
        if self.code.is_none() {
            self.code = document["errorCode"].as_u64().map(|code| code.to_string());
        }
        if let (true, Some(message)) = (self.message.is_empty(), document["message"].as_str()) {
            message.clone_into(&mut self.message);
        }
        if let (None, Some(id)) = (&self.tracking_id, document["trackingId"].as_str()) {
            self.tracking_id = Some(id.to_owned());
        }
    }

    fn take_text(&mut self, text: &str) {
        let Some((code, rest)) = text.strip_prefix("ErrorCode:").and_then(|rest| rest.split_once(';')) else {
            text.clone_into(&mut self.message);
            return;
        };
        self.code.get_or_insert_with(|| code.to_owned());
        rest.clone_into(&mut self.message);
    }

    /// What can be done about it, where that is known.
    fn advice(&self) -> Option<&'static str> {
        match (self.status, self.code.as_deref()) {
            (401, _) => Some(
                "check policy and key, whether they are those of this service, and this computer's clock",
            ),
            (403, _) => Some("the policy lacks a permission that this needs"),
            (404, Some("DeviceNotOnline" | "404103")) => {
                Some("the device is not connected: wait for it, or give --method-connect-timeout")
            }
            (404, Some("DeviceNotFound" | "404001")) => {
                Some("this hub has no device with that ID: `cloud device list` shows those that it has")
            }
            (412, _) => Some("it has changed since its etag was read: show it again, and use the new etag"),
            (429, _) => Some("too many requests: wait a little"),
            _ => None,
        }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.as_deref().unwrap_or("no error code");
        let message = if self.message.is_empty() { "no explanation" } else { &self.message };
        write!(f, "{} (HTTP {}, {}", Printable(message), self.status, Printable(code))?;
        if let Some(id) = &self.tracking_id {
            write!(f, ", tracking ID {}", Printable(id))?;
        }
        f.write_str(")")?;
        match self.advice() {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ServiceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_gives_code_and_message() {
        let dps = br#"{"errorCode":404201,"trackingId":"6f1c","message":"Enrollment not found.","timestampUtc":"2026"}"#;
        let hub = br#"{"Message":"ErrorCode:DeviceNotFound;d1","ExceptionMessage":"Tracking ID:1bc3-G:20"}"#;
        let method = br#"{"Message":"{\"errorCode\":404103,\"trackingId\":\"2ce0\",\"message\":\"Timed out waiting for device to connect.\"}","ExceptionMessage":""}"#;
        let parse = |status, header, body: &[u8]| ServiceError::parse(status, header, body).to_string();
        assert_eq!(parse(404, None, dps), "Enrollment not found. (HTTP 404, 404201, tracking ID 6f1c)");
        assert_eq!(
            parse(404, Some("DeviceNotFound"), hub),
            "d1 (HTTP 404, DeviceNotFound, tracking ID 1bc3-G:20); this hub has no device with that ID: `cloud device list` \
             shows those that it has"
        );
        let text = parse(404, None, method);
        assert!(text.starts_with("Timed out waiting for device to connect. (HTTP 404, 404103"), "{text}");
        assert!(text.contains("the device is not connected"), "{text}");
    }

    #[test]
    fn a_body_that_is_no_json_is_shown_and_none_is_said_to_be_none() {
        let parse = |body: &[u8]| ServiceError::parse(502, None, body).to_string();
        assert_eq!(parse(b"<html>Bad gateway</html>"), "<html>Bad gateway</html> (HTTP 502, no error code)");
        assert_eq!(parse(b""), "no explanation (HTTP 502, no error code)");
    }
}
