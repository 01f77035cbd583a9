//! The hub that DPS assigned, kept over a restart so that a reboot costs no DPS call.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracker_protocol::dps::{self, ConnectionProfile};
use tracker_protocol::{ParseError, check_device_id, check_host_name};

use crate::config::DpsConfig;
use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;

/// A device's place at a hub, and what it was given for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Assignment {
    /// Host name of the hub.
    pub hub: String,
    /// Device ID at that hub.
    pub device_id: String,
    /// It holds only for these.
    pub terms: Terms,
    /// The hub minds packets before its CONNACK.
    pub waits_for_connack: bool,
    /// How the hub is spoken to, where DPS was asked for that.
    pub profile: Option<ConnectionProfile>,
}

/// What an assignment was given for: with any of it changed, DPS must be asked anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// SHA-256 of the leaf: the hub knows the device by it, so a new leaf must register anew.
    pub thumbprint: String,
    /// ID scope of the DPS instance.
    pub id_scope: String,
    /// DPS host.
    pub dps_host: String,
}

/// As it is in the file: one object.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    hub: String,
    device_id: String,
    thumbprint: String,
    id_scope: String,
    dps_host: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    waits_for_connack: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection_profile: Option<String>,
}

impl TryFrom<Stored> for Assignment {
    type Error = ParseError;

    fn try_from(stored: Stored) -> Result<Self, ParseError> {
        let Stored { hub, device_id, thumbprint, id_scope, dps_host, waits_for_connack, connection_profile } =
            stored;
        let profile = connection_profile.map(|word| ConnectionProfile::parse(Some(&word))).transpose()?;
        let terms = Terms { thumbprint, id_scope, dps_host };
        Ok(Self { hub, device_id, terms, waits_for_connack, profile })
    }
}

impl From<Assignment> for Stored {
    fn from(assignment: Assignment) -> Self {
        let Assignment { hub, device_id, terms, waits_for_connack, profile } = assignment;
        let Terms { thumbprint, id_scope, dps_host } = terms;
        let connection_profile = profile.map(|profile| profile.word().into());
        Self { hub, device_id, thumbprint, id_scope, dps_host, waits_for_connack, connection_profile }
    }
}

impl Assignment {
    /// What DPS has assigned to a device that asked with these terms. Whether the hub can be spoken to is judged before
    /// ([`profile::judge`](crate::uplink::profile::judge)).
    pub fn new(assigned: &dps::Assignment, terms: Terms) -> Self {
        let (hub, device_id) = (assigned.hub.clone(), assigned.device_id.clone());
        let word = assigned.connection_profile.as_deref();
        let profile = word.and_then(|word| ConnectionProfile::parse(Some(word)).ok());
        Self { hub, device_id, terms, waits_for_connack: false, profile }
    }

    /// How the hub is spoken to: where DPS was not asked, as ever.
    pub fn speaks(&self) -> ConnectionProfile {
        self.profile.unwrap_or_default()
    }
}

impl Terms {
    /// Those of a device with this leaf at this DPS.
    pub fn new(dps: &DpsConfig, thumbprint: &str) -> Self {
        Self { thumbprint: thumbprint.into(), id_scope: dps.id_scope.clone(), dps_host: dps.host.clone() }
    }
}

/// The file that holds it.
#[derive(Debug, Clone)]
pub struct AssignmentFile(PathBuf);

impl AssignmentFile {
    /// The file in the state directory.
    pub fn new(state_directory: &Path) -> Self {
        Self(StateDirectory::new(state_directory).assignment())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The stored assignment, if there is one. What DPS would not be believed is not believed of the disk either.
    pub fn read(&self) -> io::Result<Option<Assignment>> {
        let stored: Option<Assignment> = state_file::read(&self.0)?;
        if let Some(Assignment { hub, device_id, .. }) = &stored {
            let looked_at = check_host_name(hub).and_then(|()| check_device_id(device_id));
            looked_at.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        }
        Ok(stored)
    }

    /// Stores `assignment` in place of the one before, or forgets it.
    pub fn write(&self, assignment: Option<&Assignment>) -> io::Result<()> {
        match assignment {
            Some(assignment) => state_file::replace(&self.0, assignment),
            None => state_file::remove(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_file_is_as_flat_as_it_always_was() {
        let written = json!({"hub": "h", "deviceId": "d", "thumbprint": "t", "idScope": "s", "dpsHost": "g"});
        let assignment: Assignment = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(assignment.terms.id_scope, "s");
        assert_eq!(serde_json::to_value(&assignment).unwrap(), written);
        let waits =
            serde_json::to_value(Assignment { waits_for_connack: true, ..assignment.clone() }).unwrap();
        assert_eq!(waits["waitsForConnack"], true);
        assert!(serde_json::from_value::<Assignment>(waits).unwrap().waits_for_connack);
        let told = Assignment { profile: Some(ConnectionProfile::MqttV5), ..assignment.clone() };
        let mut stored = serde_json::to_value(told.clone()).unwrap();
        assert_eq!(stored["connectionProfile"], "mqttV5");
        assert_eq!(serde_json::from_value::<Assignment>(stored.clone()).unwrap(), told);
        assert_eq!(
            (assignment.speaks(), told.speaks()),
            (ConnectionProfile::Classic, ConnectionProfile::MqttV5)
        );
        stored["connectionProfile"] = "mqttV6".into();
        let why = serde_json::from_value::<Assignment>(stored).unwrap_err().to_string();
        assert!(why.contains("mqttV6"), "{why}");
        assert!(serde_json::from_value::<Assignment>(json!({"hub": "h", "deviceId": "d"})).is_err());
    }

    #[test]
    fn a_stored_name_that_can_not_be_one_is_an_error_and_not_an_assignment() {
        let directory = tempfile::tempdir().unwrap();
        let file = AssignmentFile::new(directory.path());
        let terms = Terms { thumbprint: "t".into(), id_scope: "s".into(), dps_host: "g".into() };
        let read = |hub: &str, device_id: &str| {
            let assignment = Assignment {
                hub: hub.into(),
                device_id: device_id.into(),
                terms: terms.clone(),
                waits_for_connack: false,
                profile: None,
            };
            file.write(Some(&assignment)).unwrap();
            file.read()
        };
        assert!(read("hub.azure-devices.net", "box-1").unwrap().is_some());
        let bad =
            [("hub\n<3>well", "box-1"), ("localhost:8883", "box-1"), ("h.net", "a+b"), ("h.net", "a\u{1b}b")];
        for (hub, device_id) in bad {
            let why = read(hub, device_id).unwrap_err().to_string();
            assert!(why.contains("is no ") && !why.contains(char::is_control), "{why:?}");
        }
    }
}
