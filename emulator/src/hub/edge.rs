//! What makes a device one of IoT Edge: a scope of its own, the two modules of its runtime, and its place among other edge
//! devices.

use chrono::{DateTime, Utc};

use super::{
    Authentication, DeviceSettings, Hub, HubError, TwinRecord,
    module_id::module_address,
    notice::NoticeKind,
    registry::{Entry, Registry},
    scopes::{Scopes, Wanted},
};
use crate::{etag::IfMatch, id::device_etag};

/// The modules that every edge device has; its runtime gives them keys.
const RUNTIME: [&str; 2] = ["$edgeAgent", "$edgeHub"];

impl Registry {
    /// An edge device is going.
    pub(super) fn let_go(&mut self, device_id: &str, scopes: &Scopes) {
        if let Some(own) = scopes.device_scope.as_deref().filter(|_| scopes.is_own_of(device_id)) {
            self.forget_scope(own);
        }
    }

    /// The scopes that a device is to have, or what is wrong with them.
    pub(super) fn scopes(
        &self,
        device_id: &str,
        settings: &DeviceSettings,
        now: DateTime<Utc>,
    ) -> Result<Option<Box<Scopes>>, HubError> {
        let known = |entry: &Entry| entry.identity.scopes.clone();
        let stored = self.get(device_id).ok().and_then(known);
        let stored = stored.as_deref();
        let wanted = Wanted {
            device_scope: settings.device_scope.as_deref(),
            parent_scopes: settings.parent_scopes.as_deref(),
        };
        let scopes = if settings.capabilities.iot_edge {
            Scopes::of_edge(device_id, stored, wanted, now)?
        } else {
            Scopes::of_leaf(device_id, stored, wanted)?
        };
        let scopes_of = |edge: &str| {
            let entry = self.get(edge).ok().filter(|entry| entry.identity.capabilities.iot_edge)?;
            entry.identity.scopes.as_deref()
        };
        // An edge device that is being made is no one's parent yet.
        scopes.check(device_id, stored, scopes_of)?;
        Ok(Some(Box::new(scopes)).filter(|scopes| !scopes.is_empty()))
    }

    /// Gives edge devices that were made before there were scopes and modules what they lack.
    pub(super) fn complete_edges(&mut self, now: DateTime<Utc>) {
        let lacks = |entry: &Entry| entry.identity.capabilities.iot_edge && entry.identity.scopes.is_none();
        let lacking: Vec<_> =
            self.iter().filter(|(_, entry)| lacks(entry)).map(|(id, _)| id.clone()).collect();
        for device_id in lacking {
            let scopes = Scopes::of_edge(&device_id, None, Wanted::default(), now).ok();
            if let Some(entry) = self.find(&device_id) {
                entry.identity.scopes = scopes.map(Box::new);
            }
            self.make_runtime(&device_id, now);
        }
    }

    /// Makes the modules of the runtime that are not there; tells which.
    fn make_runtime(&mut self, device_id: &str, now: DateTime<Utc>) -> Vec<String> {
        let none = Authentication::none();
        let made = RUNTIME.into_iter().filter_map(|module_id| {
            let address = module_address(device_id, module_id);
            let twin = TwinRecord::new(None, now);
            self.create(&address, none.clone(), <_>::default(), twin).ok().map(|()| address)
        });
        made.collect()
    }

    /// The devices that were below an edge device are below none any more.
    fn forget_scope(&mut self, scope: &str) {
        for (_, entry) in self.iter_mut() {
            let is_below =
                |scopes: &&mut Box<Scopes>| scopes.parent_scopes.iter().any(|parent| parent == scope);
            let Some(scopes) = entry.identity.scopes.as_mut().filter(is_below) else { continue };
            scopes.parent_scopes.clear();
            scopes.device_scope.take_if(|own| own == scope);
            if scopes.is_empty() {
                entry.identity.scopes = None;
            }
            entry.identity.etag = device_etag();
        }
    }
}

impl Hub {
    /// Gives a device the modules of an edge runtime, or takes them, as its capabilities say; and lets go of the devices below
    /// it if it was `before` one of edge and is none any more.
    pub(super) fn fit_edge(
        &self,
        registry: &mut Registry,
        device_id: &str,
        before: Option<&Scopes>,
        now: DateTime<Utc>,
    ) {
        let Some(entry) = registry.find(device_id) else { return };
        if entry.identity.capabilities.iot_edge {
            if entry.identity.scopes.is_none() {
                let scopes = Scopes::of_edge(device_id, before, Wanted::default(), now).ok();
                entry.identity.scopes = scopes.map(Box::new);
            }
            for address in registry.make_runtime(device_id, now) {
                self.tell_of_life(registry, NoticeKind::Created, &address);
            }
        } else if let Some(before) = before {
            if entry.identity.scopes.as_deref().is_some_and(|scopes| scopes.is_own_of(device_id)) {
                let leaf = Scopes::of_leaf(device_id, Some(before), Wanted::default()).ok();
                entry.identity.scopes = leaf.filter(|scopes| !scopes.is_empty()).map(Box::new);
            }
            registry.let_go(device_id, before);
            for module_id in RUNTIME {
                // It may be gone already.
                let _ = self.take_module(registry, &module_address(device_id, module_id), &IfMatch::Any);
            }
        }
    }
}
