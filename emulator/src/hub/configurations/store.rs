//! The configurations of a hub, as they are in force.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    super::{
        HubError,
        query::{Collection, Query, Scope},
    },
    model::{Configuration, ConfigurationContent, ConfigurationMetrics, Modules},
    overlay::tree,
    queries::{Kind, system, target},
};
use crate::etag::IfMatch;

/// Configurations of one hub, as at Azure's standard tier.
const MAX_CONFIGURATIONS: usize = 100;

/// A configuration, as it is kept over a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::hub) struct KeptConfiguration {
    id: String,
    schema_version: String,
    labels: Option<BTreeMap<String, String>>,
    content: ConfigurationContent,
    target_condition: String,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
    priority: u32,
    queries: BTreeMap<String, String>,
    /// Counts changes; the entity tag.
    changes: u64,
}

/// A configuration in force.
#[derive(Debug)]
pub(in crate::hub) struct Active {
    kept: KeptConfiguration,
    pub kind: Kind,
    /// Nobody, if there is none.
    target: Option<Scope>,
    /// What it wants of each twin: of devices, or of modules.
    pub tree: Map<String, Value>,
    system: BTreeMap<String, String>,
    /// Of the hub's own queries those that are counted by asking.
    asked: Vec<(String, Query)>,
    metrics: Vec<(String, Query)>,
}

/// The configurations of a hub by ID.
#[derive(Debug, Default)]
pub(in crate::hub) struct Store {
    active: BTreeMap<String, Arc<Active>>,
}

impl Active {
    fn new(kept: KeptConfiguration) -> Result<Self, String> {
        let target = target(&kept.target_condition).map_err(|why| format!("targetCondition: {why}"))?;
        let metrics = kept.queries.iter().map(|(name, query)| {
            let query = Query::parse(query).map_err(|why| format!("metrics.queries.{name}: {why}"))?;
            Ok((name.clone(), query))
        });
        let metrics = metrics.collect::<Result<_, String>>()?;
        let ConfigurationContent { device_content, modules_content, module_content } = &kept.content;
        let kind = match (modules_content, module_content) {
            (Some(_), _) => Kind::Edge,
            (None, Some(_)) => Kind::Module,
            (None, None) => Kind::Device,
        };
        let is_of_modules = target.as_ref().is_some_and(|target| target.collection == Collection::Modules);
        if target.is_some() && is_of_modules != (kind == Kind::Module) {
            return Err("targetCondition: moduleContent needs \"FROM devices.modules WHERE …\", and nothing else may \
                        have it"
                .into());
        }
        let content = device_content.as_ref().or(module_content.as_ref());
        let tree = content.map(tree).transpose()?.unwrap_or_default();
        let system = system(&kept.id, &kept.target_condition, kind);
        let asked = |(name, query): (&String, &String)| Some((name.clone(), Query::parse(query).ok()?));
        let asked = if kind == Kind::Edge { system.iter().filter_map(asked).collect() } else { Vec::new() };
        Ok(Self { kept, kind, target, tree, system, asked, metrics })
    }

    pub(in crate::hub) fn id(&self) -> &str {
        &self.kept.id
    }

    /// What a deployment wants of the modules of an edge device.
    pub(in crate::hub) fn modules(&self) -> Option<&Modules> {
        self.kept.content.modules_content.as_ref()
    }

    /// Whether a deployment is a layer upon another one: it does not say all of what the agent is to be.
    pub(in crate::hub) fn is_layered(&self) -> bool {
        let agent = self.modules().and_then(|modules| modules.get("$edgeAgent"));
        !agent.is_some_and(|agent| agent.contains_key("properties.desired"))
    }

    /// The one with the highest priority first, and of equals the newest.
    fn rank(&self) -> impl Ord + use<> {
        (Reverse(self.kept.priority), Reverse(self.kept.created), self.kept.id.clone())
    }

    /// Whether it targets a twin as the service shows it.
    pub(in crate::hub) fn targets(&self, twin: &Value) -> bool {
        let Some(target) = &self.target else { return false };
        let is_module = twin.get("moduleId").is_some();
        let is_edge = || twin["capabilities"]["iotEdge"] == Value::Bool(true);
        if is_module != (self.kind == Kind::Module) || self.kind == Kind::Edge && !is_edge() {
            return false;
        }
        target.has(twin)
    }

    /// Of the hub's own queries those that are counted by asking.
    pub(in crate::hub) fn asked(&self) -> &[(String, Query)] {
        &self.asked
    }

    /// The queries of its metrics, by name.
    pub(in crate::hub) fn metrics(&self) -> &[(String, Query)] {
        &self.metrics
    }

    /// The configuration as the service shows it, with results.
    pub(in crate::hub) fn shown(
        &self,
        system: BTreeMap<String, u64>,
        results: BTreeMap<String, u64>,
    ) -> Configuration {
        let kept = self.kept.clone();
        Configuration {
            id: kept.id,
            schema_version: Some(kept.schema_version),
            labels: kept.labels,
            content: kept.content,
            target_condition: Some(kept.target_condition),
            created_time_utc: Some(kept.created),
            last_updated_time_utc: Some(kept.updated),
            priority: Some(kept.priority),
            system_metrics: Some(ConfigurationMetrics { results: system, queries: self.system.clone() }),
            metrics: Some(ConfigurationMetrics { results, queries: kept.queries }),
            etag: Some(self.etag()),
        }
    }

    fn etag(&self) -> String {
        STANDARD.encode(self.kept.changes.to_string())
    }
}

impl Store {
    /// What was kept and can't be read any more is left out; it was refused today.
    pub(in crate::hub) fn restore(kept: Vec<KeptConfiguration>) -> Self {
        let active = kept.into_iter().filter_map(|kept| Active::new(kept).ok());
        Self { active: active.map(|active| (active.kept.id.clone(), Arc::new(active))).collect() }
    }

    pub(in crate::hub) fn keep(&self) -> Vec<KeptConfiguration> {
        self.active.values().map(|active| active.kept.clone()).collect()
    }

    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// All by ID.
    pub(in crate::hub) fn list(&self) -> Vec<Arc<Active>> {
        self.active.values().cloned().collect()
    }

    /// All, the one that goes before all others first.
    pub(in crate::hub) fn by_rank(&self) -> Vec<Arc<Active>> {
        let mut all = self.list();
        all.sort_by_cached_key(|active| active.rank());
        all
    }

    pub(in crate::hub) fn get(&self, id: &str) -> Result<Arc<Active>, HubError> {
        self.active.get(id).cloned().ok_or_else(|| HubError::ConfigurationNotFound(id.to_owned()))
    }

    /// Makes one, where there is no condition, or changes one; content never changes.
    pub(in crate::hub) fn put(
        &mut self,
        configuration: Configuration,
        if_match: Option<&IfMatch>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Active>, HubError> {
        let id = configuration.id.clone();
        let before = self.active.get(&id);
        let mut configuration = configuration;
        match (before, if_match) {
            (Some(_), None) => return Err(HubError::ConfigurationExists(id)),
            (None, Some(_)) => return Err(HubError::ConfigurationNotFound(id)),
            (Some(before), Some(condition)) => {
                if !condition.admits(Some(&before.etag())) {
                    return Err(HubError::PreconditionFailed(id));
                }
                if configuration.content.is_absent() {
                    configuration.content = before.kept.content.clone();
                }
                if configuration.content != before.kept.content {
                    return Err(HubError::ArgumentInvalid(
                        "the content of a configuration never changes; make another one".into(),
                    ));
                }
            }
            (None, None) if self.active.len() >= MAX_CONFIGURATIONS => {
                return Err(HubError::ArgumentInvalid(format!(
                    "a hub has at most {MAX_CONFIGURATIONS} configurations; delete one"
                )));
            }
            (None, None) => {}
        }
        configuration.check().map_err(HubError::ArgumentInvalid)?;
        let queries = configuration.queries();
        let kept = KeptConfiguration {
            id: id.clone(),
            schema_version: configuration.schema_version.unwrap_or_else(|| "1.0".into()),
            labels: configuration.labels,
            content: configuration.content,
            target_condition: configuration.target_condition.unwrap_or_default(),
            created: before.map_or(now, |before| before.kept.created),
            updated: now,
            priority: configuration.priority.unwrap_or_default(),
            queries,
            changes: before.map_or(1, |before| before.kept.changes + 1),
        };
        let active = Arc::new(Active::new(kept).map_err(HubError::ArgumentInvalid)?);
        self.active.insert(id, Arc::clone(&active));
        Ok(active)
    }

    /// Takes one out if its entity tag is the one given.
    pub(in crate::hub) fn remove(&mut self, id: &str, if_match: &IfMatch) -> Result<(), HubError> {
        if !if_match.admits(Some(&self.get(id)?.etag())) {
            return Err(HubError::PreconditionFailed(id.to_owned()));
        }
        self.active.remove(id);
        Ok(())
    }
}
