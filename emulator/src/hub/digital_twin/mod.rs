//! Digital twins: a twin as Plug and Play sees it, and changes of it in JSON Patch (RFC 6902).

mod patch;
mod view;

pub(super) use patch::desired_of;
pub(super) use view::view;

use serde_json::{Map, Value};

/// What says of an object that it is a component and no property.
const MARK: &str = "__t";

fn is_component(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value[MARK] == "c")
}

/// The members that are properties.
fn names(section: &Map<String, Value>) -> impl Iterator<Item = &String> {
    section.keys().filter(|name| !name.starts_with('$') && *name != MARK)
}
