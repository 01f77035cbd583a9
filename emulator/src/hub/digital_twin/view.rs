//! How a digital twin is shown: what the device reports, and beside it in `$metadata` what is wanted and what was acknowledged.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::component::{MARK, is_component, names};
use crate::hub::Twin;

/// The digital twin of a device.
pub(in crate::hub) fn view(twin: &Twin) -> Value {
    let [desired, reported] = [&twin.properties.desired, &twin.properties.reported].map(Side::of_section);
    let mut shown = Map::new();
    shown.insert("$dtId".into(), twin.device_id.as_str().into());
    let mut metadata = Map::new();
    metadata.insert("$model".into(), twin.model_id.as_str().into());
    let all: BTreeSet<&String> = names(desired.members).chain(names(reported.members)).collect();
    for name in all {
        let [wanted, said] = [desired, reported].map(|side| side.members.get(name));
        if is_component(wanted) || is_component(said) {
            shown.insert(name.clone(), component([desired, reported].map(|side| side.within(name))));
        } else {
            property(name, desired, reported, &mut shown, &mut metadata);
        }
    }
    shown.insert("$metadata".into(), metadata.into());
    shown.into()
}

/// One side of a twin, or of a component in it: properties, and what is told of them.
#[derive(Clone, Copy)]
struct Side<'a> {
    members: &'a Map<String, Value>,
    metadata: &'a Value,
}

/// For a side that has nothing.
static NOTHING: Value = Value::Null;

impl<'a> Side<'a> {
    fn of_section(section: &'a Map<String, Value>) -> Self {
        Self { members: section, metadata: section.get("$metadata").unwrap_or(&NOTHING) }
    }

    /// A component of it, if it is there.
    fn within(self, name: &str) -> Option<Self> {
        let members = self.members.get(name)?.as_object()?;
        Some(Self { members, metadata: &self.metadata[name] })
    }
}

fn component(sides: [Option<Side<'_>>; 2]) -> Value {
    let empty = Map::new();
    let [desired, reported] = sides.map(|side| side.unwrap_or(Side { members: &empty, metadata: &NOTHING }));
    let (mut shown, mut metadata) = (Map::new(), Map::new());
    let all: BTreeSet<&String> = names(desired.members).chain(names(reported.members)).collect();
    for name in all {
        property(name, desired, reported, &mut shown, &mut metadata);
    }
    shown.insert("$metadata".into(), metadata.into());
    shown.into()
}

fn property(
    name: &str,
    desired: Side<'_>,
    reported: Side<'_>,
    shown: &mut Map<String, Value>,
    metadata: &mut Map<String, Value>,
) {
    let mut told = Map::new();
    if let Some(wanted) = desired.members.get(name) {
        told.insert("desiredValue".into(), wanted.clone());
        let version = &desired.metadata[name]["$lastUpdatedVersion"];
        told.insert("desiredVersion".into(), version.clone());
    }
    let mut changed = &desired.metadata[name]["$lastUpdated"];
    if let Some(said) = reported.members.get(name) {
        changed = &reported.metadata[name]["$lastUpdated"];
        let ack = acknowledged(said);
        for (theirs, ours) in [("av", "ackVersion"), ("ac", "ackCode"), ("ad", "ackDescription")] {
            if let Some(value) = ack.and_then(|ack| ack.get(theirs)) {
                told.insert(ours.into(), value.clone());
            }
        }
        shown.insert(name.to_owned(), ack.map_or(said, |ack| &ack["value"]).clone());
    }
    if !changed.is_null() {
        told.insert("lastUpdateTime".into(), changed.clone());
    }
    metadata.insert(name.to_owned(), json!(told));
}

/// An answer to what is wanted: an object with these members and no others.
fn acknowledged(said: &Value) -> Option<&Map<String, Value>> {
    let members = said.as_object()?;
    let is_one = members.contains_key("value")
        && members.contains_key("ac")
        && members.keys().all(|name| matches!(name.as_str(), "value" | "ac" | "av" | "ad" | MARK));
    is_one.then_some(members)
}
