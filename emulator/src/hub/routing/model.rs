//! What is configured of a hub's routing, in the shape of `properties.routing` of the hub's resource in Azure Resource Manager.
//! Endpoints are ours, webhooks and files; Azure's own kinds are known, and refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{condition::Condition, message::MessageSource};
use crate::net::outgoing;

/// The built-in endpoint: `GET /telemetry`, where Azure has an Event Hub.
pub(in crate::hub) const EVENTS: &str = "events";

/// The name that enrichments have for all Event Grid subscriptions to telemetry.
pub(in crate::hub) const EVENT_GRID: &str = "eventgrid";

/// Names that no endpoint may have.
const RESERVED: [&str; 5] =
    [EVENTS, EVENT_GRID, "operationsMonitoringEvents", "fileNotifications", "$default"];

// Azure's limits of a paid hub.
const MAX_ROUTES: usize = 100;
const MAX_ENDPOINTS: usize = 10;
const MAX_ENRICHMENTS: usize = 10;
const MAX_NAME: usize = 64;

/// The longest address of a webhook, and name of a file.
const MAX_ADDRESS: usize = 2048;

/// The routing of one hub.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Routing {
    /// Where routes lead, beside `events`.
    pub endpoints: Endpoints,
    /// What leads where. A message takes all whose conditions hold, and reaches an endpoint once.
    pub routes: Vec<Route>,
    /// Where messages of devices go that no route takes; enabled, and to `events`, unless said otherwise.
    pub fallback_route: FallbackRoute,
    /// What messages to some endpoints are stamped with.
    pub enrichments: Vec<Enrichment>,
}

/// Endpoints by kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Endpoints {
    /// Addresses that messages are posted to.
    pub webhooks: Vec<WebhookEndpoint>,
    /// Files that messages are appended to.
    pub files: Vec<FileEndpoint>,
    #[serde(skip_serializing)]
    event_hubs: Vec<Value>,
    #[serde(skip_serializing)]
    service_bus_queues: Vec<Value>,
    #[serde(skip_serializing)]
    service_bus_topics: Vec<Value>,
    #[serde(skip_serializing)]
    storage_containers: Vec<Value>,
    #[serde(rename = "cosmosDBSqlContainers", skip_serializing)]
    cosmos_db_sql_containers: Vec<Value>,
}

/// A webhook: each message is the body of a POST.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookEndpoint {
    /// By which routes know it.
    pub name: String,
    /// http or https.
    pub url: String,
    /// The file that takes what can't be delivered; without one it is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_file: Option<String>,
    /// When it is given up.
    #[serde(default)]
    pub retry_policy: RetryPolicy,
}

/// When a delivery is given up; the members and bounds are those of Event Grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// After so many attempts, 1 to 30.
    pub max_delivery_attempts: u32,
    /// After so many minutes, 1 to 1440.
    pub event_time_to_live_in_minutes: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_delivery_attempts: 30, event_time_to_live_in_minutes: 1440 }
    }
}

/// A file of one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileEndpoint {
    /// By which routes know it.
    pub name: String,
    /// Below the emulator's directory.
    pub file: String,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Its own.
    pub name: String,
    /// What it is for.
    pub source: MessageSource,
    /// In Azure's language; `true` if it is left out.
    #[serde(default = "always")]
    pub condition: String,
    /// One, as Azure allows one.
    pub endpoint_names: Vec<String>,
    /// A route that is not takes nothing.
    #[serde(default = "yes")]
    pub is_enabled: bool,
}

/// The route of what no other takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct FallbackRoute {
    /// `$fallback`
    pub name: String,
    /// Messages of devices alone have a fallback.
    pub source: MessageSource,
    /// `true`
    pub condition: String,
    /// One.
    pub endpoint_names: Vec<String>,
    /// Without it, what no route takes is dropped.
    pub is_enabled: bool,
}

impl Default for FallbackRoute {
    fn default() -> Self {
        Self {
            name: "$fallback".into(),
            source: MessageSource::DeviceMessages,
            condition: always(),
            endpoint_names: vec![EVENTS.into()],
            is_enabled: true,
        }
    }
}

/// An application property that the hub adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Enrichment {
    /// The name of the property.
    pub key: String,
    /// A text, `$iothubname`, or a path into the twin: `$twin.tags.…`, `$twin.properties.desired.…`, `….reported.…`.
    pub value: String,
    /// What goes there is stamped.
    pub endpoint_names: Vec<String>,
}

fn always() -> String {
    "true".into()
}

fn yes() -> bool {
    true
}

impl Routing {
    /// Whether the hub would take it; the error names the member that is wrong.
    pub(in crate::hub) fn check(&self) -> Result<(), String> {
        let endpoints = self.endpoints.check()?;
        let exists = |at: &str, name: &String| {
            if name == EVENTS || endpoints.contains(name.as_str()) {
                return Ok(());
            }
            Err(format!("{at}: there is no endpoint \"{name}\"; {EVENTS} is always there"))
        };
        let one = |at: &str, names: &[String]| match names {
            [name] => exists(at, name),
            _ => Err(format!("{at} has to be one endpoint, as Azure allows one")),
        };
        at_most("routes", self.routes.len(), MAX_ROUTES)?;
        let mut names = BTreeSet::new();
        for route in &self.routes {
            let at = format!("routes \"{}\"", route.name);
            check_name(&at, &route.name)?;
            if !names.insert(route.name.to_ascii_lowercase()) {
                return Err(format!("{at}: there are two of this name"));
            }
            Condition::parse(&route.condition).map_err(|why| format!("{at}: condition: {why}"))?;
            one(&format!("{at}: endpointNames"), &route.endpoint_names)?;
        }
        let fallback = &self.fallback_route;
        if fallback.source != MessageSource::DeviceMessages || fallback.condition.trim() != "true" {
            return Err("fallbackRoute: source has to be DeviceMessages, and condition \"true\"".into());
        }
        one("fallbackRoute: endpointNames", &fallback.endpoint_names)?;
        at_most("enrichments", self.enrichments.len(), MAX_ENRICHMENTS)?;
        let mut keys = BTreeSet::new();
        for enrichment in &self.enrichments {
            let at = format!("enrichments \"{}\"", enrichment.key);
            check_name(&at, &enrichment.key)?;
            if !keys.insert(enrichment.key.to_ascii_lowercase()) {
                return Err(format!("{at}: there are two of this key"));
            }
            enrichment.check(&at)?;
            for name in &enrichment.endpoint_names {
                if name != EVENT_GRID {
                    exists(&format!("{at}: endpointNames"), name)?;
                }
            }
        }
        Ok(())
    }
}

impl Endpoints {
    /// The names, if all is well.
    fn check(&self) -> Result<BTreeSet<&str>, String> {
        let of_azure = [
            ("eventHubs", &self.event_hubs),
            ("serviceBusQueues", &self.service_bus_queues),
            ("serviceBusTopics", &self.service_bus_topics),
            ("storageContainers", &self.storage_containers),
            ("cosmosDBSqlContainers", &self.cosmos_db_sql_containers),
        ];
        if let Some((kind, _)) = of_azure.iter().find(|(_, endpoints)| !endpoints.is_empty()) {
            return Err(format!("endpoints.{kind}: this emulator has webhooks and files, and {EVENTS}"));
        }
        let names = self.webhooks.iter().map(|webhook| &webhook.name);
        let names: Vec<&String> = names.chain(self.files.iter().map(|file| &file.name)).collect();
        at_most("endpoints", names.len(), MAX_ENDPOINTS)?;
        let mut known = BTreeSet::new();
        for name in names {
            let at = format!("endpoints \"{name}\"");
            check_name(&at, name)?;
            if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
                return Err(format!("{at}: the name is the hub's own"));
            }
            if !known.insert(name.as_str()) {
                return Err(format!("{at}: there are two of this name"));
            }
        }
        for webhook in &self.webhooks {
            let at = format!("endpoints \"{}\"", webhook.name);
            check_url(&format!("{at}: url"), &webhook.url)?;
            webhook.retry_policy.check(&format!("{at}: retryPolicy"))?;
            if let Some(file) = &webhook.dead_letter_file {
                check_file(&format!("{at}: deadLetterFile"), file)?;
            }
        }
        for file in &self.files {
            check_file(&format!("endpoints \"{}\": file", file.name), &file.file)?;
        }
        Ok(known)
    }
}

impl RetryPolicy {
    pub(in crate::hub) fn check(self, at: &str) -> Result<(), String> {
        let bounds = [
            ("maxDeliveryAttempts", self.max_delivery_attempts, 30),
            ("eventTimeToLiveInMinutes", self.event_time_to_live_in_minutes, 1440),
        ];
        match bounds.iter().find(|(_, value, most)| !(1..=*most).contains(value)) {
            Some((member, value, most)) => Err(format!("{at}.{member} is {value}; it has to be 1 to {most}")),
            None => Ok(()),
        }
    }
}

impl Enrichment {
    fn check(&self, at: &str) -> Result<(), String> {
        if self.endpoint_names.is_empty() {
            return Err(format!("{at}: endpointNames is empty"));
        }
        if self.value.is_empty() || self.value.len() > 1024 {
            return Err(format!("{at}: value has to be 1 to 1024 characters"));
        }
        let value = self.value.to_ascii_lowercase();
        let known = ["$iothubname", "$twin.tags.", "$twin.properties.desired.", "$twin.properties.reported."];
        if value.starts_with('$') && !known.iter().any(|known| value.starts_with(known)) {
            return Err(format!(
                "{at}: value: {} is none of $iothubname, $twin.tags.…, $twin.properties.desired.… and \
                 $twin.properties.reported.…",
                self.value
            ));
        }
        Ok(())
    }
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), String> {
    if count > most { Err(format!("{what}: a hub has at most {most}, not {count}")) } else { Ok(()) }
}

/// A name of a route, an endpoint, an enrichment or a subscription.
pub(in crate::hub) fn check_name(at: &str, name: &str) -> Result<(), String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_good) {
        return Ok(());
    }
    Err(format!("{at}: a name is 1 to {MAX_NAME} letters, digits, `-`, `_` and `.`"))
}

/// An address of a webhook.
pub(in crate::hub) fn check_url(at: &str, url: &str) -> Result<(), String> {
    if url.len() > MAX_ADDRESS || outgoing::check_address(url).is_err() {
        return Err(format!("{at} is no http or https address of at most {MAX_ADDRESS} characters"));
    }
    Ok(())
}

/// A file below the emulator's directory, of a kind of its own: whoever may configure a hub is to write nothing else, be it
/// `emulator.json` or what somebody has beside it.
pub(in crate::hub) fn check_file(at: &str, file: &str) -> Result<(), String> {
    use std::path::{Component, Path};
    let path = Path::new(file);
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_lines = path.extension().is_some_and(|extension| extension == "jsonl");
    let is_shown = !file.chars().any(char::is_control);
    if file.len() <= MAX_ADDRESS && is_below && is_lines && is_shown && !file.ends_with(['/', '\\']) {
        return Ok(());
    }
    let shown = file.escape_debug();
    Err(format!("{at}: \"{shown}\" has to be a .jsonl file below the emulator's directory, without .."))
}
