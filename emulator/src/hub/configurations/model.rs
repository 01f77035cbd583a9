//! A configuration in the form of the service's API, and what it has to be.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::overlay::tree;
use crate::clock::wire_time;

/// Metrics of a person's own in one configuration, as at Azure.
const MAX_METRICS: usize = 5;
const MAX_LABELS: usize = 100;
/// The longest name, or value, of a label, and the longest name of a metric, in bytes.
const MAX_TEXT: usize = 1024;
/// Paths, or modules, in one content; far beyond what a twin can hold.
const MAX_PARTS: usize = 1000;

/// What is wanted of all twins that a condition holds for. What the hub sets by itself is not read from what others send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// 1 to 128 of lower-case letters, digits and `-+%_*!'`.
    #[serde(default)]
    pub id: String,
    /// `1.0` unless said otherwise.
    #[serde(default)]
    pub schema_version: Option<String>,
    /// What people call it, and find it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// What is wanted. It never changes.
    #[serde(default)]
    pub content: ConfigurationContent,
    /// `*`, a condition over twins, or `FROM devices.modules WHERE …`; nobody, if it is empty.
    #[serde(default)]
    pub target_condition: Option<String>,
    /// When it was made: of two with the same priority, the newer one goes before.
    #[serde(default, skip_deserializing, with = "wire_time::option")]
    pub created_time_utc: Option<DateTime<Utc>>,
    /// When it was changed.
    #[serde(default, skip_deserializing, with = "wire_time::option")]
    pub last_updated_time_utc: Option<DateTime<Utc>>,
    /// The higher one wins.
    #[serde(default)]
    pub priority: Option<u32>,
    /// What the hub counts by itself.
    #[serde(default, skip_deserializing)]
    pub system_metrics: Option<ConfigurationMetrics>,
    /// What people let it count.
    #[serde(default)]
    pub metrics: Option<ConfigurationMetrics>,
    /// Changes with every change.
    #[serde(default, skip_deserializing)]
    pub etag: Option<String>,
}

/// What a configuration wants: exactly one of the members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationContent {
    /// Of devices: by path below `properties.desired`, what is to stand there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_content: Option<Map<String, Value>>,
    /// Of the modules of an edge device: for each, the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules_content: Option<BTreeMap<String, Map<String, Value>>>,
    /// Of modules: as for devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_content: Option<Map<String, Value>>,
}

/// By module, and by path below `properties.desired`, what is to stand there.
pub(in crate::hub) type Modules = BTreeMap<String, Map<String, Value>>;

/// Queries by name, and how many rows each has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationMetrics {
    /// Rows by name of the query.
    #[serde(default, skip_deserializing)]
    pub results: BTreeMap<String, u64>,
    /// The queries.
    #[serde(default)]
    pub queries: BTreeMap<String, String>,
}

impl Configuration {
    /// Refuses what can't be; the text names the member.
    pub(super) fn check(&self) -> Result<(), String> {
        check_id(&self.id)?;
        if let Some(version) = &self.schema_version {
            let is_version = version.split('.').count() == 2
                && version.split('.').all(|part| {
                    (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
                });
            if !is_version {
                return Err("schemaVersion is not a version such as 1.0".into());
            }
        }
        if self.priority.is_some_and(|priority| priority > i32::MAX as u32) {
            return Err(format!("priority has to be 0 to {}", i32::MAX));
        }
        let labels = self.labels.iter().flatten();
        if self.labels.as_ref().is_some_and(|labels| labels.len() > MAX_LABELS)
            || labels.clone().any(|(name, value)| name.is_empty() || name.len().max(value.len()) > MAX_TEXT)
        {
            return Err(format!("labels are at most {MAX_LABELS}, of at most {MAX_TEXT} bytes each"));
        }
        let queries = self.queries();
        if queries.len() > MAX_METRICS {
            return Err(format!("a configuration has at most {MAX_METRICS} metrics of its own"));
        }
        if queries.keys().any(|name| name.is_empty() || name.len() > MAX_TEXT) {
            return Err(format!("the name of a metric has 1 to {MAX_TEXT} bytes"));
        }
        self.content.check()
    }

    /// The metrics that people have asked for.
    pub(super) fn queries(&self) -> BTreeMap<String, String> {
        self.metrics.as_ref().map(|metrics| metrics.queries.clone()).unwrap_or_default()
    }
}

/// The id as Azure's SDK documents it.
fn check_id(id: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-+%_*!'".contains(c);
    if id.is_empty() || id.len() > 128 || !id.chars().all(allowed) {
        let shown: String = id.chars().take(140).collect();
        return Err(format!(
            "\"{shown}\" cannot be the id of a configuration: 1 to 128 of lower-case letters, digits and -+%_*!'"
        ));
    }
    Ok(())
}

impl ConfigurationContent {
    /// Whether nothing at all is in it, as in an update that leaves it out.
    pub(super) fn is_absent(&self) -> bool {
        *self == Self::default()
    }

    /// What it wants of a device; `check` comes before.
    pub(in crate::hub) fn device_tree(&self) -> Option<Map<String, Value>> {
        self.device_content.as_ref().and_then(|content| tree(content).ok())
    }

    pub(in crate::hub) fn check(&self) -> Result<(), String> {
        let Self { device_content, modules_content, module_content } = self;
        let given = [device_content.is_some(), modules_content.is_some(), module_content.is_some()];
        if given.iter().filter(|is_given| **is_given).count() != 1 {
            return Err(
                "content has to have exactly one of deviceContent, modulesContent and moduleContent".into()
            );
        }
        let named = |member: &'static str| move |why: String| format!("content.{member}: {why}");
        if let Some(content) = device_content {
            check_tree(content).map_err(named("deviceContent"))?;
        }
        if let Some(content) = module_content {
            check_tree(content).map_err(named("moduleContent"))?;
        }
        if let Some(modules) = modules_content {
            check_parts(modules.len()).map_err(named("modulesContent"))?;
            for (module, content) in modules {
                let shown: String = module.chars().take(140).collect();
                check_tree(content).map_err(|why| format!("content.modulesContent.{shown}: {why}"))?;
            }
        }
        Ok(())
    }
}

fn check_tree(content: &Map<String, Value>) -> Result<(), String> {
    check_parts(content.len())?;
    tree(content).map(drop)
}

fn check_parts(parts: usize) -> Result<(), String> {
    if parts > MAX_PARTS {
        return Err(format!("it has {parts} members; {MAX_PARTS} are the most"));
    }
    Ok(())
}
