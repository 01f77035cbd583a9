//! JSON merge patches (RFC 7396): how twins change, in both directions.

use serde_json::{Map, Value};

/// Applies a JSON merge patch (RFC 7396): null removes, objects merge, everything else replaces.
pub fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, change) in patch {
        match change {
            Value::Null => {
                target.remove(key);
            }
            Value::Object(change) => {
                match target.entry(key.clone()).or_insert_with(|| Value::Object(Map::new())) {
                    Value::Object(inner) => merge(inner, change),
                    other => {
                        let mut inner = Map::new();
                        merge(&mut inner, change);
                        *other = Value::Object(inner);
                    }
                }
            }
            other => {
                target.insert(key.clone(), other.clone());
            }
        }
    }
}

/// The merge patch that turns `old` into `new` and states all of `new`: what is gone becomes null. A hub sends a
/// replaced section in this form, and a device reports an object whole in it.
#[must_use]
pub fn replacement(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let stated = new
        .iter()
        .map(|(key, value)| (key.clone(), replace_value(old.get(key).unwrap_or(&Value::Null), value)));
    gone.chain(stated).collect()
}

pub(super) fn replace_value(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => Value::Object(replacement(old, new)),
        _ => new.clone(),
    }
}

/// Merges `patch`, which may have been applied to what `known` stands for, or not: afterwards `known` holds every key that
/// may be there, so that a [`replacement`] of it removes them all. Where there may be an object or another value, it holds
/// the object.
pub(super) fn merge_perhaps(known: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, change) in patch {
        match (known.get_mut(key), change) {
            (Some(Value::Object(known)), Value::Object(change)) => merge_perhaps(known, change),
            (Some(Value::Object(_)), _) | (_, Value::Null) => {}
            (_, Value::Object(change)) => {
                let mut added = Map::new();
                merge_perhaps(&mut added, change);
                known.insert(key.clone(), Value::Object(added));
            }
            (_, change) => {
                known.insert(key.clone(), change.clone());
            }
        }
    }
}

/// A section of a twin without its `$version` and `$metadata`, which are the hub's own: tools send them back as they read
/// them, and no patch changes them.
#[must_use]
pub fn without_dollar(mut section: Map<String, Value>) -> Map<String, Value> {
    section.retain(|key, _| !key.starts_with('$'));
    section
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    /// The test cases of RFC 7396, appendix A, whose document and patch are objects.
    #[test]
    fn merges_as_the_rfc_says() {
        for (document, patch, merged) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut target = object(&document);
            merge(&mut target, &object(&patch));
            assert_eq!(Value::Object(target), merged, "{document} and {patch}");
        }
    }

    #[test]
    fn what_is_the_hubs_own_is_left_out_of_a_section() {
        let section = object(&json!({"$version": 4, "$metadata": {"a": {}}, "a": {"$b": 1}, "c$": 2}));
        assert_eq!(Value::Object(without_dollar(section)), json!({"a": {"$b": 1}, "c$": 2}));
    }
}
