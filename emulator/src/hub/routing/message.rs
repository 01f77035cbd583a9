//! A message on its way through the routes: of a device, or of the hub itself.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::wire_time;

/// Where a message comes from. The names are Azure Resource Manager's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MessageSource {
    /// A device has sent it.
    DeviceMessages,
    /// Tags, desired or reported properties have changed.
    TwinChangeEvents,
    /// A device identity was made or deleted.
    DeviceLifecycleEvents,
    /// A device has connected or disconnected.
    DeviceConnectionStateEvents,
}

/// One message, as conditions and endpoints see it.
#[derive(Clone, Debug)]
pub(in crate::hub) struct RoutedMessage {
    pub source: MessageSource,
    /// Of whom, or of what, it tells; of a module, its address.
    pub device_id: String,
    pub enqueued_time: DateTime<Utc>,
    /// System properties by the names that conditions have for them, without `$`.
    pub system: Vec<(Cow<'static, str>, String)>,
    /// Application properties, in the order sent.
    pub properties: Vec<(String, String)>,
    pub body: Bytes,
}

impl RoutedMessage {
    /// A system property, whatever the case of its name.
    pub(super) fn system_property(&self, name: &str) -> Option<&str> {
        let found = self.system.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// An application property: of this name, or else of one that differs in case.
    pub(super) fn property(&self, name: &str) -> Option<&str> {
        let exact = self.properties.iter().find(|(known, _)| known == name);
        let found =
            exact.or_else(|| self.properties.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.as_str())
    }

    /// The body where it is what routes can look into: `application/json` in UTF-8, and said to be.
    pub(super) fn json_body(&self) -> Option<Value> {
        let (kind, parameter) = self.system_property("contentType").map(split)?;
        let encoding = self.system_property("contentEncoding").or(parameter)?;
        let is_readable =
            kind.eq_ignore_ascii_case("application/json") && encoding.eq_ignore_ascii_case("utf-8");
        if is_readable { serde_json::from_slice(&self.body).ok() } else { None }
    }

    /// As Azure writes it into a storage account: with the body as JSON where it says that it is, else in base64.
    pub(super) fn record(&self) -> Value {
        let properties: Map<_, _> =
            self.properties.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        let mut system: Map<_, _> = self
            .system
            .iter()
            .map(|(name, value)| (name.clone().into_owned(), Value::from(value.as_str())))
            .collect();
        let enqueued = wire_time::print(self.enqueued_time);
        system.insert("enqueuedTime".into(), enqueued.clone().into());
        json!({
            "EnqueuedTimeUtc": enqueued,
            "Properties": properties,
            "SystemProperties": system,
            "Body": self.shown_body(),
        })
    }

    /// The body as JSON where it says that it is, else in base64.
    pub(in crate::hub) fn shown_body(&self) -> Value {
        self.json_body().unwrap_or_else(|| STANDARD.encode(&self.body).into())
    }
}

/// A content type, and the character set that may stand behind it.
fn split(content_type: &str) -> (&str, Option<&str>) {
    let (kind, parameter) = content_type.split_once(';').unwrap_or((content_type, ""));
    let charset = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    (kind.trim(), charset.map(|(_, value)| value.trim()))
}
