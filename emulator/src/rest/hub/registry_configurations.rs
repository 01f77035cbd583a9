//! Configurations in export and import of the registry: a blob with a line of JSON for each (`ImportConfiguration`).

use serde_json::{Value, json};

use super::{HubRefusal, configurations::read_configuration};
use crate::{etag::IfMatch, hub::Hub};

/// The only mode that there is.
const MODE: &str = "createOrUpdateIfMatchETag";

/// More than a hub can have.
const ALL: usize = 10_000;

/// All of them, without what they count.
pub(super) fn written(hub: &Hub) -> String {
    let lines = hub.configurations(ALL).into_iter().map(|configuration| {
        let mut line = json!(configuration);
        line["importMode"] = MODE.into();
        for metrics in ["metrics", "systemMetrics"] {
            if let Some(members) = line[metrics].as_object_mut() {
                members.remove("results");
            }
        }
        line.to_string() + "\n"
    });
    lines.collect()
}

/// Makes what each line says, or changes it if its entity tag is that of the line; gives what could not be done.
pub(super) fn enter(hub: &Hub, text: &str) -> Vec<Value> {
    let text = text.trim_start_matches('\u{feff}');
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines.filter_map(|(line, number)| enter_one(hub, line, number).err()).collect()
}

fn enter_one(hub: &Hub, line: &str, number: usize) -> Result<(), Value> {
    let wrong = |id: &str, code: &str, status: String| json!({ "line": number, "configurationId": id, "errorCode": code, "errorStatus": status, "operation": MODE });
    let mut entry: Value = serde_json::from_str(line)
        .map_err(|error| wrong("", "ArgumentInvalid", format!("no JSON at column {}", error.column())))?;
    let id = entry["id"].as_str().unwrap_or_default().to_owned();
    let mode = entry["importMode"].as_str().unwrap_or(MODE);
    if !mode.eq_ignore_ascii_case(MODE) {
        let known = format!("the importMode \"{mode}\" is unknown: configurations have {MODE}");
        return Err(wrong(&id, "ArgumentInvalid", known.chars().take(300).collect()));
    }
    let condition = hub.configuration(&id).is_ok().then(|| match entry["etag"].as_str() {
        None | Some("" | "*") => IfMatch::Any,
        Some(etag) => IfMatch::ETag(etag.trim_matches('"').to_owned()),
    });
    if let Some(members) = entry.as_object_mut() {
        members.remove("importMode");
    }
    let entered = read_configuration(entry, &id).and_then(|configuration| {
        hub.put_configuration(configuration, condition.as_ref()).map_err(HubRefusal::from)
    });
    entered.map(drop).map_err(|refusal| wrong(&id, refusal.name, refusal.message))
}
