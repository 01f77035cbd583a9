//! `cloud query`: IoT Hub's query language.

use serde_json::{Value, json};

use crate::cli::cloud::bulk::of_each;
use crate::cli::cloud::selected::selected;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

/// Ask a hub about its devices in IoT Hub's query language, or all hubs: rows then say of which they are.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct QueryCommand {
    /// The query, like "SELECT deviceId, tags FROM devices WHERE tags.environment = 'production'".
    #[arg(long, short = 'q', value_name = "QUERY")]
    query_command: String,
    /// This many rows at most.
    #[arg(long, value_name = "N")]
    top: Option<usize>,
}

impl QueryCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let rows = rows(target, &self.query_command, self.top)?;
        let names = columns(&rows, &selected(&self.query_command));
        let columns: Vec<_> = names.iter().map(|(name, pointer)| (name.as_str(), pointer.as_str())).collect();
        target.output.show(&rows.into(), &columns)
    }
}

/// The rows of all hubs that are meant; of several, each says of which it is.
pub(super) fn rows(target: &Target, text: &str, top: Option<usize>) -> anyhow::Result<Vec<Value>> {
    let hubs = target.hubs()?;
    let query = Call::post(&["devices", "query"]).json(&json!({"query": text}));
    let found = of_each(&hubs, |hub| hub.client.list(&query, top))?;
    let is_several = hubs.len() > 1;
    let mut all = Vec::new();
    for (hub, rows) in hubs.iter().zip(found) {
        for mut row in rows {
            if let (true, Some(members)) = (is_several, row.as_object_mut()) {
                members.insert("hub".into(), hub.label.as_str().into());
            }
            all.push(row);
        }
    }
    all.truncate(top.unwrap_or(usize::MAX));
    Ok(all)
}

/// What the rows have, in the order of SELECT, and behind it in that of the first row that has it; with where it is found
/// (RFC 6901).
fn columns(rows: &[Value], selected: &[String]) -> Vec<(String, String)> {
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let place = |name: &String| {
        let place = selected.iter().position(|one| one.eq_ignore_ascii_case(name));
        // Before all else of which hub it is, where that was added.
        if name == "hub" && place.is_none() { 0 } else { place.map_or(usize::MAX, |place| place + 1) }
    };
    names.sort_by_key(|name| place(name));
    let pointer = |name: &String| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    names.into_iter().map(|name| (name.clone(), pointer(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_of_all_rows_in_the_order_of_select() {
        let rows = [json!({"a": 1, "hub": "east"}), json!({"a": 2, "b/c": 3, "z": 1})];
        let order = |text: &str| -> Vec<String> {
            columns(&rows, &selected(text)).into_iter().map(|(_, pointer)| pointer).collect()
        };
        assert_eq!(order("SELECT z, tags.a FROM devices"), ["/hub", "/z", "/a", "/b~1c"]);
        assert_eq!(order("SELECT * FROM devices"), ["/hub", "/a", "/b~1c", "/z"]);
        assert!(columns(&[], &[]).is_empty());
    }
}
