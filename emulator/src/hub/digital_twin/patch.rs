//! Changes of a digital twin in JSON Patch, as changes of desired properties.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tracker_protocol::hub::replacement;

use super::component::{MARK, is_component};
use crate::hub::Twin;

/// Operations in one patch.
const MAX_OPERATIONS: usize = 1000;

/// What has to be merged into the desired properties of a twin so that they are as the patch wants them.
pub(in crate::hub) fn desired_of(twin: &Twin, patch: &Value) -> Result<Map<String, Value>, String> {
    let operations = patch.as_array().ok_or("the body has to be a JSON Patch: a list of operations")?;
    if operations.is_empty() || operations.len() > MAX_OPERATIONS {
        return Err(format!("a patch has 1 to {MAX_OPERATIONS} operations"));
    }
    let mut draft = Draft { twin, wanted: twin.properties.desired.clone(), touched: BTreeSet::new() };
    for (number, operation) in operations.iter().enumerate() {
        draft.apply(operation).map_err(|why| format!("operation {number}: {why}"))?;
    }
    Ok(draft.change())
}

/// Desired properties while they are changed.
struct Draft<'a> {
    twin: &'a Twin,
    wanted: Map<String, Value>,
    /// Members of the root that the patch names.
    touched: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Add,
    Replace,
    Remove,
}

impl Draft<'_> {
    fn apply(&mut self, operation: &Value) -> Result<(), String> {
        let kind = match operation["op"].as_str() {
            Some("add") => Kind::Add,
            Some("replace") => Kind::Replace,
            Some("remove") => Kind::Remove,
            _ => return Err("op has to be add, replace or remove".into()),
        };
        let path = operation["path"].as_str().ok_or("path has to be a text")?;
        let value = match (kind, operation.get("value")) {
            (Kind::Remove, _) => None,
            (_, Some(value)) if !value.is_null() => Some(value),
            _ => return Err("value is missing, or null: remove takes a property out".into()),
        };
        match &words(path)?[..] {
            [name] => self.at_root(kind, name, value),
            [component, name] => self.in_component(kind, component, name, value),
            _ => Err(format!("the path {path:?} has to be /property or /component/property")),
        }
    }

    fn at_root(&mut self, kind: Kind, name: &str, value: Option<&Value>) -> Result<(), String> {
        self.touched.insert(name.to_owned());
        let was_component = self.has_component(name);
        self.check_there(kind, self.is_there(None, name), name)?;
        let Some(value) = value else {
            return self.wanted.remove(name).map(drop).ok_or_else(|| not_wanted(name));
        };
        let value = match value.as_object().filter(|value| value.contains_key("$metadata")) {
            Some(members) => component(members),
            None if was_component => {
                return Err(format!("{name} is a component: its value has to have \"$metadata\": {{}}"));
            }
            None => value.clone(),
        };
        self.wanted.insert(name.to_owned(), value);
        Ok(())
    }

    fn in_component(
        &mut self,
        kind: Kind,
        component: &str,
        name: &str,
        value: Option<&Value>,
    ) -> Result<(), String> {
        if !self.has_component(component) {
            return Err(format!(
                "the digital twin has no component {component}: add it with {{\"op\":\"add\",\"path\":\"/{component}\",\
                 \"value\":{{\"$metadata\":{{}}}}}}"
            ));
        }
        self.check_there(kind, self.is_there(Some(component), name), name)?;
        self.touched.insert(component.to_owned());
        let members = self.wanted.entry(component).or_insert_with(|| json!({ MARK: "c" }));
        if !members.is_object() {
            *members = json!({ MARK: "c" });
        }
        let Value::Object(members) = members else { return Ok(()) };
        members.insert(MARK.into(), "c".into());
        match value {
            Some(value) => members.insert(name.to_owned(), value.clone()),
            None => Some(members.remove(name).ok_or_else(|| not_wanted(name))?),
        };
        Ok(())
    }

    fn has_component(&self, name: &str) -> bool {
        is_component(self.wanted.get(name)) || is_component(self.twin.properties.reported.get(name))
    }

    /// Whether the view has it: it is wanted, or reported.
    fn is_there(&self, component: Option<&str>, name: &str) -> bool {
        [&self.wanted, &self.twin.properties.reported].into_iter().any(|section| match component {
            None => section.contains_key(name),
            Some(component) => section.get(component).is_some_and(|members| members.get(name).is_some()),
        })
    }

    fn check_there(&self, kind: Kind, is_there: bool, name: &str) -> Result<(), String> {
        if kind == Kind::Add || is_there {
            return Ok(());
        }
        Err(format!("{} has no {name}", self.twin.device_id))
    }

    /// What was touched, as a merge patch.
    fn change(self) -> Map<String, Value> {
        let before = &self.twin.properties.desired;
        let change = |name: &String| match (before.get(name), self.wanted.get(name)) {
            (_, None) => Value::Null,
            (Some(Value::Object(old)), Some(Value::Object(new))) => replacement(old, new).into(),
            (_, Some(new)) => new.clone(),
        };
        self.touched.iter().map(|name| (name.clone(), change(name))).collect()
    }
}

/// A component as desired properties have it.
fn component(members: &Map<String, Value>) -> Value {
    let mut members = members.clone();
    members.remove("$metadata");
    members.insert(MARK.into(), "c".into());
    members.into()
}

fn not_wanted(name: &str) -> String {
    format!("nothing is desired of {name}, so there is nothing to remove: what the device reports stays")
}

/// The words of a JSON Pointer (RFC 6901), which have to be names.
fn words(path: &str) -> Result<Vec<String>, String> {
    let rest = path.strip_prefix('/').ok_or_else(|| format!("the path {path:?} does not begin with /"))?;
    let words: Vec<String> = rest.split('/').map(|word| word.replace("~1", "/").replace("~0", "~")).collect();
    match words.iter().find(|word| word.is_empty() || word.starts_with(['$', '_'])) {
        Some(word) => Err(format!("{word:?} in the path {path:?} is no name of a property or component")),
        None => Ok(words),
    }
}
