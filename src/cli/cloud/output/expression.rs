//! `--query`: what is printed of a result, in `JMESPath`.

use std::str::FromStr;

use anyhow::{Context, anyhow};
use serde_json::Value;

/// An expression that can be read.
#[derive(Debug, Clone)]
pub(crate) struct Expression(String);

impl FromStr for Expression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match jmespath::compile(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            // Further lines point at the place, which one line can't.
            Err(error) => {
                Err(format!("it is not JMESPath: {} at character {}", first_line(&error), error.column + 1))
            }
        }
    }
}

impl Expression {
    /// What it chooses.
    pub(super) fn search(&self, value: &Value) -> anyhow::Result<Value> {
        let told = |error: jmespath::JmespathError| anyhow!("--query: {}", first_line(&error));
        let found = jmespath::compile(&self.0).and_then(|query| query.search(value)).map_err(told)?;
        serde_json::to_value(&*found).context("--query gives something that is not JSON")
    }

    /// Where a member is named that it makes, so that columns come in that order; those that it doesn't make come last.
    pub(super) fn place_of(&self, name: &str) -> usize {
        let is_alone = |start: usize| {
            let behind = self.0.get(start + name.len()..).unwrap_or_default();
            let behind = behind.strip_prefix('"').unwrap_or(behind).trim_start();
            let before = self.0.get(..start).and_then(|before| before.chars().next_back());
            behind.starts_with(':') && before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
        };
        let mut places = self.0.match_indices(name).map(|(start, _)| start);
        places.find(|start| is_alone(*start)).unwrap_or(usize::MAX)
    }
}

fn first_line(error: &jmespath::JmespathError) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" (line ").next().unwrap_or_default();
    line.strip_prefix("Parse error: ")
        .or_else(|| line.strip_prefix("Runtime error: "))
        .unwrap_or(line)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_chooses_and_its_own_order_is_known() {
        let query: Expression = "[?n > `1`].{name: id, \"b c\": n, a: n}".parse().unwrap();
        let rows = json!([{"id": "x", "n": 1}, {"id": "y", "n": 2}]);
        assert_eq!(query.search(&rows).unwrap(), json!([{"name": "y", "b c": 2, "a": 2}]));
        let mut names = ["a", "b c", "name", "none"];
        names.sort_by_key(|name| query.place_of(name));
        assert_eq!(names, ["name", "b c", "a", "none"]);
    }

    #[test]
    fn a_mistake_is_one_sentence() {
        let error = "[].{id".parse::<Expression>().unwrap_err();
        assert!(error.starts_with("it is not JMESPath: ") && !error.contains('\n'), "{error}");
        let query: Expression = "abs('x')".parse().unwrap();
        let error = query.search(&Value::Null).unwrap_err().to_string();
        assert!(error.starts_with("--query: ") && !error.contains('\n'), "{error}");
    }
}
