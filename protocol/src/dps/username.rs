//! The MQTT user name at DPS, which says who asks and at which instance.

use std::fmt;
use std::str::FromStr;

use crate::{ParseError, percent, query};

/// The MQTT user name at DPS:
/// `{idScope}/registrations/{registrationId}/api-version={version}[&ClientVersion={user agent}]`.
///
/// There is no `?` before `api-version`, unlike at a hub. The registration ID is text here, not a
/// [`RegistrationId`](crate::RegistrationId): DPS answers an illegal one with a body, not by refusing the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpsUsername {
    /// Names the DPS instance, for example `0ne00000001`.
    pub id_scope: String,
    /// The registration ID, verbatim.
    pub registration_id: String,
    /// For example [`API_VERSION`](crate::dps::API_VERSION).
    pub api_version: String,
    /// What the device runs; URL-encoded on the wire.
    pub client_version: Option<String>,
}

impl fmt::Display for DpsUsername {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id_scope, registration_id, api_version, client_version } = self;
        write!(f, "{id_scope}/registrations/{registration_id}/api-version={api_version}")?;
        match client_version {
            Some(agent) => write!(f, "&ClientVersion={}", percent::encode(agent)),
            None => Ok(()),
        }
    }
}

impl FromStr for DpsUsername {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why: &str| ParseError::new("DPS user name", text, why);
        let (id_scope, rest) =
            text.split_once("/registrations/").ok_or_else(|| bad("no /registrations/ in it"))?;
        let (registration_id, query) =
            rest.split_once('/').ok_or_else(|| bad("no /api-version= after the registration ID"))?;
        if id_scope.is_empty() || id_scope.contains('/') {
            return Err(bad("the ID scope before /registrations/ must be one word"));
        }
        let api_version = query::value(query, "api-version").filter(|version| !version.is_empty());
        Ok(Self {
            id_scope: id_scope.into(),
            registration_id: registration_id.into(),
            api_version: api_version.ok_or_else(|| bad("api-version is missing"))?.into(),
            client_version: query::value(query, "ClientVersion")
                .map(|agent| {
                    percent::decode(agent).ok_or_else(|| bad("ClientVersion does not decode to UTF-8"))
                })
                .transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_the_sdks_print() {
        let name = DpsUsername {
            id_scope: "0ne00AA0000".into(),
            registration_id: "sensor-thl-001".into(),
            api_version: "2019-03-31".into(),
            client_version: Some("container-tracker/0.1 (Linux; aarch64)".into()),
        };
        let text = "0ne00AA0000/registrations/sensor-thl-001/api-version=2019-03-31\
            &ClientVersion=container-tracker%2F0.1%20%28Linux%3B%20aarch64%29";
        assert_eq!(name.to_string(), text);
        assert_eq!(text.parse::<DpsUsername>().unwrap(), name);
    }

    #[test]
    fn says_what_is_missing() {
        let error = |text: &str| text.parse::<DpsUsername>().unwrap_err().to_string();
        assert!(error("hub/dev/?api-version=1").contains("no /registrations/ in it"));
        assert!(error("scope/registrations/dev").contains("no /api-version="));
        assert!(error("scope/registrations/dev/?api-version=1").contains("api-version is missing"));
        assert!(error("/registrations/dev/api-version=1").contains("ID scope"));
    }
}
