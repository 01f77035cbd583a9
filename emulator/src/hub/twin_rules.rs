//! The rules of a twin's shape and size (hub developer guide, "device twins"), for whoever writes one: the service, the
//! device, and DPS with its initial twins.

use serde_json::{Map, Value};
use thiserror::Error;

use super::initial_twin::InitialTwin;

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
    #[error("the key {0:?} is not allowed: at most 1 KB, no control characters, no '.', '$', '#' or space")]
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
    /// A null where none deletes anything.
    #[error("{0} is null: a list holds no nulls, at any depth; null deletes members of objects alone")]
    NullInList(String),
    /// Nulls in a replacement.
    #[error(
        "ArgumentInvalid: {0} is null; what is written whole leaves out what is not to be, null is for a patch"
    )]
    NullInReplacement(String),
    /// Not an object where one is needed.
    #[error("{0} must be a JSON object")]
    NotAnObject(&'static str),
}

/// Checks a patch, in which a null deletes; the size of what comes of it is for [`check_size`].
pub(super) fn check(patch: &Map<String, Value>) -> Result<(), TwinError> {
    check_object(patch, "", 0)
}

/// Checks the whole of a section, in which nothing may be null.
pub(super) fn check_whole(
    section: &'static str,
    content: &Map<String, Value>,
    limit: usize,
) -> Result<(), TwinError> {
    check(content)?;
    check_no_nulls(content)?;
    check_size(section, content, limit)
}

/// Checks the twin that a device identity is to begin with.
pub(crate) fn check_initial(twin: &InitialTwin) -> Result<(), TwinError> {
    check_whole("tags", &without_system(twin.tags.clone()), TAGS_LIMIT)?;
    check_whole("desired", &without_system(twin.properties.desired.clone()), PROPERTIES_LIMIT)
}

/// Without what the hub itself adds to a section that it shows: tools send it back as they read it. Whatever else
/// begins with `$` stays, to be refused.
pub(super) fn without_system(mut section: Map<String, Value>) -> Map<String, Value> {
    section.retain(|key, _| !matches!(key.as_str(), "$metadata" | "$version"));
    section
}

/// `depth` counts the named objects around this one: the section itself has none.
fn check_object(object: &Map<String, Value>, path: &str, depth: usize) -> Result<(), TwinError> {
    if depth > DEPTH_LIMIT {
        return Err(TwinError::Depth(path.to_owned()));
    }
    for (key, value) in object {
        let forbidden = |c: char| c.is_control() || matches!(c, '.' | '$' | '#' | ' ');
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
        Value::Array(values) => check_list(values, path, depth),
        _ => Ok(()),
    }
}

/// A list is no level of its own, a list in a list is.
fn check_list(values: &[Value], path: &str, depth: usize) -> Result<(), TwinError> {
    if depth > DEPTH_LIMIT {
        return Err(TwinError::Depth(path.to_owned()));
    }
    values.iter().try_for_each(|value| match value {
        Value::Null => Err(TwinError::NullInList(path.to_owned())),
        Value::Array(inner) => check_list(inner, path, depth + 1),
        Value::Object(inner) => {
            check_value(value, path, depth)?;
            check_no_nulls(inner).map_err(|_| TwinError::NullInList(path.to_owned()))
        }
        _ => check_value(value, path, depth),
    })
}

fn check_no_nulls(object: &Map<String, Value>) -> Result<(), TwinError> {
    object.iter().try_for_each(|(key, value)| match value {
        Value::Null => Err(TwinError::NullInReplacement(key.clone())),
        Value::Object(inner) => check_no_nulls(inner),
        _ => Ok(()),
    })
}

pub(super) fn check_size(
    section: &'static str,
    object: &Map<String, Value>,
    limit: usize,
) -> Result<(), TwinError> {
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
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("an object is meant: {value}") };
        object
    }

    /// `{"k":{"k":…}}` with so many named objects, and this in the innermost.
    fn nested(levels: usize, value: Value) -> Map<String, Value> {
        let mut deep = value;
        for _ in 0..levels {
            deep = json!({ "k": deep });
        }
        object(json!({ "k": deep }))
    }

    /// The guide's own example has ten objects, `one` to `ten`, and a property in the last.
    #[test]
    fn ten_levels_of_named_objects_are_allowed_and_no_more() {
        assert_eq!(check(&nested(10, json!("value"))), Ok(()));
        assert_eq!(check(&nested(10, json!([1]))), Ok(()), "a list is no object");
        assert!(matches!(check(&nested(11, json!("value"))), Err(TwinError::Depth(_))));
        assert!(matches!(check(&nested(10, json!([{"a": 1}]))), Err(TwinError::Depth(_))));
        let mut lists = json!(1);
        for _ in 0..12 {
            lists = json!([lists]);
        }
        assert!(matches!(check(&object(json!({ "a": lists }))), Err(TwinError::Depth(_))));
    }

    #[test]
    fn a_list_holds_no_nulls_and_an_object_of_a_patch_may() {
        for list in [json!([null]), json!([{"b": null}]), json!([{"b": {"c": null}}]), json!([[null]])] {
            let patch = object(json!({"outer": {"a": list}}));
            assert_eq!(check(&patch), Err(TwinError::NullInList("outer.a".into())), "{patch:?}");
        }
        assert_eq!(check(&object(json!({"a": {"b": null}}))), Ok(()));
    }

    #[test]
    fn an_initial_twin_is_checked_as_any_other() {
        let large: Map<_, _> = (0..10).map(|i| (format!("k{i}"), json!("x".repeat(4000)))).collect();
        for (tags, desired, part) in [
            (json!({}), Value::Object(large.clone()), "desired would have"),
            (Value::Object(large), json!({}), "tags would have"),
            (json!({"a": {"$b": 1}}), json!({}), "the key \"$b\""),
            (json!({}), json!({"a#b": 1}), "the key \"a#b\""),
            (json!({}), json!({"a": null}), "a is null"),
            (json!({"a": [null]}), json!({}), "a list holds no nulls"),
        ] {
            let error = check_initial(&InitialTwin::new(tags, desired)).expect_err("refused").to_string();
            assert!(error.contains(part), "{error}");
        }
        // Some tools send along what a hub adds to a section.
        let desired = json!({"a": 1, "$version": 1, "$metadata": {"$lastUpdated": "2026-01-01T00:00:00Z"}});
        assert_eq!(check_initial(&InitialTwin::new(json!({}), desired)), Ok(()));
    }
}
