//! What is a component in a twin, and what is a property.

use serde_json::{Map, Value};

/// What says of an object that it is a component and no property.
pub(super) const MARK: &str = "__t";

pub(super) fn is_component(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value[MARK] == "c")
}

/// The members that are properties.
pub(super) fn names(section: &Map<String, Value>) -> impl Iterator<Item = &String> {
    section.keys().filter(|name| !name.starts_with('$') && *name != MARK)
}
