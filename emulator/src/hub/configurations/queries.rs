//! The queries of configurations: whom they target, and what they count.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::query::{Collection, Query, Scope};

/// What is wrong with queries that somebody only wants to try.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryErrors {
    /// Of the target condition.
    pub target_condition_error: Option<String>,
    /// By name of the metric.
    pub custom_metric_query_errors: BTreeMap<String, String>,
}

impl QueryErrors {
    /// Tries a condition and the queries of metrics.
    pub(in crate::hub) fn of(condition: Option<&str>, queries: &BTreeMap<String, String>) -> Self {
        let wrong = |(name, query): (&String, &String)| Some((name.clone(), Query::parse(query).err()?));
        Self {
            target_condition_error: condition.and_then(|condition| target(condition).err()),
            custom_metric_query_errors: queries.iter().filter_map(wrong).collect(),
        }
    }
}

/// Whom a condition targets; nobody, if it is empty.
pub(super) fn target(condition: &str) -> Result<Option<Scope>, String> {
    if condition.trim().is_empty() {
        return Ok(None);
    }
    let scope = Scope::parse(condition)?;
    if scope.collection == Collection::Jobs {
        return Err("a configuration targets devices or devices.modules".into());
    }
    Ok(Some(scope))
}

/// The queries by which the hub itself counts, in Azure's words.
pub(super) fn system(id: &str, condition: &str, kind: Kind) -> BTreeMap<String, String> {
    let (what, from) = match kind {
        Kind::Device | Kind::Edge => ("deviceId", "devices"),
        Kind::Module => ("deviceId, moduleId", "devices.modules"),
    };
    let condition = condition.trim();
    let targeted = match (condition, kind) {
        ("", _) => String::new(),
        ("*", Kind::Edge) => format!("select {what} from {from} where capabilities.iotEdge = true"),
        ("*", _) => format!("select {what} from {from}"),
        (_, Kind::Edge) => {
            format!("select {what} from {from} where capabilities.iotEdge = true and ({condition})")
        }
        _ if begins_with_from(condition) => format!("select {what} {condition}"),
        _ => format!("select {what} from {from} where {condition}"),
    };
    let mut queries = BTreeMap::from([("targetedCount".to_owned(), targeted)]);
    let mut add = |name: &str, query: String| queries.insert(name.to_owned(), query);
    if let Kind::Edge = kind {
        let applied = format!(
            "select deviceId from devices.modules where moduleId = '$edgeAgent' and configurations.[[{id}]].status = 'Applied'"
        );
        let reported = format!(
            "{applied} and properties.desired.$version = properties.reported.lastDesiredVersion and properties.reported.lastDesiredStatus.code"
        );
        add("reportedSuccessfulCount", format!("{reported} = 200"));
        add("reportedFailedCount", format!("{reported} != 200"));
        add("appliedCount", applied);
    } else {
        let applied = format!("select {what} from {from} where configurations.[[{id}]].status = 'Applied'");
        add("appliedCount", applied);
    }
    queries
}

fn begins_with_from(condition: &str) -> bool {
    condition.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("from "))
}

/// What a configuration is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Kind {
    /// Twins of devices.
    Device,
    /// The modules of edge devices: a deployment.
    Edge,
    /// Twins of modules.
    Module,
}
