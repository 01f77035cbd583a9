//! Looks whether devices have fallen silent, or are heard again.

use super::{
    DeviceStatus, Hub, HubError, Silence,
    registry::{Entry, NEVER},
    silence::SilenceChange,
};
use crate::{events::EventKind, lock::lock};

use chrono::{DateTime, TimeDelta, Utc};

impl Hub {
    /// When this hub raises the alarm `silent`.
    pub fn silence(&self) -> Silence {
        lock(&self.0.silence).clone()
    }

    /// Sets when it does. Switched off, it forgets who is silent.
    pub fn set_silence(&self, silence: Silence) -> Result<(), HubError> {
        silence.check().map_err(HubError::ArgumentInvalid)?;
        let mut registry = self.0.registry.change();
        if !silence.is_enabled {
            registry.iter_mut().for_each(|(_, entry)| entry.silent_since = None);
        }
        *lock(&self.0.silence) = silence;
        Ok(())
    }

    /// The devices that are silent, and when they were last heard.
    pub fn silent_devices(&self) -> Vec<(String, DateTime<Utc>)> {
        let registry = self.0.registry.lock();
        registry.iter().filter_map(|(id, entry)| Some((id.clone(), entry.silent_since?))).collect()
    }

    /// Tells of those who have fallen silent since the last look, and of those who are heard again. The emulator looks every
    /// second; whoever drives it by hand calls this.
    pub fn check_silence(&self) {
        let silence = self.silence();
        if !silence.is_enabled {
            return;
        }
        let now = self.0.clock.now();
        let mut registry = self.0.registry.lock();
        let changes: Vec<_> =
            registry.iter().filter_map(|(id, entry)| self.change(id, entry, &silence, now)).collect();
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            if let Some(entry) = registry.find(&change.device_id) {
                entry.silent_since = change.heard.is_none().then_some(change.since);
            }
            self.lead(&mut registry, &change.message(self.label(), silence.severity, now), now);
        }
        drop(registry);
        self.0.changes.count();
        for change in changes {
            let (hub, device_id) = (self.0.name.clone(), change.device_id);
            self.0.events.tell(match change.heard {
                None => {
                    EventKind::DeviceSilent { hub, device_id, seconds: (now - change.since).num_seconds() }
                }
                Some(_) => EventKind::DeviceHeard { hub, device_id },
            });
        }
    }

    fn change(
        &self,
        device_id: &str,
        entry: &Entry,
        silence: &Silence,
        now: DateTime<Utc>,
    ) -> Option<SilenceChange> {
        let limit = || silence.limit(&entry.twin.desired.properties(), &entry.twin.reported.properties());
        let heard = entry.last_activity;
        let told =
            |since, limit, heard| SilenceChange { device_id: device_id.to_owned(), since, limit, heard };
        if let Some(since) = entry.silent_since {
            return (heard > since).then(|| told(since, limit(), Some(heard)));
        }
        if heard == NEVER || entry.identity.status == DeviceStatus::Disabled {
            return None;
        }
        // Nobody was heard while the hub was not there.
        let silent = now - heard.max(self.0.began);
        // The shortest interval is a second: most twins are not looked into.
        if silent <= TimeDelta::seconds(silence.intervals.into()) {
            return None;
        }
        let limit = limit();
        (silent > limit).then(|| told(heard, limit, None))
    }
}
