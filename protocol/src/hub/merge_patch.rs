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
