//! Brings twins to what configurations want of them.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    ConfigurationInfo, ConfigurationStatus, Hub,
    configurations::{Active, Kind, Managed, Overlay},
    module_id::split_address,
    notice::Notice,
    registry::{Entry, Registry},
    twin::push,
};
use crate::lock::lock;

/// Twins that are looked at before others get the registry.
const BATCH: usize = 64;

/// How often a configuration may make a twin stale for another one, or for itself: a condition over what it sets would go on for
/// ever.
const MAX_ROUNDS: u8 = 4;

/// A twin to look at.
struct Candidate {
    device_id: String,
    /// Made stale so often by configurations themselves.
    rounds: u8,
    version: u64,
    /// As the service shows it.
    twin: Value,
}

impl Hub {
    /// Whether there are twins that configurations have to look at.
    pub(crate) fn has_stale_twins(&self) -> bool {
        self.0.registry.lock().stale.as_ref().is_some_and(|stale| !stale.is_empty())
    }

    /// Lets configurations look at all twins that have changed since they last did. The emulator does so several times a
    /// second; whoever drives it by hand calls this.
    pub fn apply_configurations(&self) {
        loop {
            let candidates = self.candidates();
            if candidates.is_empty() {
                return;
            }
            let ranked = lock(&self.0.configurations).by_rank();
            let is_over = ranked.is_empty();
            let judged: Vec<_> = candidates
                .into_iter()
                .map(|candidate| {
                    let targeting =
                        ranked.iter().filter(|active| active.targets(&candidate.twin)).cloned().collect();
                    (candidate, targeting)
                })
                .collect();
            self.settle(judged, is_over);
        }
    }

    /// The next twins, taken from those that are stale.
    fn candidates(&self) -> Vec<Candidate> {
        let mut registry = self.0.registry.lock();
        let mut taken = Vec::new();
        if let Some(stale) = &mut registry.stale {
            taken.extend(std::iter::from_fn(|| stale.pop_first()).take(BATCH));
        }
        let candidate = |(device_id, rounds): (String, u8)| {
            let entry = registry.find(&device_id)?;
            let (version, twin) = (entry.twin.version, entry.twin(&device_id));
            Some((device_id, rounds, version, twin))
        };
        let found: Vec<_> = taken.into_iter().filter_map(candidate).collect();
        drop(registry);
        let shown = |(device_id, rounds, version, twin)| Candidate {
            device_id,
            rounds,
            version,
            // The type has no form that JSON lacks.
            twin: serde_json::to_value(twin).unwrap_or_default(),
        };
        found.into_iter().map(shown).collect()
    }

    fn settle(&self, judged: Vec<(Candidate, Vec<Arc<Active>>)>, is_over: bool) {
        let now = self.0.clock.now();
        let mut has_changed = false;
        let mut registry = self.0.registry.lock();
        for (candidate, targeting) in judged {
            let Candidate { device_id, rounds, version, .. } = candidate;
            let Some(entry) = registry.find(&device_id) else { continue };
            if entry.twin.version != version {
                // Somebody was faster; what was judged is not what is there.
                registry.touch(&device_id);
                continue;
            }
            let is_edge = entry.identity.capabilities.iot_edge;
            let (deployments, targeting): (Vec<_>, Vec<_>) =
                targeting.into_iter().partition(|active| active.kind == Kind::Edge);
            let (mut is_changed, told) = manage(entry, &targeting, now);
            if is_edge {
                is_changed |= self.deploy(&mut registry, &device_id, &deployments, now);
            } else if let (owner, Some(_)) = split_address(&device_id)
                && let Some(stale) = &mut registry.stale
            {
                // A deployment may have to set right what somebody has changed in the module.
                stale.entry(owner.to_owned()).or_insert(rounds);
            }
            has_changed |= is_changed;
            if is_changed
                && rounds < MAX_ROUNDS
                && let Some(stale) = &mut registry.stale
            {
                stale.entry(device_id.clone()).or_insert(rounds + 1);
            }
            if let Some(notice) = told {
                self.notify(&mut registry, &device_id, &notice);
            }
        }
        if is_over && lock(&self.0.configurations).is_empty() {
            forget(&mut registry);
        }
        drop(registry);
        if has_changed {
            self.0.changes.count();
        }
    }
}

/// Without configurations, once all twins are free of them, nobody has to note what changes.
fn forget(registry: &mut Registry) {
    registry.stale.take_if(|stale| stale.is_empty());
}

/// Brings one twin to what these want of it, the one that goes before all others first. Tells whether anything is another now,
/// and what others are told of it.
fn manage(entry: &mut Entry, targeting: &[Arc<Active>], now: DateTime<Utc>) -> (bool, Option<Notice>) {
    if targeting.is_empty() && entry.managed.is_none() {
        return (false, None);
    }
    let before = entry.managed.take().unwrap_or_default();
    let mut overlay = Overlay::default();
    let mut configurations = BTreeMap::new();
    for active in targeting {
        let status = if overlay.add(&active.tree) {
            ConfigurationStatus::Applied
        } else {
            ConfigurationStatus::Targeted
        };
        configurations.insert(active.id().to_owned(), ConfigurationInfo { status });
    }
    let (patch, set) = overlay.settle(&entry.twin.desired.properties(), &before.set);
    let mut after = Managed { configurations, set, deployments: before.deployments.clone() };
    let mut told = None;
    if !patch.is_empty() {
        match entry.twin.desired.patch("desired", &patch, now) {
            Ok(()) => told = Some(tell(entry, patch, now)),
            Err(_too_large) => {
                // The twin stays as it is, and every one of them waits.
                after.set.clone_from(&before.set);
                for info in after.configurations.values_mut() {
                    info.status = ConfigurationStatus::Targeted;
                }
            }
        }
    }
    let is_changed = told.is_some() || *before != after;
    entry.managed = (!after.is_empty()).then(|| Box::new(after));
    (is_changed, told)
}

fn tell(entry: &mut Entry, patch: Map<String, Value>, now: DateTime<Utc>) -> Notice {
    entry.twin.version += 1;
    entry.twin.service_changes += 1;
    let told = [("desired", entry.twin.desired.change(&patch, now))];
    push(entry, patch);
    Notice::twin_updated(entry.twin.version, None, told)
}
