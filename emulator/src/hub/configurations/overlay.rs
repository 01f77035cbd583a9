//! What several configurations together want of one twin, and the patch that makes the twin so.
//!
//! A tree of properties stands for both: objects branch, everything else (an empty object, too) is a leaf, and a null says
//! that there is to be nothing.

use serde_json::{Map, Value};

use super::super::twin_rules::check;

const DESIRED: &str = "properties.desired";

/// The tree of one content: `{"properties.desired.a.b": value}` becomes `{"a": {"b": value}}`. Refused is what a twin would not
/// take either.
pub(in crate::hub) fn tree(content: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut tree = Map::new();
    // Shorter paths first: a longer one is about a part of it.
    let mut paths: Vec<_> = content.iter().collect();
    paths.sort_by_key(|(path, _)| path.len());
    for (path, value) in paths {
        let names = names(path)?;
        if names.is_empty() && !value.is_object() {
            return Err(format!("{DESIRED} has to be a JSON object"));
        }
        put(&mut tree, &names, value.clone());
    }
    check(&tree).map_err(|why| why.to_string())?;
    Ok(tree)
}

/// Writes a content over the properties of a module: what stands at a path is another then, and not merged; a null takes it out.
pub(in crate::hub) fn write(
    properties: &mut Map<String, Value>,
    content: &Map<String, Value>,
) -> Result<(), String> {
    let mut paths: Vec<_> = content.iter().collect();
    paths.sort_by_key(|(path, _)| path.len());
    for (path, value) in paths {
        let names = names(path)?;
        if names.is_empty() {
            *properties = value.as_object().cloned().map(without_nulls).unwrap_or_default();
        } else {
            write_at(properties, &names, value);
        }
    }
    Ok(())
}

fn write_at(place: &mut Map<String, Value>, names: &[&str], value: &Value) {
    let Some((first, rest)) = names.split_first() else { return };
    match (value, rest.is_empty()) {
        (_, false) => {
            let inner = place.entry((*first).to_owned()).or_insert(Value::Null);
            if !inner.is_object() {
                *inner = Map::new().into();
            }
            if let Value::Object(inner) = inner {
                write_at(inner, rest, value);
            }
        }
        (Value::Null, true) => {
            place.remove(*first);
        }
        (Value::Object(members), true) => {
            place.insert((*first).to_owned(), without_nulls(members.clone()).into());
        }
        (leaf, true) => {
            place.insert((*first).to_owned(), leaf.clone());
        }
    }
}

/// The names below `properties.desired`.
fn names(path: &str) -> Result<Vec<&str>, String> {
    let rest = path.strip_prefix(DESIRED).filter(|rest| rest.is_empty() || rest.starts_with('.'));
    let Some(rest) = rest else {
        let shown: String = path.chars().take(140).collect();
        return Err(format!("the path \"{shown}\" does not begin with {DESIRED}"));
    };
    Ok(rest.split('.').skip(1).collect())
}

/// Puts a value at a path; objects merge.
fn put(tree: &mut Map<String, Value>, names: &[&str], value: Value) {
    let Some((first, rest)) = names.split_first() else {
        if let Value::Object(members) = value {
            for (name, member) in members {
                put(tree, &[&name], member);
            }
        }
        return;
    };
    let place = tree.entry((*first).to_owned());
    match (place, rest.is_empty(), value) {
        (place, true, Value::Object(members)) => {
            let inner = place.or_insert_with(|| Map::new().into());
            if !inner.is_object() {
                *inner = Map::new().into();
            }
            if let Value::Object(inner) = inner {
                put(inner, &[], members.into());
            }
        }
        (place, true, leaf) => {
            let there = place.or_insert(Value::Null);
            *there = leaf;
        }
        (place, false, value) => {
            let inner = place.or_insert_with(|| Map::new().into());
            if !inner.is_object() {
                *inner = Map::new().into();
            }
            if let Value::Object(inner) = inner {
                put(inner, rest, value);
            }
        }
    }
}

/// What configurations together want of a twin, from the one that goes before all others to the last.
#[derive(Debug, Default)]
pub(in crate::hub) struct Overlay {
    wanted: Map<String, Value>,
}

impl Overlay {
    /// Adds what one of them wants, behind those added before: a leaf, or a branch, that one before it has already decided stays
    /// as it is. Tells whether anything of it counts.
    pub(in crate::hub) fn add(&mut self, tree: &Map<String, Value>) -> bool {
        add(&mut self.wanted, tree)
    }

    /// The patch of desired properties, of which earlier configurations have set `set`, that makes them so; and what is set then.
    pub(in crate::hub) fn settle(
        self,
        desired: &Map<String, Value>,
        set: &Map<String, Value>,
    ) -> (Map<String, Value>, Map<String, Value>) {
        let patch = settle(desired, set, &self.wanted);
        (patch, without_nulls(self.wanted))
    }
}

fn add(wanted: &mut Map<String, Value>, tree: &Map<String, Value>) -> bool {
    let mut counts = tree.is_empty();
    for (name, value) in tree {
        match (wanted.get_mut(name), value) {
            (None, value) => {
                wanted.insert(name.clone(), value.clone());
                counts = true;
            }
            (Some(Value::Object(there)), Value::Object(value)) => counts |= add(there, value),
            (Some(_decided), _) => {}
        }
    }
    counts
}

fn settle(
    desired: &Map<String, Value>,
    set: &Map<String, Value>,
    wanted: &Map<String, Value>,
) -> Map<String, Value> {
    let nothing = Map::new();
    let object = |value: Option<&Value>| -> Map<String, Value> {
        value.and_then(Value::as_object).unwrap_or(&nothing).clone()
    };
    let mut patch = Map::new();
    for (name, set) in set.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        if let Some(gone) = desired.get(name).and_then(|there| removal(there, set)) {
            patch.insert(name.clone(), gone);
        }
    }
    for (name, wanted) in wanted {
        let there = desired.get(name);
        match wanted {
            Value::Null if there.is_some() => {
                patch.insert(name.clone(), Value::Null);
            }
            Value::Null => {}
            Value::Object(wanted) => {
                let inner = settle(&object(there), &object(set.get(name)), wanted);
                let is_missing = !there.is_some_and(Value::is_object) && has_values(wanted);
                if !inner.is_empty() || is_missing {
                    patch.insert(name.clone(), inner.into());
                }
            }
            leaf if there != Some(leaf) => {
                patch.insert(name.clone(), leaf.clone());
            }
            _there => {}
        }
    }
    patch
}

/// Whether an object asks for anything to be there: itself, or something in it.
fn has_values(wanted: &Map<String, Value>) -> bool {
    wanted.is_empty()
        || wanted.values().any(|value| match value {
            Value::Object(inner) => has_values(inner),
            value => !value.is_null(),
        })
}

/// What takes out of `there` all that was `set`; `None` if nothing of it is there any more. A branch goes with its last leaf.
fn removal(there: &Value, set: &Value) -> Option<Value> {
    let (Value::Object(there), Value::Object(set)) = (there, set) else { return Some(Value::Null) };
    let gone: Map<String, Value> =
        set.iter().filter_map(|(name, set)| Some((name.clone(), removal(there.get(name)?, set)?))).collect();
    let is_all = there.keys().all(|name| gone.get(name).is_some_and(Value::is_null));
    if is_all {
        return Some(Value::Null);
    }
    (!gone.is_empty()).then_some(Value::Object(gone))
}

fn without_nulls(tree: Map<String, Value>) -> Map<String, Value> {
    let keep = |(name, value): (String, Value)| match value {
        Value::Null => None,
        Value::Object(inner) if !inner.is_empty() => {
            // A branch in which nothing was asked for is none.
            let inner = without_nulls(inner);
            (!inner.is_empty()).then_some((name, Value::Object(inner)))
        }
        leaf => Some((name, leaf)),
    };
    tree.into_iter().filter_map(keep).collect()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use serde_json::json;
    use tracker_protocol::hub::merge;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("an object is meant: {value}") };
        object
    }

    /// Twins as they follow from these contents, the first of which goes before the others; in each step others.
    fn steps(desired: Value, steps: &[&[Value]]) -> Vec<Value> {
        let (mut desired, mut set) = (object(desired), Map::new());
        let mut seen = Vec::new();
        for contents in steps {
            let mut overlay = Overlay::default();
            for content in *contents {
                overlay.add(&tree(&object(content.clone())).expect("a content"));
            }
            let (patch, now) = overlay.settle(&desired, &set);
            merge(&mut desired, &patch);
            set = now;
            seen.push(Value::Object(desired.clone()));
            let mut again = Overlay::default();
            for content in *contents {
                again.add(&tree(&object(content.clone())).expect("a content"));
            }
            assert_eq!(again.settle(&desired, &set).0, Map::new(), "the second time nothing is to be done");
        }
        seen
    }

    #[test]
    fn the_first_wins_at_each_path_and_what_is_set_goes_with_its_configuration() {
        let high = json!({"properties.desired.chiller": {"temperature": 4}});
        let low = json!({"properties.desired.chiller": {"temperature": 66, "pressure": 28}, "properties.desired.fan": 1});
        let seen = steps(
            json!({"own": true}),
            &[from_ref(&low), &[high.clone(), low.clone()], from_ref(&high), &[]],
        );
        assert_eq!(
            seen,
            [
                json!({"own": true, "chiller": {"temperature": 66, "pressure": 28}, "fan": 1}),
                json!({"own": true, "chiller": {"temperature": 4, "pressure": 28}, "fan": 1}),
                json!({"own": true, "chiller": {"temperature": 4}}),
                json!({"own": true}),
            ]
        );
    }

    #[test]
    fn nulls_take_out_what_others_have_set_and_branches_stay_with_what_is_not_ours() {
        let out = json!({"properties.desired.a.b": null});
        let seen =
            steps(json!({"a": {"b": 1, "c": 2}}), &[&[out], &[json!({"properties.desired.a.d": {}})], &[]]);
        assert_eq!(seen, [json!({"a": {"c": 2}}), json!({"a": {"c": 2, "d": {}}}), json!({"a": {"c": 2}})]);
    }

    #[test]
    fn a_leaf_and_a_branch_at_one_place_replace_each_other() {
        let (leaf, branch) =
            (json!({"properties.desired.a": 1}), json!({"properties.desired": {"a": {"b": [1, 2]}}}));
        let seen =
            steps(json!({}), &[from_ref(&leaf), from_ref(&branch), &[leaf.clone(), branch.clone()], &[]]);
        assert_eq!(seen, [json!({"a": 1}), json!({"a": {"b": [1, 2]}}), json!({"a": 1}), json!({})]);
    }

    #[test]
    fn what_is_written_to_a_module_replaces_what_stood_at_its_path() {
        let mut properties = object(json!({"modules": {"a": {"image": "1", "old": true}, "b": 1}, "own": 1}));
        let layer = json!({"properties.desired.modules.a": {"image": "2"}, "properties.desired.modules.b": null,
                           "properties.desired.routes.r": "x"});
        write(&mut properties, &object(layer)).expect("a content");
        let written = json!({"modules": {"a": {"image": "2"}}, "own": 1, "routes": {"r": "x"}});
        assert_eq!(Value::Object(properties.clone()), written);
        write(&mut properties, &object(json!({"properties.desired": {"c": {}}}))).expect("a content");
        assert_eq!(Value::Object(properties), json!({"c": {}}));
    }

    #[test]
    fn only_what_counts_is_said_to() {
        let mut overlay = Overlay::default();
        let content = |value: Value| tree(&object(value)).expect("a content");
        assert!(overlay.add(&content(json!({"properties.desired.a.b": 1}))));
        assert!(!overlay.add(&content(json!({"properties.desired.a.b": 2}))));
        assert!(!overlay.add(&content(json!({"properties.desired.a": 2}))));
        assert!(overlay.add(&content(json!({"properties.desired": {"a": {"b": 3, "c": 4}}}))));
    }

    #[test]
    fn what_no_twin_would_take_is_refused() {
        for (content, part) in [
            (json!({"desired.a": 1}), "does not begin with properties.desired"),
            (json!({"properties.desiredx": 1}), "does not begin with"),
            (json!({"properties.reported.a": 1}), "does not begin with"),
            (json!({"properties.desired": 1}), "has to be a JSON object"),
            (json!({"properties.desired.": 1}), "the key \"\""),
            (json!({"properties.desired.a..b": 1}), "the key \"\""),
            (json!({"properties.desired.$a": 1}), "the key \"$a\""),
            (json!({"properties.desired.a": [null]}), "a list holds no nulls"),
            (json!({"properties.desired.a": "x".repeat(5000)}), "longer than 4 KB"),
        ] {
            let why = tree(&object(content)).expect_err("refused");
            assert!(why.contains(part), "{why}");
        }
    }
}
