//! Deployments to edge devices: what configurations set in their modules, once or for as long as they target them.
//!
//! A module that a content names is made where it is not there, and none is deleted: that is the business of the edge runtime.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Authentication, ConfigurationInfo, ConfigurationStatus, DeviceCapabilities, Hub, HubError, TwinRecord,
    configurations::{Active, Modules, write},
    module_id::{check_module_id, module_address},
    notice::{Notice, NoticeKind},
    registry::{MOST_MODULES, Registry},
    twin::push,
    twin_rules::{PROPERTIES_LIMIT, check_whole},
};

/// The module whose twin says which deployments an edge device has.
const AGENT: &str = "$edgeAgent";

/// Desired properties by module.
type Wanted = BTreeMap<String, Map<String, Value>>;

impl Hub {
    /// Sets the modules of an edge device, once.
    pub(super) fn set_modules(&self, device_id: &str, modules: &Modules) -> Result<(), HubError> {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.change();
        if !registry.get(device_id)?.identity.capabilities.iot_edge {
            return Err(HubError::ArgumentInvalid(format!(
                "\"{device_id}\" is no IoT Edge device: modules are set in those alone"
            )));
        }
        let wanted = wanted(&registry, device_id, [modules])?;
        self.set_wanted(&mut registry, device_id, wanted, now)?;
        registry.touch(device_id);
        Ok(())
    }

    /// Brings the modules of an edge device to what these deployments want, the one that goes before all others first: the first
    /// that is whole, and those before it that are layers. Tells whether anything is another now.
    pub(super) fn deploy(
        &self,
        registry: &mut Registry,
        device_id: &str,
        targeting: &[Arc<Active>],
        now: DateTime<Utc>,
    ) -> bool {
        let whole = targeting.iter().position(|active| !active.is_layered());
        let applied = whole.map_or(targeting.len(), |whole| whole + 1);
        let contents = targeting.iter().take(applied).rev().filter_map(|active| active.modules());
        let done = wanted(registry, device_id, contents)
            .and_then(|wanted| self.set_wanted(registry, device_id, wanted, now));
        let status = |place: usize| match &done {
            Ok(_) if place < applied => ConfigurationStatus::Applied,
            _ => ConfigurationStatus::Targeted,
        };
        let deployments: BTreeMap<_, _> = targeting
            .iter()
            .enumerate()
            .map(|(place, active)| (active.id().to_owned(), ConfigurationInfo { status: status(place) }))
            .collect();
        let is_set = done.unwrap_or_default();
        let Some(agent) = registry.find(&module_address(device_id, AGENT)) else { return is_set };
        let mut managed = agent.managed.take().unwrap_or_default();
        let is_other = managed.deployments != deployments;
        managed.deployments = deployments;
        agent.managed = (!managed.is_empty()).then_some(managed);
        is_set || is_other
    }

    /// Tells whether anything is another now.
    fn set_wanted(
        &self,
        registry: &mut Registry,
        device_id: &str,
        wanted: Wanted,
        now: DateTime<Utc>,
    ) -> Result<bool, HubError> {
        let mut is_changed = false;
        for (module_id, desired) in wanted {
            let address = module_address(device_id, &module_id);
            if registry.get(&address).is_err() {
                // The runtime gives it keys when it starts it.
                let none = Authentication::none();
                registry.create(&address, none, DeviceCapabilities::default(), TwinRecord::new(None, now))?;
                self.tell_of_life(registry, NoticeKind::Created, &address);
                is_changed = true;
            }
            let entry = registry.entry(&address)?;
            if entry.twin.desired.properties() == desired {
                continue;
            }
            let patch = entry.twin.desired.replace("desired", &desired, now)?;
            push(entry, patch);
            entry.twin.version += 1;
            entry.twin.service_changes += 1;
            let twin = entry.twin(&address);
            self.notify(registry, &address, &Notice::whole(NoticeKind::TwinReplaced, &twin));
            is_changed = true;
        }
        Ok(is_changed)
    }
}

/// What these contents, one upon the other, make of the modules; refused as a whole where a part of it can't be.
fn wanted<'c>(
    registry: &Registry,
    device_id: &str,
    contents: impl IntoIterator<Item = &'c Modules>,
) -> Result<Wanted, HubError> {
    let mut wanted = Wanted::new();
    for (module_id, content) in contents.into_iter().flatten() {
        let address = module_address(device_id, module_id);
        let desired = wanted.entry(module_id.clone()).or_insert_with(|| {
            let there = registry.get(&address).ok();
            there.map(|entry| entry.twin.desired.properties()).unwrap_or_default()
        });
        write(desired, content).map_err(HubError::ArgumentInvalid)?;
    }
    let is_new = |module_id: &&String| registry.get(&module_address(device_id, module_id)).is_err();
    let (there, new) = (registry.modules_of(device_id).count(), wanted.keys().filter(is_new).count());
    if there + new > MOST_MODULES {
        return Err(HubError::TooManyModules { device_id: device_id.to_owned(), limit: MOST_MODULES });
    }
    for (module_id, desired) in &wanted {
        check_module_id(module_id).map_err(HubError::ArgumentInvalid)?;
        check_whole("desired", desired, PROPERTIES_LIMIT)?;
    }
    Ok(wanted)
}
