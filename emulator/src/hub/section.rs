//! One section of a twin with its version and metadata, and the rules of its shape and size (hub developer guide,
//! "device twins").

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;
use tracker_protocol::hub::{merge, replacement};

use crate::clock::wire_time;

/// The largest size of desired and of reported properties, in the hub's way of counting.
pub(crate) const PROPERTIES_LIMIT: usize = 32 * 1024;
/// The largest size of tags.
pub(crate) const TAGS_LIMIT: usize = 8 * 1024;

const KEY_LIMIT: usize = 1024;
const STRING_LIMIT: usize = 4 * 1024;
const DEPTH_LIMIT: usize = 10;
const INTEGERS: std::ops::RangeInclusive<i64> = -4_503_599_627_370_496..=4_503_599_627_370_495;

/// Why a change of a twin is refused. The whole change is, then.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TwinError {
    /// A key with characters, or of a length, that are not allowed.
    #[error("the key {0:?} is not allowed: at most 1 KB, no control characters, no '.', '$' or space")]
    Key(String),
    /// A string value longer than 4 KB.
    #[error("the value of {0} is longer than 4 KB")]
    LongString(String),
    /// An integer that a double can't carry.
    #[error("the integer {value} of {path} is out of range: -4503599627370496 to 4503599627370495")]
    IntegerRange {
        /// Where it stands.
        path: String,
        /// What it is.
        value: String,
    },
    /// Objects in objects, deeper than ten.
    #[error("{0} is nested deeper than 10 levels")]
    Depth(String),
    /// A section that would become too large.
    #[error("{section} would have {size} bytes; the limit is {limit}")]
    Size {
        /// `tags`, `desired` or `reported`.
        section: &'static str,
        /// What it would be.
        size: usize,
        /// What it may be.
        limit: usize,
    },
    /// Nulls in a replacement.
    #[error("ArgumentInvalid: {0} is null; a replacement leaves out what is to go, null is for a patch")]
    NullInReplacement(String),
    /// Not an object where one is needed.
    #[error("{0} must be a JSON object")]
    NotAnObject(&'static str),
}

/// Desired or reported properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Section {
    properties: Map<String, Value>,
    metadata: Map<String, Value>,
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
        Self { properties: Map::new(), metadata, version: 1, versioned_metadata }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn properties(&self) -> &Map<String, Value> {
        &self.properties
    }

    /// Sets the content without counting it as a change: for the initial twin.
    pub(crate) fn initialize(&mut self, properties: &Map<String, Value>, now: DateTime<Utc>) {
        merge(&mut self.properties, properties);
        let stamp = self.stamp(now, self.version);
        mark(&mut self.metadata, properties, &stamp);
    }

    /// Applies a checked merge patch; the version rises even if no value changes.
    pub(crate) fn patch(
        &mut self,
        name: &'static str,
        patch: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<(), TwinError> {
        check(patch)?;
        let mut patched = self.properties.clone();
        merge(&mut patched, patch);
        check_size(name, &patched, PROPERTIES_LIMIT)?;
        self.properties = patched;
        self.version += 1;
        let stamp = self.stamp(now, self.version);
        self.metadata.extend(stamp.clone());
        mark(&mut self.metadata, patch, &stamp);
        Ok(())
    }

    /// Replaces the whole content and tells how a device learns of it: what is gone as null, all the rest stated.
    pub(crate) fn replace(
        &mut self,
        name: &'static str,
        content: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<Map<String, Value>, TwinError> {
        check(content)?;
        check_no_nulls(content)?;
        check_size(name, content, PROPERTIES_LIMIT)?;
        let push = replacement(&self.properties, content);
        self.properties.clone_from(content);
        self.version += 1;
        let stamp = self.stamp(now, self.version);
        self.metadata.clone_from(&stamp);
        mark(&mut self.metadata, content, &stamp);
        Ok(push)
    }

    /// As a device sees it: with `$version`, without `$metadata`.
    pub(crate) fn for_device(&self) -> Map<String, Value> {
        let mut shown = self.properties.clone();
        shown.insert("$version".into(), self.version.into());
        shown
    }

    /// As the service shows it.
    pub(crate) fn for_service(&self) -> Map<String, Value> {
        let mut shown = self.for_device();
        shown.insert("$metadata".into(), self.metadata.clone().into());
        shown
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

/// Checks the whole of new tags.
pub(crate) fn replace_tags(tags: &Map<String, Value>) -> Result<(), TwinError> {
    check(tags)?;
    check_no_nulls(tags)?;
    check_size("tags", tags, TAGS_LIMIT)
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

fn check(object: &Map<String, Value>) -> Result<(), TwinError> {
    check_object(object, "", 1)
}

fn check_object(object: &Map<String, Value>, path: &str, depth: usize) -> Result<(), TwinError> {
    if depth > DEPTH_LIMIT {
        return Err(TwinError::Depth(path.to_owned()));
    }
    for (key, value) in object {
        let forbidden = |c: char| c.is_control() || matches!(c, '.' | '$' | ' ');
        if key.is_empty() || key.len() > KEY_LIMIT || key.contains(forbidden) {
            return Err(TwinError::Key(key.chars().take(80).collect()));
        }
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        check_value(value, &path, depth)?;
    }
    Ok(())
}

fn check_value(value: &Value, path: &str, depth: usize) -> Result<(), TwinError> {
    match value {
        Value::String(text) if text.len() > STRING_LIMIT => Err(TwinError::LongString(path.to_owned())),
        Value::Number(number)
            if !number.is_f64() && !number.as_i64().is_some_and(|n| INTEGERS.contains(&n)) =>
        {
            Err(TwinError::IntegerRange { path: path.to_owned(), value: number.to_string() })
        }
        Value::Object(inner) => check_object(inner, path, depth + 1),
        Value::Array(values) => {
            if depth >= DEPTH_LIMIT {
                return Err(TwinError::Depth(path.to_owned()));
            }
            values.iter().try_for_each(|value| check_value(value, path, depth + 1))
        }
        _ => Ok(()),
    }
}

fn check_no_nulls(object: &Map<String, Value>) -> Result<(), TwinError> {
    object.iter().try_for_each(|(key, value)| match value {
        Value::Null => Err(TwinError::NullInReplacement(key.clone())),
        Value::Object(inner) => check_no_nulls(inner),
        _ => Ok(()),
    })
}

fn check_size(section: &'static str, object: &Map<String, Value>, limit: usize) -> Result<(), TwinError> {
    match object_size(object) {
        size if size > limit => Err(TwinError::Size { section, size, limit }),
        _ => Ok(()),
    }
}

fn object_size(object: &Map<String, Value>) -> usize {
    object.iter().map(|(key, value)| text_size(key) + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text_size(text),
        Value::Array(values) => values.iter().map(value_size).sum(),
        Value::Object(inner) => object_size(inner),
    }
}

fn text_size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_control()).count()
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
        let metadata = &section.for_service()["$metadata"];
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
        for _ in 0..10 {
            deep = json!({ "k": deep });
        }
        let many: Map<_, _> = (0..10).map(|i| (format!("k{i}"), json!("x".repeat(4000)))).collect();
        for (patch, part) in [
            (json!({"a b": 1}), "the key"),
            (json!({"a.b": 1}), "the key"),
            (json!({"a": {"$b": 1}}), "the key"),
            (json!({"": 1}), "the key"),
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
