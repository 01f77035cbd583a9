//! Trying routes on a message that nobody has sent, in the shapes of Azure Resource Manager.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    condition::{Condition, Subject, Verdict},
    message::{MessageSource, RoutedMessage},
    model::Route,
};

/// What one route is tried with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RouteTrial {
    route: Route,
    #[serde(default)]
    message: TrialMessage,
    #[serde(default)]
    twin: Option<Value>,
}

/// What all routes of a source are tried with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RoutesTrial {
    #[serde(default)]
    routing_source: Option<MessageSource>,
    #[serde(default)]
    message: TrialMessage,
    #[serde(default)]
    twin: Option<Value>,
}

/// A message to try routes on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TrialMessage {
    #[serde(default)]
    body: String,
    #[serde(default)]
    app_properties: BTreeMap<String, String>,
    #[serde(default)]
    system_properties: BTreeMap<String, String>,
}

impl TrialMessage {
    fn routed(&self, source: MessageSource, now: DateTime<Utc>) -> RoutedMessage {
        let pair = |(name, value): (&String, &String)| (name.clone(), value.clone());
        RoutedMessage {
            source,
            device_id: self.system_properties.get("connectionDeviceId").cloned().unwrap_or_default(),
            enqueued_time: now,
            system: self
                .system_properties
                .iter()
                .map(pair)
                .map(|(name, value)| (name.into(), value))
                .collect(),
            properties: self.app_properties.iter().map(pair).collect(),
            body: self.body.clone().into(),
        }
    }
}

impl RouteTrial {
    /// What the route says of the message, or why it can't be made.
    pub(crate) fn outcome(&self, now: DateTime<Utc>) -> Value {
        let Route { source, condition, .. } = &self.route;
        match Condition::parse(condition) {
            Ok(condition) => {
                let message = self.message.routed(*source, now);
                let result = match condition.judge(&Subject::new(&message, self.twin.as_ref())) {
                    Verdict::True => "true",
                    Verdict::False => "false",
                    Verdict::Undefined => "undefined",
                };
                json!({ "result": result, "details": { "compilationErrors": [] } })
            }
            Err(message) => json!({
                "result": "undefined",
                "details": { "compilationErrors": [{ "message": message, "severity": "error" }] },
            }),
        }
    }
}

impl RoutesTrial {
    /// The routes among these that take the message.
    pub(crate) fn outcome<'r>(&self, routes: impl Iterator<Item = &'r Route>, now: DateTime<Utc>) -> Value {
        let source = self.routing_source.unwrap_or(MessageSource::DeviceMessages);
        let message = self.message.routed(source, now);
        let subject = Subject::new(&message, self.twin.as_ref());
        let takes = |route: &&Route| {
            route.is_enabled
                && route.source == source
                && Condition::parse(&route.condition)
                    .is_ok_and(|condition| condition.judge(&subject) == Verdict::True)
        };
        let matched: Vec<_> = routes.filter(takes).map(|route| json!({ "properties": route })).collect();
        json!({ "routes": matched })
    }
}
