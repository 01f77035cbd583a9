//! What is shown of a status in letters that no terminal obeys. As JSON it stays as it is: that has escapes of its own.

use serde_json::Value;
use tracker_protocol::printable;

use super::Seen;

impl Seen {
    /// The same without what a terminal would obey.
    #[must_use]
    pub fn printable(&self) -> Self {
        let status = self.status.as_ref().and_then(|status| {
            let value = serde_json::to_value(status).ok()?;
            serde_json::from_value(shown(value)).ok()
        });
        Self {
            status,
            absent: self.absent.as_ref().map(printable),
            troubles: self.troubles.iter().map(printable).collect(),
            age: self.age,
        }
    }
}

fn shown(value: Value) -> Value {
    match value {
        Value::String(text) => printable(text).into(),
        Value::Array(values) => values.into_iter().map(shown).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (printable(name), shown(value))).collect()
        }
        other => other,
    }
}
