//! Merge patches (RFC 7396), as far as it matters whether they change anything.

use serde_json::Value;

/// Whether merging the patch would change nothing.
pub(super) fn is_in(value: &Value, patch: &Value) -> bool {
    match patch {
        Value::Object(members) => {
            members.iter().all(|(name, wanted)| match (value.get(name), wanted) {
                (None, Value::Null) => true,
                // Merging makes an object.
                (None, _) => false,
                (Some(there), wanted) => is_in(there, wanted),
            })
        }
        wanted => value == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_patch_that_changes_nothing_is_known() {
        let twin = json!({"tags": {"a": {"b": 1, "c": 2}}, "properties": {"desired": {"x": 5}}});
        for patch in [
            json!({"tags": {"a": {"b": 1}}}),
            json!({"properties": {"desired": {"x": 5, "gone": null}}}),
            json!({"tags": {"z": null}}),
        ] {
            assert!(is_in(&twin, &patch), "{patch}");
        }
        for patch in [
            json!({"tags": {"a": {"b": 2}}}),
            json!({"tags": {"a": null}}),
            json!({"tags": {"a": {"d": {}}}}),
            json!({"properties": {"desired": {"x": [5]}}}),
        ] {
            assert!(!is_in(&twin, &patch), "{patch}");
        }
    }
}
