//! Errors in the two shapes of a hub.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::{
    hub::HubError,
    rest::{
        answer::{self, Answer},
        call::Call,
        tracking::tracking,
    },
};

/// An error on its way.
pub(in crate::rest) struct HubRefusal {
    /// Six digits, of which the first three are the status.
    pub code: u32,
    /// For `iothub-errorcode`.
    pub name: &'static str,
    pub message: String,
    /// Methods answer with a document in the text.
    nested: bool,
}

impl HubRefusal {
    pub(in crate::rest) fn new(code: u32, name: &'static str, message: impl Into<String>) -> Self {
        Self { code, name, message: message.into(), nested: false }
    }

    pub(in crate::rest) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400_004, "ArgumentInvalid", message)
    }

    /// The first word of the text is Azure's; clients look at the code before it.
    pub(in crate::rest) fn unauthorized(reason: &str) -> Self {
        Self::new(401_002, "IotHubUnauthorizedAccess", format!("Unauthorized ({reason})"))
    }

    pub(in crate::rest) fn not_implemented(what: &str) -> Self {
        Self::new(501_000, "NotImplemented", format!("this emulator does not implement {what}"))
    }

    pub(super) fn no_route(call: &Call) -> Self {
        let path = call.segments.join("/");
        Self::new(
            404_000,
            "InvalidOperation",
            format!(
                "{} /{path} is not implemented by this emulator, or not known to Azure either",
                call.method
            ),
        )
    }

    /// In the shape of an answer to a method call.
    pub(super) fn nested(self) -> Self {
        Self { nested: true, ..self }
    }

    pub(in crate::rest) fn answer(self, now: DateTime<Utc>) -> Answer {
        let (tracking_id, timestamp) = tracking(now);
        let stamp = format!(
            "Tracking ID:{}-G:0-TimeStamp:{}",
            tracking_id.replace('-', ""),
            now.format("%m/%d/%Y %H:%M:%S")
        );
        let body = if self.nested {
            let inner = json!({
                "errorCode": self.code,
                "trackingId": tracking_id,
                "message": self.message,
                "info": {},
                "timestampUtc": timestamp,
            });
            json!({ "Message": inner.to_string(), "ExceptionMessage": "" })
        } else {
            json!({ "Message": format!("ErrorCode:{};{}", self.name, self.message), "ExceptionMessage": stamp })
        };
        let answer = answer::json((self.code / 1000) as u16, &body);
        answer::with_header(answer, "iothub-errorcode", self.name)
    }
}

impl From<HubError> for HubRefusal {
    fn from(error: HubError) -> Self {
        let name = error.name();
        let text = match &error {
            HubError::DeviceNotFound(device) => device.clone(),
            HubError::DeviceNotOnline { .. } => "Timed out waiting for device to connect.".into(),
            HubError::GatewayTimeout { .. } => "Timed out waiting for the response from device.".into(),
            other => {
                let text = other.to_string();
                text.strip_prefix(&format!("{name}: ")).map(str::to_owned).unwrap_or(text)
            }
        };
        Self::new(error.error_code(), name, text)
    }
}
