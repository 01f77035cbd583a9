//! The routing of a hub from the service side: shown, changed, tried.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Hub, HubError,
    outlet::Health,
    routing::{RouteTrial, RoutesTrial, Routing},
};
use crate::etag::IfMatch;

impl Hub {
    /// The routing in force: everything to `events`, until somebody changes it.
    pub fn routing(&self) -> Routing {
        self.0.router.current().0
    }

    /// The same with its entity tag.
    pub(crate) fn routing_with_etag(&self) -> (Routing, String) {
        self.0.router.current()
    }

    /// Puts another routing in force. All of it is refused if part of it is wrong; the error names the member.
    pub fn set_routing(&self, routing: Routing) -> Result<(), HubError> {
        self.set_routing_if(routing, &IfMatch::Any).map(drop)
    }

    /// The same if the entity tag is the one given; gives the new one.
    pub(crate) fn set_routing_if(&self, routing: Routing, if_match: &IfMatch) -> Result<String, HubError> {
        let replaced = self.0.router.replace(routing, if_match).map_err(HubError::ArgumentInvalid)?;
        let etag = replaced.ok_or_else(|| HubError::PreconditionFailed("the routing".into()))?;
        self.0.changes.count();
        Ok(etag)
    }

    /// What a route says of a message that nobody has sent.
    pub(crate) fn try_route(&self, trial: &RouteTrial) -> Value {
        trial.outcome(self.0.clock.now())
    }

    /// Which routes would take a message that nobody has sent.
    pub(crate) fn try_routes(&self, trial: &RoutesTrial) -> Value {
        trial.outcome(self.routing().routes.iter(), self.0.clock.now())
    }

    /// How deliveries go, by endpoint.
    pub(crate) fn deliveries(&self) -> BTreeMap<String, Health> {
        self.0.router.health()
    }

    /// Goes on delivering what was kept over a restart.
    pub(crate) fn resume_deliveries(&self) {
        self.0.router.work();
        self.0.event_grid.work();
    }

    /// Ends deliveries; what waits is kept with the hub.
    pub(crate) fn stop_deliveries(&self) {
        self.0.endpoint.close();
        self.0.router.stop();
        self.0.event_grid.stop();
    }
}
