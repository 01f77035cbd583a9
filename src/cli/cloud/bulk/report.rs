//! What became of each, and how many of which.

use serde_json::{Value, json};
use tracker_protocol::printable;

use crate::cli::cloud::output::Column;

/// What is done, in words.
#[derive(Debug, Clone)]
pub(in crate::cli::cloud) struct Verb {
    /// Noun and verb, and what else tells one such command from another.
    pub command: String,
    /// Like `disabled`.
    pub done: &'static str,
    /// Like `disabled already`.
    pub is_so: &'static str,
    /// Like `device`.
    pub thing: &'static str,
    /// The member of a row that names the thing.
    pub member: &'static str,
    /// What a table shows besides.
    pub columns: &'static [Column<'static>],
}

/// What became of one.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    ToDo,
    Done(Value),
    IsSo,
    InLedger,
    Failed(String),
    NotTried,
}

/// A row of the answer.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub id: String,
    pub hub: Option<String>,
    pub outcome: Outcome,
}

impl Verb {
    /// As JSON; `dry` says what would become of it.
    pub(super) fn row(&self, row: &Row) -> Value {
        let (word, error, result) = match &row.outcome {
            Outcome::ToDo => ("would", None, None),
            Outcome::Done(result) => ("done", None, Some(result).filter(|result| !result.is_null())),
            Outcome::IsSo | Outcome::InLedger => ("already", None, None),
            Outcome::Failed(why) => ("failed", Some(why), None),
            Outcome::NotTried => ("not tried", None, None),
        };
        let mut value = json!({(self.member): row.id, "outcome": word});
        if let Some(hub) = &row.hub {
            value["hub"] = hub.as_str().into();
        }
        if let Some(error) = error {
            value["error"] = error.as_str().into();
        }
        if let Some(result) = result {
            value["result"] = result.clone();
        }
        value
    }

    /// Like `20 devices: 17 disabled, 2 disabled already, 1 failed`.
    pub(super) fn summary(&self, rows: &[Row]) -> String {
        let count = |is: fn(&Outcome) -> bool| rows.iter().filter(|row| is(&row.outcome)).count();
        let parts = [
            (count(|outcome| matches!(outcome, Outcome::ToDo)), format!("would be {}", self.done)),
            (count(|outcome| matches!(outcome, Outcome::Done(_))), self.done.to_owned()),
            (count(|outcome| matches!(outcome, Outcome::IsSo)), self.is_so.to_owned()),
            (count(|outcome| matches!(outcome, Outcome::InLedger)), "done before, says --done".to_owned()),
            (count(|outcome| matches!(outcome, Outcome::Failed(_))), "failed".to_owned()),
            (count(|outcome| matches!(outcome, Outcome::NotTried)), "not tried".to_owned()),
        ];
        let told: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        let s = if rows.len() == 1 { "" } else { "s" };
        format!("{} {}{s}: {}", rows.len(), self.thing, told.join(", "))
    }
}

/// The first failure, with how many have the same.
pub(super) fn first_failure(rows: &[Row]) -> Option<String> {
    rows.iter().find_map(|row| match &row.outcome {
        Outcome::Failed(why) => Some(format!("{}: {}", printable(&row.id), why.trim_end_matches('.'))),
        _ => None,
    })
}
