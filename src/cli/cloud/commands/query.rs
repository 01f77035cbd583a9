//! `cloud query`: IoT Hub's query language.

use serde_json::{Value, json};

use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

/// Ask a hub about its devices in IoT Hub's query language.
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
        let query = Call::post(&["devices", "query"]).json(&json!({"query": self.query_command}));
        let rows = target.hub()?.list(&query, self.top)?;
        let names = columns(&rows);
        let columns: Vec<_> = names.iter().map(|(name, pointer)| (name.as_str(), pointer.as_str())).collect();
        target.output.show(&rows.into(), &columns)
    }
}

/// What the rows have, in the order of the first that has it; with where it is found (RFC 6901).
fn columns(rows: &[Value]) -> Vec<(String, String)> {
    let mut columns: Vec<(String, String)> = Vec::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
        if !columns.iter().any(|(known, _)| known == name) {
            columns.push((name.clone(), format!("/{}", name.replace('~', "~0").replace('/', "~1"))));
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_of_all_rows() {
        let names: Vec<_> = columns(&[json!({"a": 1}), json!({"a": 2, "b/c": 3})]).into_iter().collect();
        assert_eq!(names, [("a".into(), "/a".into()), ("b/c".into(), "/b~1c".into())]);
        assert!(columns(&[]).is_empty());
    }
}
