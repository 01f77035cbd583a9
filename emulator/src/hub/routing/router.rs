//! Leads messages along the routes that are in force.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::outlet::{Health, KeptParcel, Outlet, OutletParts, Parcel, Redelivery, Target},
    condition::{Condition, Subject, Verdict},
    message::{MessageSource, RoutedMessage},
    model::{EVENTS, Enrichment, RetryPolicy, Route, Routing},
    stamp::stamped,
};
use crate::{clock::Clock, etag::IfMatch, id::device_etag};

/// What a router is made with.
#[derive(Clone)]
pub(in crate::hub) struct RouterParts {
    /// The hub's name as enrichments and events have it: the first label of its host name.
    pub hub_name: String,
    pub clock: Arc<dyn Clock>,
    /// Below it are the files of endpoints and of dead letters.
    pub files: PathBuf,
    /// The wait after the first attempt that failed.
    pub first_wait: Duration,
}

impl RouterParts {
    /// How deliveries under this policy are repeated.
    pub(in crate::hub) fn redelivery(&self, policy: RetryPolicy) -> Redelivery {
        Redelivery {
            first_wait: self.first_wait,
            max_attempts: policy.max_delivery_attempts,
            time_to_live: TimeDelta::minutes(policy.event_time_to_live_in_minutes.into()),
        }
    }
}

/// What of the routing has to outlive a restart.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::hub) struct KeptRouting {
    etag: String,
    routing: Routing,
    /// What waits, by endpoint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    waiting: BTreeMap<String, Vec<KeptParcel>>,
}

pub(in crate::hub) struct Router {
    parts: RouterParts,
    active: RwLock<Active>,
}

/// The routing in force.
struct Active {
    etag: String,
    routing: Routing,
    /// Those that are enabled.
    routes: Vec<ActiveRoute>,
    /// Ways out by the names of endpoints.
    outlets: BTreeMap<String, Way>,
}

struct ActiveRoute {
    source: MessageSource,
    condition: Condition,
    endpoint: String,
}

/// An endpoint's way out, and what it is made of, so that one which does not change stays.
struct Way {
    target: Target,
    dead_letters: Option<PathBuf>,
    policy: RetryPolicy,
    outlet: Outlet,
}

impl Router {
    pub(in crate::hub) fn new(parts: RouterParts, kept: Option<KeptRouting>) -> Self {
        let (etag, routing, waiting) = match kept {
            Some(kept) => (kept.etag, kept.routing, kept.waiting),
            None => (device_etag(), Routing::default(), BTreeMap::new()),
        };
        let active = match Active::new(&parts, etag, routing, waiting) {
            Ok(active) => active,
            Err(why) => {
                tracing::error!(
                    hub = parts.hub_name,
                    why,
                    "the routing that was kept is not one; the hub begins without"
                );
                Active {
                    etag: device_etag(),
                    routing: Routing::default(),
                    routes: Vec::new(),
                    outlets: BTreeMap::new(),
                }
            }
        };
        Self { parts, active: RwLock::new(active) }
    }

    /// What has to outlive a restart; nothing, if nothing was ever set.
    pub(in crate::hub) fn keep(&self) -> Option<KeptRouting> {
        self.read(|active| {
            let waiting = active.outlets.iter().map(|(name, way)| (name.clone(), way.outlet.keep()));
            (active.routing != Routing::default()).then(|| KeptRouting {
                etag: active.etag.clone(),
                routing: active.routing.clone(),
                waiting: waiting.filter(|(_, parcels)| !parcels.is_empty()).collect(),
            })
        })
    }

    /// The routing in force, with its entity tag.
    pub(in crate::hub) fn current(&self) -> (Routing, String) {
        self.read(|active| (active.routing.clone(), active.etag.clone()))
    }

    /// Puts another routing in force. What waits for an endpoint that stays is delivered as it is now; what waits for one that
    /// goes is gone. `None`: the condition does not hold.
    pub(in crate::hub) fn replace(
        &self,
        routing: Routing,
        if_match: &IfMatch,
    ) -> Result<Option<String>, String> {
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        if !if_match.admits(Some(&active.etag)) {
            return Ok(None);
        }
        routing.check()?;
        let mut before = std::mem::take(&mut active.outlets);
        let waiting = before.iter().map(|(name, way)| (name.clone(), way.outlet.keep())).collect();
        let mut next = Active::new(&self.parts, device_etag(), routing, waiting)?;
        for (name, way) in &mut next.outlets {
            if let Some(same) = before.remove(name).filter(|same| same.is_as(way)) {
                *way = same;
            }
        }
        *active = next;
        let etag = active.etag.clone();
        active.outlets.values().for_each(|way| way.outlet.work());
        Ok(Some(etag))
    }

    /// Whether messages of this source go where they go without any routing: to `events` those of devices, nowhere the others.
    pub(in crate::hub) fn is_plain(&self, source: MessageSource) -> bool {
        self.read(|active| {
            let is_routed = active.routes.iter().any(|route| route.source == source);
            let fallback = &active.routing.fallback_route;
            let falls = source != MessageSource::DeviceMessages
                || (fallback.is_enabled
                    && fallback.endpoint_names == [EVENTS]
                    && active.routing.enrichments.is_empty());
            !is_routed && falls
        })
    }

    /// Whether somebody looks into the twin of a device that sends such messages.
    pub(in crate::hub) fn needs_twin(&self, source: MessageSource) -> bool {
        self.read(|active| {
            let mut routes = active.routes.iter();
            let of_routes = routes.any(|route| route.source == source && route.condition.uses_twin());
            of_routes || active.routing.enrichments.iter().any(Enrichment::uses_twin)
        })
    }

    /// Leads a message along its routes. What is for `events` is given back, as it is to stand there.
    pub(in crate::hub) fn route(
        &self,
        message: &RoutedMessage,
        twin: Option<&Value>,
    ) -> Option<RoutedMessage> {
        self.read(|active| {
            let mut to_events = None;
            for endpoint in active.endpoints_for(message, twin) {
                let stamped = self.stamp(active, message, twin, endpoint);
                match active.outlets.get(endpoint) {
                    Some(way) => {
                        let parcel = Parcel::new(&stamped.record(), self.parts.clock.now());
                        way.outlet.offer(parcel);
                    }
                    None => to_events = Some(stamped),
                }
            }
            to_events
        })
    }

    /// The message as it goes to an endpoint of this name.
    pub(in crate::hub) fn stamped(
        &self,
        message: &RoutedMessage,
        twin: Option<&Value>,
        endpoint: &str,
    ) -> RoutedMessage {
        self.read(|active| self.stamp(active, message, twin, endpoint))
    }

    fn stamp(
        &self,
        active: &Active,
        message: &RoutedMessage,
        twin: Option<&Value>,
        endpoint: &str,
    ) -> RoutedMessage {
        stamped(message, &active.routing.enrichments, endpoint, &self.parts.hub_name, twin)
    }

    /// How the deliveries to each endpoint go.
    pub(in crate::hub) fn health(&self) -> BTreeMap<String, Health> {
        self.read(|active| {
            active.outlets.iter().map(|(name, way)| (name.clone(), way.outlet.health())).collect()
        })
    }

    /// Goes on with what was kept over a restart.
    pub(in crate::hub) fn work(&self) {
        self.read(|active| active.outlets.values().for_each(|way| way.outlet.work()));
    }

    /// Ends deliveries; what waits can be kept.
    pub(in crate::hub) fn stop(&self) {
        self.read(|active| active.outlets.values().for_each(|way| way.outlet.stop()));
    }

    fn read<T>(&self, look: impl FnOnce(&Active) -> T) -> T {
        look(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Active {
    fn new(
        parts: &RouterParts,
        etag: String,
        routing: Routing,
        mut waiting: BTreeMap<String, Vec<KeptParcel>>,
    ) -> Result<Self, String> {
        routing.check()?;
        let mut outlets = BTreeMap::new();
        let mut add = |name: &str, target: Target, dead_letters: Option<PathBuf>, policy: RetryPolicy| {
            let kept = waiting.remove(name).unwrap_or_default();
            let made = OutletParts {
                name: name.to_owned(),
                target: target.clone(),
                dead_letters: dead_letters.clone(),
                redelivery: parts.redelivery(policy),
                clock: Arc::clone(&parts.clock),
            };
            let way = Way { target, dead_letters, policy, outlet: Outlet::new(made, kept) };
            outlets.insert(name.to_owned(), way);
        };
        for webhook in &routing.endpoints.webhooks {
            let dead_letters = webhook.dead_letter_file.as_ref().map(|file| parts.files.join(file));
            add(
                &webhook.name,
                Target::Webhook { url: webhook.url.clone() },
                dead_letters,
                webhook.retry_policy,
            );
        }
        for file in &routing.endpoints.files {
            add(
                &file.name,
                Target::File { path: parts.files.join(&file.file) },
                None,
                RetryPolicy::default(),
            );
        }
        let enabled = routing.routes.iter().filter(|route| route.is_enabled);
        let routes = enabled.map(ActiveRoute::new).collect::<Result<_, _>>()?;
        Ok(Self { etag, routing, routes, outlets })
    }

    /// The endpoints that a message goes to, each once.
    fn endpoints_for(&self, message: &RoutedMessage, twin: Option<&Value>) -> Vec<&str> {
        let subject = Subject::new(message, twin);
        let mut endpoints: Vec<&str> = Vec::new();
        let mut is_taken = false;
        for route in self.routes.iter().filter(|route| route.source == message.source) {
            if route.condition.judge(&subject) == Verdict::True {
                is_taken = true;
                if !endpoints.contains(&route.endpoint.as_str()) {
                    endpoints.push(&route.endpoint);
                }
            }
        }
        let fallback = &self.routing.fallback_route;
        if !is_taken && fallback.is_enabled && message.source == fallback.source {
            endpoints.extend(fallback.endpoint_names.iter().map(String::as_str));
        }
        endpoints
    }
}

impl ActiveRoute {
    fn new(route: &Route) -> Result<Self, String> {
        Ok(Self {
            source: route.source,
            condition: Condition::parse(&route.condition)?,
            endpoint: route.endpoint_names.first().cloned().unwrap_or_default(),
        })
    }
}

impl Way {
    fn is_as(&self, other: &Self) -> bool {
        (&self.target, &self.dead_letters, self.policy) == (&other.target, &other.dead_letters, other.policy)
    }
}
