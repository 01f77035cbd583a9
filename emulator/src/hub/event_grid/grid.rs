//! The subscriptions in force, and what they are told.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{
        outlet::{Health, KeptParcel, Outlet, OutletParts, Parcel, Target},
        routing::RouterParts,
    },
    event::{event, subject},
    model::{EventSubscription, EventType},
};

/// How many subscriptions a hub may have; each may keep some megabytes waiting.
const MAX_SUBSCRIPTIONS: usize = 20;

/// A subscription, as it is kept over a restart.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::hub) struct KeptSubscription {
    name: String,
    subscription: EventSubscription,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<KeptParcel>,
}

pub(in crate::hub) struct EventGrid {
    parts: RouterParts,
    active: RwLock<BTreeMap<String, Active>>,
}

struct Active {
    subscription: EventSubscription,
    outlet: Outlet,
}

impl EventGrid {
    pub(in crate::hub) fn new(parts: RouterParts, kept: Vec<KeptSubscription>) -> Self {
        let restore = |kept: KeptSubscription| {
            let KeptSubscription { name, subscription, waiting } = kept;
            let active = Active::new(&parts, &name, subscription, waiting);
            (name, active)
        };
        let active = kept.into_iter().map(restore).collect();
        Self { parts, active: RwLock::new(active) }
    }

    /// What has to outlive a restart.
    pub(in crate::hub) fn keep(&self) -> Vec<KeptSubscription> {
        self.read(|active| {
            let keep = |(name, active): (&String, &Active)| KeptSubscription {
                name: name.clone(),
                subscription: active.subscription.clone(),
                waiting: active.outlet.keep(),
            };
            active.iter().map(keep).collect()
        })
    }

    /// The subscriptions by name.
    pub(in crate::hub) fn list(&self) -> BTreeMap<String, EventSubscription> {
        self.read(|active| {
            active.iter().map(|(name, active)| (name.clone(), active.subscription.clone())).collect()
        })
    }

    /// Whether there is room for one of this name.
    pub(in crate::hub) fn admits(&self, name: &str) -> Result<(), String> {
        self.read(|active| {
            if active.contains_key(name) || active.len() < MAX_SUBSCRIPTIONS {
                return Ok(());
            }
            Err(format!("a hub has at most {MAX_SUBSCRIPTIONS} event subscriptions"))
        })
    }

    /// Puts a subscription in force. One of this name is replaced, and what waits for it is delivered to the new one.
    pub(in crate::hub) fn put(&self, name: &str, subscription: EventSubscription) {
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        let waiting = active.remove(name).map(|before| before.outlet.keep()).unwrap_or_default();
        let next = Active::new(&self.parts, name, subscription, waiting);
        next.outlet.work();
        active.insert(name.to_owned(), next);
    }

    /// Ends a subscription; whether there was one.
    pub(in crate::hub) fn remove(&self, name: &str) -> bool {
        self.active.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    /// Whether somebody wants events of this type.
    pub(in crate::hub) fn hears(&self, event_type: EventType) -> bool {
        self.read(|active| active.values().any(|active| active.subscription.filter.admits_type(event_type)))
    }

    /// Tells those who want to hear of it.
    pub(in crate::hub) fn tell(
        &self,
        event_type: EventType,
        device_id: &str,
        time: DateTime<Utc>,
        data: &Value,
    ) {
        let subject = subject(device_id);
        self.read(|active| {
            for active in active.values() {
                if active.subscription.filter.admits(event_type, &subject) {
                    let event = event(event_type, &self.parts.hub_name, device_id, time, data);
                    active.outlet.offer(Parcel::new(&event, self.parts.clock.now()));
                }
            }
        });
    }

    /// How the deliveries of each subscription go.
    pub(in crate::hub) fn health(&self) -> BTreeMap<String, Health> {
        self.read(|active| {
            active.iter().map(|(name, active)| (name.clone(), active.outlet.health())).collect()
        })
    }

    /// Goes on with what was kept over a restart.
    pub(in crate::hub) fn work(&self) {
        self.read(|active| active.values().for_each(|active| active.outlet.work()));
    }

    /// Ends deliveries; what waits can be kept.
    pub(in crate::hub) fn stop(&self) {
        self.read(|active| active.values().for_each(|active| active.outlet.stop()));
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<String, Active>) -> T) -> T {
        look(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Active {
    fn new(
        parts: &RouterParts,
        name: &str,
        subscription: EventSubscription,
        waiting: Vec<KeptParcel>,
    ) -> Self {
        let made = OutletParts {
            name: name.to_owned(),
            target: Target::EventGrid { url: subscription.url().to_owned(), subscription: name.to_owned() },
            dead_letters: subscription.dead_letter_file().map(|file| parts.files.join(file)),
            redelivery: parts.redelivery(subscription.retry_policy),
            clock: Arc::clone(&parts.clock),
        };
        Self { subscription, outlet: Outlet::new(made, waiting) }
    }
}
