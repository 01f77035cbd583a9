//! Enrollments as clients send them.

use serde_json::Value;

use super::{DpsRefusal, issuance_members};
use crate::dps::Enrollment;

/// Reads an enrollment as clients send it: nulls count as absent, and what the service sets is passed over.
///
/// `path_id` is the ID in the path; that of the body may be left out, and may not differ.
pub(super) fn parse<E: Enrollment>(
    mut body: Value,
    path_id: &str,
    api_version: &str,
) -> Result<E, DpsRefusal> {
    drop_nulls(&mut body);
    issuance_members::take(&mut body, api_version).map_err(DpsRefusal::bad_request)?;
    let Value::Object(members) = &mut body else {
        return Err(DpsRefusal::bad_request("the body is not a JSON object"));
    };
    for set_by_service in ["createdDateTimeUtc", "lastUpdatedDateTimeUtc", "registrationState", "etag"] {
        members.remove(set_by_service);
    }
    check_twin(members.get("initialTwin"))?;
    let id = members.entry(E::ID).or_insert_with(|| path_id.into());
    if !id.as_str().is_some_and(|id| id.eq_ignore_ascii_case(path_id)) {
        return Err(DpsRefusal::bad_request(format!(
            "{} in the body is not the one in the path, \"{path_id}\"",
            E::ID
        )));
    }
    serde_json::from_value(body)
        .map_err(|error| DpsRefusal::bad_request(format!("the body is not an enrollment: {error}")))
}

/// The same for whoever is no client. `Err` says why not, in words.
pub(crate) fn read_enrollment<E: Enrollment>(body: Value, id: &str, api_version: &str) -> Result<E, String> {
    parse(body, id, api_version).map_err(|refusal| refusal.message)
}

/// A misspelt section would be lost without a word.
fn check_twin(twin: Option<&Value>) -> Result<(), DpsRefusal> {
    let Some(twin) = twin else { return Ok(()) };
    let parts = [
        (Some(twin), "initialTwin", &["tags", "properties"][..]),
        (twin.get("properties"), "initialTwin.properties", &["desired"][..]),
    ];
    for (part, path, known) in parts {
        let mut members = part.and_then(Value::as_object).into_iter().flat_map(|members| members.keys());
        if let Some(unknown) = members.find(|name| !known.contains(&name.as_str())) {
            let unknown: String = unknown.chars().take(80).collect();
            return Err(DpsRefusal::bad_request(format!(
                "{path} has no {unknown}, but {}",
                known.join(" and ")
            )));
        }
    }
    Ok(())
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
