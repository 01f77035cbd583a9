//! The twin from both sides.

use serde_json::{Map, Value};

use super::{
    Hub, HubError, Twin, TwinError,
    connection::Push,
    notice::{Notice, NoticeKind},
    registry::Entry,
    section::{deletes_nothing, patch_tags},
    twin_rules::{TAGS_LIMIT, check, check_whole, without_system},
};
use crate::{etag::IfMatch, events::EventKind};

/// A section of a twin: its version, and its properties.
pub(super) type Versioned = (u64, Map<String, Value>);

/// A change of a twin by the service: what is `None` is left alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TwinPatch {
    /// Tags; null deletes.
    pub tags: Option<Map<String, Value>>,
    /// Desired properties; null deletes.
    pub desired: Option<Map<String, Value>>,
}

/// Sections of which a change leaves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleared {
    /// Tags.
    pub(crate) tags: bool,
    /// Desired properties.
    pub(crate) desired: bool,
}

/// A patch that deletes all that is there.
fn all_of(members: &Map<String, Value>) -> Map<String, Value> {
    members.keys().map(|key| (key.clone(), Value::Null)).collect()
}

impl Hub {
    /// The twin of a device, or of the module of this address.
    pub fn twin(&self, device_id: &str) -> Result<Twin, HubError> {
        self.0.registry.lock().get(device_id).map(|entry| entry.twin(device_id))
    }

    /// All twins in the order of their device IDs.
    pub fn twins(&self) -> Vec<Twin> {
        let registry = self.0.registry.lock();
        registry.iter().map(|(device_id, entry)| entry.twin(device_id)).collect()
    }

    /// All twins of modules in the order of their addresses.
    pub fn module_twins(&self) -> Vec<Twin> {
        let registry = self.0.registry.lock();
        registry.modules().map(|(address, entry)| entry.twin(address)).collect()
    }

    /// Merges a JSON object into the desired properties (null deletes) and pushes it to the device if that is connected
    /// and subscribed. Returns the `$version`, which rises unless the patch does nothing but delete what is not there.
    /// `$metadata` and `$version` are left out, as tools send back what they have read.
    pub fn update_twin_desired(&self, device_id: &str, patch: Value) -> Result<u64, HubError> {
        let Value::Object(desired) = patch else {
            return Err(TwinError::NotAnObject("properties.desired").into());
        };
        let patch = TwinPatch { tags: None, desired: Some(desired) };
        self.update_twin(device_id, patch, &IfMatch::Any).map(|twin| twin.desired_version())
    }

    /// Merges a change into tags and desired properties; all of it is refused if part of it is against the rules.
    pub fn update_twin(
        &self,
        device_id: &str,
        patch: TwinPatch,
        if_match: &IfMatch,
    ) -> Result<Twin, HubError> {
        self.update_or_clear_twin(device_id, patch, Cleared::default(), if_match)
    }

    /// The same, and a section that is cleared is empty afterwards; a device that is connected is told of each member.
    pub(crate) fn update_or_clear_twin(
        &self,
        device_id: &str,
        mut patch: TwinPatch,
        cleared: Cleared,
        if_match: &IfMatch,
    ) -> Result<Twin, HubError> {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.change();
        let entry = registry.entry(device_id)?;
        check_etag(device_id, entry, if_match)?;
        if cleared.tags {
            patch.tags = Some(all_of(&entry.twin.tags.get()));
        }
        if cleared.desired {
            patch.desired = Some(all_of(&entry.twin.desired.properties()));
        }
        let tags_patch = patch.tags.map(without_system);
        let tags = tags_patch.as_ref().map(|tags| patch_tags(&entry.twin.tags.get(), tags)).transpose()?;
        let mut told = None;
        if let Some(desired) = patch.desired.map(without_system) {
            if deletes_nothing(&desired, &entry.twin.desired.properties()) {
                check(&desired)?;
            } else {
                entry.twin.desired.patch("desired", &desired, now)?;
                told = Some(("desired", entry.twin.desired.change(&desired, now)));
                push(entry, desired);
            }
        }
        if let Some(tags) = tags {
            entry.twin.tags = tags.into();
        }
        entry.twin.version += 1;
        entry.twin.service_changes += 1;
        let twin = entry.twin(device_id);
        registry.touch(device_id);
        self.notify(&mut registry, device_id, &Notice::twin_updated(twin.version, tags_patch, told));
        Ok(twin)
    }

    /// Replaces tags and desired properties as a whole; null values are refused. What is `None` is left alone.
    pub fn replace_twin(
        &self,
        device_id: &str,
        replacement: TwinPatch,
        if_match: &IfMatch,
    ) -> Result<Twin, HubError> {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.change();
        let entry = registry.entry(device_id)?;
        check_etag(device_id, entry, if_match)?;
        let tags = replacement.tags.map(without_system);
        if let Some(tags) = &tags {
            check_whole("tags", tags, TAGS_LIMIT)?;
        }
        if let Some(desired) = replacement.desired.map(without_system) {
            let patch = entry.twin.desired.replace("desired", &desired, now)?;
            push(entry, patch);
        }
        if let Some(tags) = tags {
            entry.twin.tags = tags.into();
        }
        entry.twin.version += 1;
        entry.twin.service_changes += 1;
        let twin = entry.twin(device_id);
        registry.touch(device_id);
        self.notify(&mut registry, device_id, &Notice::whole(NoticeKind::TwinReplaced, &twin));
        Ok(twin)
    }

    /// The twin as the device gets it: desired and reported, with `$version` and without `$metadata`.
    pub(super) fn twin_for_device(&self, device_id: &str) -> Result<Value, HubError> {
        let registry = self.0.registry.lock();
        let twin = &registry.get(device_id)?.twin;
        let sections = [("desired", &twin.desired), ("reported", &twin.reported)];
        Ok(sections
            .into_iter()
            .map(|(name, section)| (name.to_owned(), Value::Object(section.for_device())))
            .collect())
    }

    /// Both sections as a device of MQTT 5 gets them, desired and reported: version and properties.
    pub(super) fn sections(&self, device_id: &str) -> Result<[Versioned; 2], HubError> {
        let registry = self.0.registry.lock();
        let twin = &registry.get(device_id)?.twin;
        Ok([&twin.desired, &twin.reported].map(|section| (section.version(), section.properties())))
    }

    /// A change of the reported properties by the device. Returns the `$version`, which rises unless the patch does
    /// nothing but delete what is not there. `if_version`: only if that is the `$version`.
    pub(super) fn patch_reported(
        &self,
        device_id: &str,
        patch: &Map<String, Value>,
        if_version: Option<u64>,
    ) -> Result<u64, HubError> {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.change();
        let entry = registry.entry(device_id)?;
        entry.last_activity = now;
        if if_version.is_some_and(|version| version != entry.twin.reported.version()) {
            return Err(HubError::PreconditionFailed(device_id.to_owned()));
        }
        if deletes_nothing(patch, &entry.twin.reported.properties()) {
            check(patch)?;
            return Ok(entry.twin.reported.version());
        }
        entry.twin.reported.patch("reported", patch, now)?;
        entry.twin.version += 1;
        let version = entry.twin.reported.version();
        let told = self.is_heard(NoticeKind::TwinUpdated).then(|| {
            let told = [("reported", entry.twin.reported.change(patch, now))];
            Notice::twin_updated(entry.twin.version, None, told)
        });
        registry.touch(device_id);
        if let Some(notice) = told {
            self.notify(&mut registry, device_id, &notice);
        }
        drop(registry);
        self.0.events.tell(EventKind::Reported {
            hub: self.0.name.clone(),
            device_id: device_id.to_owned(),
            version,
        });
        Ok(version)
    }
}

pub(super) fn push(entry: &Entry, patch: Map<String, Value>) {
    if let Some(connection) = &entry.connection {
        connection.give(Push::Desired { version: entry.twin.desired.version(), patch });
    }
}

fn check_etag(device_id: &str, entry: &Entry, if_match: &IfMatch) -> Result<(), HubError> {
    if if_match.admits(Some(&entry.twin.etag())) {
        Ok(())
    } else {
        Err(HubError::PreconditionFailed(device_id.to_owned()))
    }
}
