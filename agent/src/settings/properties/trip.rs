//! `trip`: at which fences trips begin and end by themselves.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::settings::answer::quoted;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// Characters of a fence's name.
const LONGEST_NAME: usize = 64;

/// Fences by their names, which `geofences` may have or get later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TripFences {
    /// A trip begins when this one is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_on_leaving: Option<String>,
    /// The trip under way ends when this one is entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_on_reaching: Option<String>,
}

/// `{"startsOnLeaving": NAME, "endsOnReaching": NAME}`, each of which may be left out.
#[derive(Debug)]
pub(crate) struct Trip;

impl Property for Trip {
    const NAME: &'static str = "trip";
    const UNSET: &'static str = "not set in the twin; no trip begins or ends at a fence";
    const GONE: &'static str =
        "null or removed is no pair of fences; to take them away set its members to null, one by one";

    type Value = TripFences;

    fn read(value: &Value) -> Result<TripFences, String> {
        let bad = |why: String| {
            format!(
                "it must be {{\"startsOnLeaving\": …, \"endsOnReaching\": …}}, each the name of a fence: {why}"
            )
        };
        // Of an array the fields would be taken in their order.
        if !value.is_object() {
            return Err(bad(format!("{} is no object", quoted(value))));
        }
        let fences = TripFences::deserialize(value).map_err(|error| bad(error.to_string()))?;
        let members =
            [("startsOnLeaving", &fences.starts_on_leaving), ("endsOnReaching", &fences.ends_on_reaching)];
        for (member, name) in members {
            if let Some(name) = name
                && !(1..=LONGEST_NAME).contains(&name.chars().count())
            {
                let name = quoted(&name.as_str().into());
                return Err(format!(
                    "{member}: no fence can be named {name}: 1 to {LONGEST_NAME} characters"
                ));
            }
        }
        Ok(fences)
    }

    fn default(_: &Defaults) -> TripFences {
        TripFences::default()
    }

    fn write(value: &TripFences) -> Value {
        serde_json::to_value(value).unwrap_or_else(|_| Value::Object(Map::new()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_be_no_fence_is_told_by_the_member() {
        for (value, words) in [
            (json!("yard"), "each the name of a fence: \"yard\" is no object"),
            (json!({"endsOnReaching": 7}), "each the name of a fence: invalid type"),
            (json!({"startsOnEntering": "yard"}), "unknown field `startsOnEntering`"),
            (
                json!({"startsOnLeaving": ""}),
                "startsOnLeaving: no fence can be named \"\": 1 to 64 characters",
            ),
            (json!({"endsOnReaching": "x".repeat(65)}), "endsOnReaching: no fence can be named"),
        ] {
            let error = Trip::read(&value).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(Trip::read(&json!({"startsOnLeaving": null})), Ok(TripFences::default()));
    }
}
