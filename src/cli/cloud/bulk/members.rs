//! What of a twin is asked for: the members that a change is about. Whole twins are twenty times as much, and most of what a
//! change of a thousand devices would take.

use serde_json::{Map, Value};

use crate::cli::cloud::merge_patch::is_in;

/// Whether a twin, or what was asked of it, is already as it is to be.
type IsSo<'a> = Box<dyn Fn(&Value) -> bool + Sync + 'a>;

/// More of them are not named one by one.
const MOST: usize = 16;

/// Words of the query language, which are no names of members there.
const KEYWORDS: [&str; 16] = [
    "select", "top", "from", "where", "group", "by", "having", "order", "as", "and", "or", "not", "in",
    "nin", "true", "false",
];

/// What decides whether anything is to be done with a device.
pub(in crate::cli::cloud) struct Wanted<'a> {
    /// From the twin's root; `None` for all of it.
    members: Option<Vec<Vec<String>>>,
    is_so: IsSo<'a>,
}

impl<'a> Wanted<'a> {
    /// Something that no twin tells.
    pub(in crate::cli::cloud) fn unseen() -> Self {
        Self { members: Some(Vec::new()), is_so: Box::new(|_| false) }
    }

    /// What some members at the root of a twin say.
    pub(in crate::cli::cloud) fn by(members: &[&str], is_so: impl Fn(&Value) -> bool + Sync + 'a) -> Self {
        let members = members.iter().map(|member| vec![(*member).to_owned()]).collect();
        Self { members: Some(members), is_so: Box::new(is_so) }
    }

    /// That what a patch says is in the twin.
    pub(in crate::cli::cloud) fn patch(patch: &'a Value) -> Self {
        let mut members = Vec::new();
        let is_plain = gather(patch, &mut Vec::new(), &mut members) && members.len() <= MOST;
        Self { members: is_plain.then_some(members), is_so: Box::new(move |twin| is_in(twin, patch)) }
    }

    /// What a query selects.
    pub(super) fn select(&self) -> String {
        let Some(members) = &self.members else { return "SELECT *".into() };
        let mut select = "SELECT deviceId".to_owned();
        for (index, path) in members.iter().enumerate() {
            select += &format!(", {} AS {}", path.join("."), name(index));
        }
        select
    }

    /// Whether a row of the answer is of a device that is already as it is to be.
    pub(super) fn is_so(&self, row: &Value) -> bool {
        let Some(members) = &self.members else { return (self.is_so)(row) };
        let mut twin = Value::Object(Map::new());
        for (index, path) in members.iter().enumerate() {
            // What is not there is left out, or is told as null.
            let value = row.get(name(index)).filter(|value| !value.is_null());
            let Some(value) = value else { continue };
            let place = path.iter().fold(&mut twin, |place, step| &mut place[step.as_str()]);
            *place = value.clone();
        }
        (self.is_so)(&twin)
    }
}

/// What a member is called in the answer.
fn name(index: usize) -> String {
    format!("m{index}")
}

/// The paths of tags and desired properties in a patch; false if one can't be written in a query as it is.
fn gather(patch: &Value, path: &mut Vec<String>, members: &mut Vec<Vec<String>>) -> bool {
    let is_section = path.is_empty() || *path == ["properties"];
    let (Value::Object(inside), true) =
        (patch, is_section || *path == ["tags"] || *path == ["properties", "desired"])
    else {
        members.push(path.clone());
        return !is_section;
    };
    inside.iter().all(|(name, value)| {
        path.push(name.clone());
        let is_plain = is_name(name) && gather(value, path, members);
        path.pop();
        is_plain
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_asks_for_what_a_patch_is_about_and_no_more() {
        let patch = json!({"tags": {"site": "x", "old": null}, "properties": {"desired": {"alarms": {"door": {"after": 5}}}}});
        let wanted = Wanted::patch(&patch);
        assert_eq!(
            wanted.select(),
            "SELECT deviceId, properties.desired.alarms AS m0, tags.old AS m1, tags.site AS m2"
        );
        let alarms = json!({"door": {"after": 5, "on": true}});
        assert!(wanted.is_so(&json!({"deviceId": "d", "m0": alarms, "m2": "x"})));
        assert!(wanted.is_so(&json!({"deviceId": "d", "m0": alarms, "m1": null, "m2": "x"})));
        for other in [
            json!({"deviceId": "d", "m0": alarms}),
            json!({"deviceId": "d", "m0": alarms, "m1": "still there", "m2": "x"}),
            json!({"deviceId": "d", "m0": {"door": {"after": 6}}, "m2": "x"}),
            json!({"deviceId": "d"}),
        ] {
            assert!(!wanted.is_so(&other), "{other}");
        }
        assert_eq!(Wanted::unseen().select(), "SELECT deviceId");
        assert!(!Wanted::unseen().is_so(&json!({"deviceId": "d"})));
        let disabled = Wanted::by(&["status"], |twin| twin["status"] == "disabled");
        assert_eq!(disabled.select(), "SELECT deviceId, status AS m0");
        assert!(disabled.is_so(&json!({"deviceId": "d", "m0": "disabled"})));
        assert!(!disabled.is_so(&json!({"deviceId": "d", "m0": "enabled"})));
    }

    #[test]
    fn what_is_no_name_in_a_query_and_what_is_much_is_asked_for_as_a_whole() {
        let many: Map<_, _> = (0..=MOST).map(|number| (format!("tag{number}"), json!(1))).collect();
        for patch in [
            json!({"tags": {"group": 1}}),
            json!({"tags": {"a-b": 1}}),
            json!({"tags": {"Straße": 1}}),
            json!({"tags": {"2nd": 1}}),
            json!({"tags": many}),
        ] {
            let wanted = Wanted::patch(&patch);
            assert_eq!(wanted.select(), "SELECT *", "{patch}");
            assert!(wanted.is_so(&patch) && !wanted.is_so(&json!({"tags": {}})), "{patch}");
        }
    }
}
