//! The MQTT user name at a hub, which says which device connects and by which API version.

use std::fmt;
use std::str::FromStr;

use crate::{ParseError, percent, query};

/// The MQTT user name at a hub:
/// `{hub}/{deviceId}/?api-version={version}[&DeviceClientType={user agent}][&model-id={dtmi}]`.
///
/// The `?` is mandatory for new clients; the form without it, as old SDKs wrote it, is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubUsername {
    /// Host name of the hub, for example `cheese.azure-devices.net`.
    pub hub: String,
    /// The device ID, not encoded.
    pub device_id: String,
    /// The module on that device, where the client is one.
    pub module_id: Option<String>,
    /// Without it telemetry works and twin requests are answered 400.
    pub api_version: Option<String>,
    /// What the device runs; URL-encoded on the wire.
    pub client_type: Option<String>,
    /// Plug and Play model, for example `dtmi:com:example:tracker;1`; URL-encoded on the wire.
    pub model_id: Option<String>,
}

impl fmt::Display for HubUsername {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.hub, self.device_id)?;
        if let Some(module) = &self.module_id {
            write!(f, "{module}/")?;
        }
        let mut separator = '?';
        let api_version = self.api_version.as_deref();
        let others =
            [("DeviceClientType", self.client_type.as_deref()), ("model-id", self.model_id.as_deref())];
        if let Some(version) = api_version {
            write!(f, "?api-version={version}")?;
            separator = '&';
        }
        for (key, value) in others {
            if let Some(value) = value {
                write!(f, "{separator}{key}={}", percent::encode(value))?;
                separator = '&';
            }
        }
        Ok(())
    }
}

impl FromStr for HubUsername {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why: &str| ParseError::new("hub user name", text, why);
        let (path, query) = match text.split_once("/?") {
            Some(parts) => parts,
            // The form that was used before 2018.
            None => match text.split_once("/api-version=") {
                Some((path, _)) => (path, &text[path.len() + 1..]),
                None => (text.trim_end_matches('/'), ""),
            },
        };
        let mut parts = path.split('/');
        let mut part = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        let hub = part().ok_or_else(|| bad("it does not begin with the name of a hub"))?;
        let device_id = part().ok_or_else(|| bad("no device ID after the name of the hub"))?;
        let module_id = part();
        if part().is_some() {
            return Err(bad("more parts than hub, device and module"));
        }
        let decoded = |key: &str| {
            query::value(query, key)
                .map(|value| {
                    percent::decode(value).ok_or_else(|| bad(&format!("{key} does not decode to UTF-8")))
                })
                .transpose()
        };
        Ok(Self {
            hub,
            device_id,
            module_id,
            api_version: query::value(query, "api-version").filter(|v| !v.is_empty()).map(str::to_owned),
            client_type: decoded("DeviceClientType")?,
            model_id: decoded("model-id")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_the_hub_expects() {
        let name = HubUsername {
            hub: "cheese.azure-devices.net".into(),
            device_id: "sensor-thl-001".into(),
            module_id: None,
            api_version: Some("2021-04-12".into()),
            client_type: Some("container-tracker/0.1".into()),
            model_id: Some("dtmi:com:example:tracker;1".into()),
        };
        let text = "cheese.azure-devices.net/sensor-thl-001/?api-version=2021-04-12\
            &DeviceClientType=container-tracker%2F0.1&model-id=dtmi%3Acom%3Aexample%3Atracker%3B1";
        assert_eq!(name.to_string(), text);
        assert_eq!(text.parse::<HubUsername>().unwrap(), name);
    }

    #[test]
    fn understands_the_forms_of_other_clients() {
        let parsed = |text: &str| text.parse::<HubUsername>().unwrap();
        assert_eq!(parsed("hub/dev/api-version=2016-11-14").api_version.as_deref(), Some("2016-11-14"));
        assert_eq!(parsed("hub/dev/mod/?api-version=1").module_id.as_deref(), Some("mod"));
        assert_eq!(parsed("hub/dev").api_version, None);
        assert_eq!(parsed("hub/dev/?model-id=x").model_id.as_deref(), Some("x"));
        assert!("hub".parse::<HubUsername>().unwrap_err().to_string().contains("no device ID"));
    }
}
