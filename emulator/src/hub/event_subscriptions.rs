//! The Event Grid subscriptions of a hub from the service side.

use std::collections::BTreeMap;

use super::{EventSubscription, Hub, HubError, event_grid::validate, outlet::Health, routing::check_name};

impl Hub {
    /// Makes or replaces a subscription, once its webhook has proved that it wants these events. `name`: 1 to 64 letters,
    /// digits, `-`, `_` and `.`.
    pub async fn put_event_subscription(
        &self,
        name: &str,
        subscription: EventSubscription,
    ) -> Result<(), HubError> {
        check_name("the name of an event subscription", name)
            .and_then(|()| subscription.check())
            .and_then(|()| self.0.event_grid.admits(name))
            .map_err(HubError::ArgumentInvalid)?;
        validate(subscription.url(), name, self.label(), self.0.clock.now())
            .await
            .map_err(HubError::ArgumentInvalid)?;
        self.0.event_grid.put(name, subscription);
        self.0.changes.count();
        Ok(())
    }

    /// The subscriptions by name.
    pub fn event_subscriptions(&self) -> BTreeMap<String, EventSubscription> {
        self.0.event_grid.list()
    }

    /// Ends a subscription; whether there was one.
    pub fn delete_event_subscription(&self, name: &str) -> bool {
        let was_there = self.0.event_grid.remove(name);
        if was_there {
            self.0.changes.count();
        }
        was_there
    }

    /// How deliveries go, by subscription.
    pub(crate) fn event_deliveries(&self) -> BTreeMap<String, Health> {
        self.0.event_grid.health()
    }
}
