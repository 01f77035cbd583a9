//! A JSON object a line: a reading in the members that the device sent, and which device that is.

use serde_json::Value;

use super::form::Form;
use crate::cli::cloud::readings::Row;

/// Lines of JSON.
pub(super) struct JsonLines;

impl Form for JsonLines {
    fn row(&mut self, row: &Row<'_>, out: &mut String) -> anyhow::Result<()> {
        out.push_str(&object(row)?.to_string());
        out.push('\n');
        Ok(())
    }
}

/// A reading as an object.
pub(in crate::cli::cloud) fn object(row: &Row<'_>) -> anyhow::Result<Value> {
    let mut object = serde_json::Map::new();
    object.insert("deviceId".into(), row.device.into());
    if let Value::Object(members) = serde_json::to_value(row.reading)? {
        object.extend(members);
    }
    for (name, value) in row.more.into_iter().flatten() {
        object.entry(name.as_str()).or_insert_with(|| value.clone());
    }
    Ok(Value::Object(object))
}
