//! Azure's forms, as the console has them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use tracker_console::backend::BackendError;
use tracker_console::model::{CloudEvent, Connection, Identity};

/// When a device that never did was last active, at Azure.
const NEVER: &str = "0001-01-01";

/// A device identity, of the hub of this name: as the registry has it, or with its twin as queries have it.
pub(crate) fn identity(hub: &str, device: &Value) -> Option<Identity> {
    let last_activity = device["lastActivityTime"].as_str().filter(|time| !time.starts_with(NEVER));
    let last_activity: Option<DateTime<Utc>> = last_activity.and_then(|time| time.parse().ok());
    let (authentication, kind) = match &device["authentication"] {
        Value::Null => (device, &device["authenticationType"]),
        authentication => (authentication, &authentication["type"]),
    };
    let thumbprints = &authentication["x509Thumbprint"];
    let mut thumbprints: Vec<String> = ["primaryThumbprint", "secondaryThumbprint"]
        .iter()
        .filter_map(|name| thumbprints[name].as_str().filter(|print| !print.is_empty()))
        .map(str::to_owned)
        .collect();
    thumbprints.dedup();
    Some(Identity {
        id: device["deviceId"].as_str()?.to_owned(),
        hub: hub.to_owned(),
        is_enabled: device["status"] != "disabled",
        connection: match (device["connectionState"].as_str(), last_activity) {
            (Some("Connected"), _) => Connection::Connected,
            (_, None) => Connection::Never,
            (_, Some(_)) => Connection::Disconnected,
        },
        last_activity,
        messages_waiting: device["cloudToDeviceMessageCount"].as_u64().unwrap_or_default(),
        authentication: kind.as_str().unwrap_or("none").to_owned(),
        thumbprints,
        twin: None,
    })
}

/// An event of the emulator, in its JSON.
pub(crate) fn cloud_event(detail: Value, time: DateTime<Utc>) -> CloudEvent {
    let names = ["deviceId", "registrationId", "clientId"];
    // A client at the hub may call itself `device/module`; here are no modules.
    let device = names.iter().find_map(|name| detail[name].as_str()).unwrap_or_default().to_owned();
    let kind = detail["event"].as_str().unwrap_or_default().to_owned();
    CloudEvent { time, device, kind, detail }
}

/// Takes what is nobody's matter out of an enrollment: symmetric keys.
pub(crate) fn without_keys(mut enrollment: Value) -> Value {
    if let Some(attestation) = enrollment["attestation"].as_object_mut() {
        attestation.remove("symmetricKey");
    }
    enrollment
}

/// A form that JSON has always.
pub(crate) fn json(form: impl serde::Serialize) -> Value {
    serde_json::to_value(form).unwrap_or_default()
}

/// No device of this ID.
pub(crate) fn no_device(id: &str) -> BackendError {
    BackendError::NotFound(format!("No hub has a device {id:?}."))
}

/// No fault of this number.
pub(crate) fn no_fault(id: u64) -> BackendError {
    BackendError::NotFound(format!("There is no fault {id}."))
}

/// A sentence made of what a service said.
pub(crate) fn sentence(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    if text.ends_with(['.', '?', '!']) { text } else { text + "." }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_stay_where_they_are() {
        let device = json!({
            "deviceId": "d", "status": "disabled", "connectionState": "Disconnected", "lastActivityTime": "0001-01-01T00:00:00Z",
            "cloudToDeviceMessageCount": 3,
            "authentication": {"type": "sas", "symmetricKey": {"primaryKey": "c2VjcmV0", "secondaryKey": "c2VjcmV0"},
                "x509Thumbprint": {"primaryThumbprint": "AB", "secondaryThumbprint": "AB"}},
        });
        let identity = identity("hub", &device).unwrap();
        assert!(!identity.is_enabled && identity.connection == Connection::Never);
        assert_eq!((identity.thumbprints.as_slice(), identity.messages_waiting), (&["AB".to_owned()][..], 3));
        assert!(!json(&identity).to_string().contains("c2VjcmV0"));
        let enrollment =
            json!({"attestation": {"type": "symmetricKey", "symmetricKey": {"primaryKey": "c2VjcmV0"}}});
        assert_eq!(without_keys(enrollment), json!({"attestation": {"type": "symmetricKey"}}));
    }

    #[test]
    fn an_event_belongs_to_the_device_that_it_names() {
        for (event, device) in [
            (json!({"event": "deviceConnected", "hub": "h", "deviceId": "d"}), "d"),
            (json!({"event": "assigned", "registrationId": "r"}), "r"),
            (json!({"event": "connectionRefused", "clientId": "c"}), "c"),
            (json!({"event": "handshakeFailed", "peer": "p"}), ""),
        ] {
            let kind = event["event"].clone();
            let event = cloud_event(event, DateTime::UNIX_EPOCH);
            assert_eq!((event.device.as_str(), kind.as_str()), (device, Some(event.kind.as_str())));
        }
    }
}
