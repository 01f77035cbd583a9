//! The hubs that exist, and which of them are linked to the provisioning service.

use serde::{Deserialize, Serialize};
use tracker_protocol::dps::ConnectionProfile;

use super::DpsError;
use crate::{
    host_names::{self, HostKind},
    hub::Hub,
};

/// What a hub's name ends with unless it is given in full.
const HUB_DOMAIN: &str = ".azure-devices.net";

/// A hub that DPS may assign devices to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkedHub {
    /// Host name.
    pub name: String,
    /// Share of devices under the hashed policy, 1 to 1000.
    pub allocation_weight: u16,
    /// Whether devices are told its name of TLS 1.3, `{hub}.device.azure-devices.net`, in place of this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assigns_device_name: bool,
}

impl LinkedHub {
    /// Whether a host name is one of this hub's.
    pub(super) fn is_named(&self, host: &str) -> bool {
        host_names::kind_at(&self.name, host).is_some()
    }
}

/// All hubs, and those that DPS may assign devices to.
#[derive(Default)]
pub(crate) struct Hubs {
    all: Vec<Hub>,
    linked: Vec<LinkedHub>,
    /// Whether devices are told the device names of all hubs.
    assigns_device_names: bool,
}

impl Hubs {
    pub(super) fn restore(linked: Vec<LinkedHub>, assigns_device_names: bool) -> Self {
        Self { all: Vec::new(), linked, assigns_device_names }
    }

    pub(super) fn insert(&mut self, hub: Hub) {
        self.all.push(hub);
    }

    pub(super) fn add(&mut self, name: String, weight: u16, make: impl FnOnce(String) -> Hub) -> Hub {
        match self.linked.iter_mut().find(|hub| hub.name == name) {
            Some(linked) => linked.allocation_weight = weight,
            None => self.linked.push(LinkedHub {
                name: name.clone(),
                allocation_weight: weight,
                assigns_device_name: false,
            }),
        }
        if let Some(known) = self.named(&name) {
            return known.clone();
        }
        let hub = make(name);
        self.all.push(hub.clone());
        hub
    }

    pub(super) fn unlink(&mut self, name: &str) -> Result<(), DpsError> {
        let full = self.find(name).map(|hub| hub.name().to_owned());
        let before = self.linked.len();
        self.linked.retain(|hub| Some(&hub.name) != full.as_ref());
        if self.linked.len() == before {
            return Err(DpsError::HubNotLinked(name.to_owned()));
        }
        Ok(())
    }

    /// Says whether devices are told the device name of a linked hub.
    pub(super) fn assign_device_name(&mut self, name: &str, on: bool) -> Result<(), DpsError> {
        let full = self.find(name).map(|hub| hub.name().to_owned());
        let linked = self.linked.iter_mut().find(|hub| Some(&hub.name) == full.as_ref());
        linked.ok_or_else(|| DpsError::HubNotLinked(name.to_owned()))?.assigns_device_name = on;
        Ok(())
    }

    /// The name of a hub that devices are told.
    pub(super) fn name_for_devices(&self, hub: &Hub) -> String {
        let linked = self.linked.iter().find(|linked| linked.name == hub.name());
        // A hub of MQTT 5 has no other name for devices.
        let is_five = hub.profile() == ConnectionProfile::MqttV5;
        if is_five || self.assigns_device_names || linked.is_some_and(|linked| linked.assigns_device_name) {
            host_names::device_name(hub.name())
        } else {
            hub.name().to_owned()
        }
    }

    /// A hub by any of its host names, or by its first label.
    pub(super) fn find(&self, name: &str) -> Option<&Hub> {
        self.at(name).map(|(hub, _)| hub).or_else(|| {
            let label = |hub: &&Hub| {
                hub.name().split('.').next().is_some_and(|label| label.eq_ignore_ascii_case(name))
            };
            self.all.iter().find(label)
        })
    }

    /// The hub of this host name, and which of its names that is.
    pub(super) fn at(&self, host: &str) -> Option<(&Hub, HostKind)> {
        // A name that a hub was given goes before one that another hub has by the rule.
        self.named(host)
            .map(|hub| (hub, HostKind::Classic))
            .or_else(|| self.all.iter().find_map(|hub| Some((hub, host_names::kind_at(hub.name(), host)?))))
    }

    fn named(&self, name: &str) -> Option<&Hub> {
        self.all.iter().find(|hub| hub.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn all(&self) -> &[Hub] {
        &self.all
    }

    pub(super) fn linked(&self) -> &[LinkedHub] {
        &self.linked
    }

    /// Checks that the hubs an enrollment names are linked.
    pub(super) fn check_linked<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<(), DpsError> {
        for name in names {
            if !self.linked.iter().any(|hub| hub.is_named(name)) {
                return Err(DpsError::HubNotLinked(name.to_owned()));
            }
        }
        Ok(())
    }
}

/// The name of a hub in the options, and what devices speak there, where `NAME=mqtt5` or `NAME=classic` says it.
pub(super) fn profile_of(option: &str) -> Result<(&str, Option<ConnectionProfile>), DpsError> {
    let Some((name, word)) = option.split_once('=') else { return Ok((option, None)) };
    let word = if word.eq_ignore_ascii_case("mqtt5") { ConnectionProfile::MQTT_V5 } else { word };
    let profile = ConnectionProfile::parse(Some(word)).map_err(|_| {
        DpsError::InvalidArgument(format!(
            "\"{option}\": what follows a hub's name is =mqtt5 or =classic, the kind of the hub"
        ))
    })?;
    Ok((name, Some(profile)))
}

/// A hub's host name in full, checked.
pub(super) fn full_name(name: &str, weight: u16) -> Result<String, DpsError> {
    if !(1..=1000).contains(&weight) {
        return Err(DpsError::InvalidArgument(format!("the allocation weight {weight} is not in 1 to 1000")));
    }
    let name = name.to_ascii_lowercase();
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 200 || !name.split('.').all(label) {
        return Err(DpsError::InvalidArgument(format!(
            "\"{name}\" cannot be the name of a hub: letters, digits, dashes, and dots between labels"
        )));
    }
    Ok(if name.contains('.') { name } else { name + HUB_DOMAIN })
}

/// The classic name in full of a hub that is named by its first label, its classic name or its device name, checked; and
/// which of the two a host name in full is.
pub(super) fn name_in_full(name: &str, weight: u16) -> Result<(String, Option<HostKind>), DpsError> {
    let full = full_name(name, weight)?;
    match host_names::taken_apart(&full) {
        None => Ok((full, name.contains('.').then_some(HostKind::Classic))),
        Some((classic, HostKind::Service)) => Err(DpsError::InvalidArgument(format!(
            "\"{name}\" is the name at which services reach {classic}: give {classic}, or {} to have devices told that",
            host_names::device_name(&classic)
        ))),
        Some((classic, kind)) => Ok((classic, Some(kind))),
    }
}
