//! Configurations from the service side: made, changed, shown with what they count.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Configuration, ConfigurationContent, ConfigurationStatus, Hub, HubError, QueryErrors, TwinPatch,
    configurations::Active,
    query::{Collection, Documents},
};
use crate::{etag::IfMatch, lock::lock};

/// Twins that target a configuration, and those that have anything of it.
#[derive(Clone, Copy, Default)]
struct Tally {
    targeted: u64,
    applied: u64,
}

impl Hub {
    /// Makes a configuration (without a condition), or changes one. Twins follow by and by.
    pub fn put_configuration(
        &self,
        configuration: Configuration,
        if_match: Option<&IfMatch>,
    ) -> Result<Configuration, HubError> {
        let now = self.0.clock.now();
        let active = lock(&self.0.configurations).put(configuration, if_match, now)?;
        self.look_again();
        Ok(self.shown(&[active]).remove(0))
    }

    /// One configuration.
    pub fn configuration(&self, id: &str) -> Result<Configuration, HubError> {
        let active = lock(&self.0.configurations).get(id)?;
        Ok(self.shown(&[active]).remove(0))
    }

    /// The configurations in the order of their IDs, so many at most.
    pub fn configurations(&self, top: usize) -> Vec<Configuration> {
        let mut all = lock(&self.0.configurations).list();
        all.truncate(top);
        self.shown(&all)
    }

    /// Deletes a configuration if its entity tag is the one given. What it has set goes by and by.
    pub fn delete_configuration(&self, id: &str, if_match: &IfMatch) -> Result<(), HubError> {
        lock(&self.0.configurations).remove(id, if_match)?;
        self.look_again();
        Ok(())
    }

    /// What is wrong with a target condition, and with queries of metrics.
    pub(crate) fn try_configuration_queries(
        condition: Option<&str>,
        queries: &BTreeMap<String, String>,
    ) -> QueryErrors {
        QueryErrors::of(condition, queries)
    }

    /// Every twin is to be looked at.
    fn look_again(&self) {
        let mut registry = self.0.registry.change();
        let is_watched = !lock(&self.0.configurations).is_empty();
        registry.touch_all(is_watched);
    }

    /// The configurations with their results, which are counted now.
    fn shown(&self, all: &[Arc<Active>]) -> Vec<Configuration> {
        let tallies = self.tallies();
        let mut collections = Collections::default();
        let show = |active: &Arc<Active>| {
            let tally = tallies.get(active.id()).copied().unwrap_or_default();
            let mut system = BTreeMap::new();
            system.insert("targetedCount".to_owned(), tally.targeted);
            system.insert("appliedCount".to_owned(), tally.applied);
            for (name, query) in active.asked() {
                let rows = query.count(collections.of(self, query.collection));
                system.insert(name.clone(), rows as u64);
            }
            let results = active.metrics().iter().map(|(name, query)| {
                (name.clone(), query.count(collections.of(self, query.collection)) as u64)
            });
            let results = results.collect();
            active.shown(system, results)
        };
        all.iter().map(show).collect()
    }

    /// Whom each configuration targets, and where it counts, as far as twins have been looked at.
    fn tallies(&self) -> BTreeMap<String, Tally> {
        let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
        let registry = self.0.registry.lock();
        for (_, entry) in registry.iter().chain(registry.modules()) {
            for (id, info) in entry.managed.iter().flat_map(|managed| &managed.configurations) {
                let tally = tallies.entry(id.clone()).or_default();
                tally.targeted += 1;
                tally.applied += u64::from(info.status == ConfigurationStatus::Applied);
            }
        }
        tallies
    }

    /// Puts a content in one device, once: what it says stands there until somebody changes it.
    pub(crate) fn apply_content(
        &self,
        device_id: &str,
        content: &ConfigurationContent,
    ) -> Result<(), HubError> {
        content.check().map_err(HubError::ArgumentInvalid)?;
        self.device(device_id)?;
        if content.module_content.is_some() {
            return Err(HubError::ArgumentInvalid(
                "moduleContent is for configurations of modules; a device takes modulesContent or deviceContent"
                    .into(),
            ));
        }
        if let Some(wanted) = content.device_tree() {
            let patch = TwinPatch { tags: None, desired: Some(wanted) };
            self.update_twin(device_id, patch, &IfMatch::Any)?;
        }
        if let Some(modules) = &content.modules_content {
            self.set_modules(device_id, modules)?;
        }
        Ok(())
    }
}

/// The documents that queries look at, each collection made once.
#[derive(Default)]
struct Collections {
    devices: Option<Documents>,
    modules: Option<Documents>,
    jobs: Option<Documents>,
}

impl Collections {
    fn of(&mut self, hub: &Hub, collection: Collection) -> &Documents {
        let place = match collection {
            Collection::Devices => &mut self.devices,
            Collection::Modules => &mut self.modules,
            Collection::Jobs => &mut self.jobs,
        };
        place.get_or_insert_with(|| hub.documents(collection))
    }
}
