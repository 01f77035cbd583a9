//! The hubs that exist, and which of them are linked to the provisioning service.

use serde::{Deserialize, Serialize};

use super::DpsError;
use crate::hub::Hub;

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
}

/// All hubs, and those that DPS may assign devices to.
#[derive(Default)]
pub(crate) struct Hubs {
    all: Vec<Hub>,
    linked: Vec<LinkedHub>,
}

impl Hubs {
    pub(super) fn restore(linked: Vec<LinkedHub>) -> Self {
        Self { all: Vec::new(), linked }
    }

    pub(super) fn insert(&mut self, hub: Hub) {
        self.all.push(hub);
    }

    pub(super) fn add(&mut self, name: String, weight: u16, make: impl FnOnce(String) -> Hub) -> Hub {
        match self.linked.iter_mut().find(|hub| hub.name == name) {
            Some(linked) => linked.allocation_weight = weight,
            None => self.linked.push(LinkedHub { name: name.clone(), allocation_weight: weight }),
        }
        if let Some(known) = self.find(&name) {
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

    pub(super) fn find(&self, name: &str) -> Option<&Hub> {
        self.all.iter().find(|hub| {
            hub.name().eq_ignore_ascii_case(name)
                || hub.name().split('.').next().is_some_and(|label| label.eq_ignore_ascii_case(name))
        })
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
            if !self.linked.iter().any(|hub| hub.name.eq_ignore_ascii_case(name)) {
                return Err(DpsError::HubNotLinked(name.to_owned()));
            }
        }
        Ok(())
    }
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
