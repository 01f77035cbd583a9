//! One section of a twin with its version and metadata.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tracker_protocol::hub::{merge, replacement};

use super::twin_rules::{PROPERTIES_LIMIT, TAGS_LIMIT, TwinError, check, check_size, check_whole};
use crate::{clock::wire_time, packed::PackedObject};

/// How much of a section somebody looks at: most of what it takes to show one are its metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    #[default]
    Nothing,
    /// All but `$metadata`.
    Values,
    Whole,
}

/// Desired or reported properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Section {
    properties: PackedObject,
    metadata: PackedObject,
    version: u64,
    /// Desired properties say in their metadata in which version each was set.
    versioned_metadata: bool,
}

impl Section {
    pub(crate) fn desired(now: DateTime<Utc>) -> Self {
        Self::empty(true, now)
    }

    pub(crate) fn reported(now: DateTime<Utc>) -> Self {
        Self::empty(false, now)
    }

    fn empty(versioned_metadata: bool, now: DateTime<Utc>) -> Self {
        let metadata = stamp(now, versioned_metadata.then_some(1));
        Self {
            properties: PackedObject::default(),
            metadata: metadata.into(),
            version: 1,
            versioned_metadata,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn properties(&self) -> Map<String, Value> {
        self.properties.get()
    }

    /// Sets the content without counting it as a change: for the initial twin.
    pub(crate) fn initialize(&mut self, properties: &Map<String, Value>, now: DateTime<Utc>) {
        let mut merged = self.properties();
        merge(&mut merged, properties);
        self.properties = merged.into();
        let stamp = self.stamp(now, self.version);
        let mut metadata = self.metadata.get();
        mark(&mut metadata, properties, &stamp);
        self.metadata = metadata.into();
    }

    /// Applies a checked merge patch; the version rises even if no value changes.
    pub(crate) fn patch(
        &mut self,
        name: &'static str,
        patch: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<(), TwinError> {
        check(patch)?;
        let mut patched = self.properties();
        merge(&mut patched, patch);
        check_size(name, &patched, PROPERTIES_LIMIT)?;
        self.properties = patched.into();
        self.version += 1;
        let stamp = self.stamp(now, self.version);
        let mut metadata = self.metadata.get();
        metadata.extend(stamp.clone());
        mark(&mut metadata, patch, &stamp);
        self.metadata = metadata.into();
        Ok(())
    }

    /// Replaces the whole content and tells how a device learns of it: what is gone as null, all the rest stated.
    pub(crate) fn replace(
        &mut self,
        name: &'static str,
        content: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, TwinError> {
        check_whole(name, content, PROPERTIES_LIMIT)?;
        let push = replacement(&self.properties(), content);
        self.properties = content.into();
        self.version += 1;
        let stamp = self.stamp(now, self.version);
        let mut metadata = stamp.clone();
        mark(&mut metadata, content, &stamp);
        self.metadata = metadata.into();
        Ok(push)
    }

    /// What a patch that was applied has changed, as the service tells of it.
    pub(crate) fn change(&self, patch: &Map<String, Value>, now: DateTime<Utc>) -> Map<String, Value> {
        let stamp = self.stamp(now, self.version);
        let mut metadata = stamp.clone();
        mark(&mut metadata, patch, &stamp);
        let mut change = patch.clone();
        change.insert("$metadata".into(), metadata.into());
        change.insert("$version".into(), self.version.into());
        change
    }

    /// As a device sees it: with `$version`, without `$metadata`.
    pub(crate) fn for_device(&self) -> Map<String, Value> {
        let mut shown = self.properties();
        shown.insert("$version".into(), self.version.into());
        shown
    }

    /// As the service shows it, as far as somebody looks at it.
    pub(super) fn shown(&self, depth: Depth) -> Map<String, Value> {
        match depth {
            Depth::Nothing => Map::new(),
            Depth::Values => self.for_device(),
            Depth::Whole => {
                let mut shown = self.for_device();
                shown.insert("$metadata".into(), self.metadata.get().into());
                shown
            }
        }
    }

    fn stamp(&self, now: DateTime<Utc>, version: u64) -> Map<String, Value> {
        stamp(now, self.versioned_metadata.then_some(version))
    }
}

/// Merges a checked patch into tags.
pub(crate) fn patch_tags(
    tags: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, TwinError> {
    check(patch)?;
    let mut patched = tags.clone();
    merge(&mut patched, patch);
    check_size("tags", &patched, TAGS_LIMIT)?;
    Ok(patched)
}

/// Whether a patch does nothing but delete what is not there; a device is not told of such a one.
pub(crate) fn deletes_nothing(patch: &Map<String, Value>, properties: &Map<String, Value>) -> bool {
    patch.iter().all(|(key, value)| match (value, properties.get(key)) {
        (Value::Null, None) => true,
        (Value::Object(inner), Some(Value::Object(there))) => {
            !inner.is_empty() && deletes_nothing(inner, there)
        }
        _ => false,
    })
}

fn stamp(now: DateTime<Utc>, version: Option<u64>) -> Map<String, Value> {
    let mut stamp = Map::new();
    stamp.insert("$lastUpdated".into(), wire_time::print(now).into());
    if let Some(version) = version {
        stamp.insert("$lastUpdatedVersion".into(), version.into());
    }
    stamp
}

/// Stamps everything the patch touches, at every level, and forgets what it deletes.
fn mark(metadata: &mut Map<String, Value>, patch: &Map<String, Value>, stamp: &Map<String, Value>) {
    for (key, value) in patch {
        if value.is_null() {
            metadata.remove(key);
            continue;
        }
        let entry = metadata.entry(key.clone()).or_insert_with(|| json!({}));
        let Value::Object(marks) = entry else { continue };
        if let Value::Object(inner) = value {
            mark(marks, inner, stamp);
        } else {
            marks.clear();
        }
        marks.extend(stamp.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("an object is meant: {value}") };
        object
    }

    fn patched(patches: &[Value]) -> Section {
        let mut section = Section::desired(DateTime::UNIX_EPOCH);
        for patch in patches {
            section.patch("desired", &object(patch.clone()), DateTime::UNIX_EPOCH).expect("a legal patch");
        }
        section
    }

    #[test]
    fn null_deletes_objects_merge_arrays_are_replaced_and_the_version_counts() {
        let section = patched(&[
            json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [1, 2]}),
            json!({"a": null, "b": {"c": null}, "e": [3]}),
        ]);
        assert_eq!(section.for_device(), object(json!({"b": {"d": 2}, "e": [3], "$version": 3})));
    }

    #[test]
    fn metadata_follows_the_properties() {
        let section = patched(&[json!({"a": 1, "b": {"c": 1}}), json!({"a": null, "b": {"d": 2}})]);
        let metadata = &section.shown(Depth::Whole)["$metadata"];
        assert_eq!(metadata["$lastUpdatedVersion"], 3);
        assert_eq!(metadata["b"]["c"]["$lastUpdatedVersion"], 2);
        assert_eq!(metadata["b"]["d"]["$lastUpdatedVersion"], 3);
        assert!(metadata.get("a").is_none(), "{metadata}");
    }

    #[test]
    fn a_replacement_is_pushed_with_nulls_for_what_is_gone() {
        let mut section = patched(&[json!({"a": 1, "b": 2})]);
        let push = section.replace("desired", &object(json!({"a": 1, "c": 100})), DateTime::UNIX_EPOCH);
        assert_eq!(push, Ok(object(json!({"a": 1, "b": null, "c": 100}))));
    }

    #[test]
    fn what_breaks_a_rule_is_refused_whole() {
        let mut deep = json!(1);
        for _ in 0..11 {
            deep = json!({ "k": deep });
        }
        let many: Map<_, _> = (0..10).map(|i| (format!("k{i}"), json!("x".repeat(4000)))).collect();
        for (patch, part) in [
            (json!({"a b": 1}), "the key"),
            (json!({"a.b": 1}), "the key"),
            (json!({"a": {"$b": 1}}), "the key"),
            (json!({"": 1}), "the key"),
            (json!({"a#b": 1}), "the key"),
            (json!({"a": [{"b": null}]}), "a list holds no nulls"),
            (json!({"a": "x".repeat(4097)}), "longer than 4 KB"),
            (json!({"a": 4_503_599_627_370_496_i64}), "out of range"),
            (json!({"a": u64::MAX}), "out of range"),
            (json!({"a": deep}), "nested deeper"),
            (Value::Object(many), "the limit is 32768"),
        ] {
            let mut section = patched(&[json!({"kept": true})]);
            let mut patch = object(patch);
            patch.insert("kept".into(), Value::Null);
            let error = section.patch("desired", &patch, DateTime::UNIX_EPOCH).expect_err("refused");
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(section.for_device(), object(json!({"kept": true, "$version": 2})));
        }
    }

    #[test]
    fn a_patch_that_deletes_nothing_is_known() {
        let there = object(json!({"a": 1, "b": {"c": 1}}));
        assert!(deletes_nothing(&object(json!({"x": null, "b": {"y": null}})), &there));
        assert!(!deletes_nothing(&object(json!({"a": null})), &there));
        assert!(!deletes_nothing(&object(json!({"a": 1})), &there));
    }
}
