//! What a job is asked to be, and what it can't be.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{
    super::{
        HubError,
        method_rules::check_call,
        query::{Collection, Scope},
        twin_rules::check,
    },
    kind::JobKind,
    model::Work,
};

/// The longest time a job may take unless it says otherwise, in seconds.
const DEFAULT_MAX_SECONDS: u64 = 3600;
/// A year: no job of anybody's takes longer.
const MAX_SECONDS: u64 = 366 * 24 * 3600;

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct JobRequest {
    pub id: String,
    pub(in crate::hub) condition: String,
    /// At once, if there is none.
    pub(in crate::hub) start: Option<DateTime<Utc>>,
    pub(in crate::hub) max_seconds: u64,
    pub(in crate::hub) work: Work,
}

/// As it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    #[serde(default)]
    job_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    query_condition: Option<String>,
    start_time: Option<String>,
    #[serde(default)]
    max_execution_time_in_seconds: Value,
    #[serde(default)]
    update_twin: Value,
    #[serde(borrow)]
    cloud_to_device_method: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenMethod {
    method_name: Option<String>,
    /// As older clients call it.
    #[serde(default)]
    timeout_in_seconds: Value,
    #[serde(default)]
    response_timeout_in_seconds: Value,
    #[serde(default)]
    connect_timeout_in_seconds: Value,
}

impl JobRequest {
    /// Reads what somebody asks for in JSON, under the ID in the path.
    pub(crate) fn read(id: &str, body: &[u8]) -> Result<Self, HubError> {
        Self::of(id, body).map_err(HubError::ArgumentInvalid)
    }

    fn of(id: &str, body: &[u8]) -> Result<Self, String> {
        check_id(id)?;
        let written: Written<'_> =
            serde_json::from_slice(body).map_err(|why| format!("the job is not as it has to be: {why}"))?;
        if written.job_id.is_some_and(|named| named != id) {
            return Err("jobId in the body is not the one in the path".into());
        }
        let kind = written.kind.as_deref().unwrap_or_default();
        let kind = JobKind::named(kind).ok_or("type has to be scheduleUpdateTwin or scheduleDeviceMethod")?;
        let condition = written.query_condition.unwrap_or_default();
        if condition.trim().is_empty() {
            return Err("queryCondition is missing: * means all devices".into());
        }
        let scope = Scope::parse(&condition).map_err(|why| format!("queryCondition: {why}"))?;
        if scope.collection != Collection::Devices {
            return Err("queryCondition: a job is for devices".into());
        }
        let max_seconds = match &written.max_execution_time_in_seconds {
            Value::Null => DEFAULT_MAX_SECONDS,
            given => whole(given, 1..=MAX_SECONDS)
                .ok_or_else(|| format!("maxExecutionTimeInSeconds has to be 1 to {MAX_SECONDS}"))?,
        };
        let start =
            written.start_time.as_deref().filter(|text| !text.trim().is_empty()).map(time).transpose()?;
        let work = match kind {
            JobKind::ScheduleUpdateTwin => update_twin(written.update_twin)?,
            JobKind::ScheduleDeviceMethod => device_method(written.cloud_to_device_method)?,
        };
        Ok(Self { id: id.to_owned(), condition, start, max_seconds, work })
    }
}

/// Printable ASCII without what separates words in HTTP, as Azure's guide says.
fn check_id(id: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_graphic() && !"$()<>@,;:\\\"/[]?={}".contains(c);
    if id.is_empty() || id.len() > 128 || !id.chars().all(allowed) {
        return Err(
            "that can't be the id of a job: 1 to 128 of printable ASCII without $()<>@,;:\\\"/[]?={}".into(),
        );
    }
    Ok(())
}

/// A time in ISO 8601; without a zone it is UTC.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    zoned
        .or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc()))
        .map_err(|_| "startTime is not a time such as 2026-01-31T12:00:00Z".to_owned())
}

/// A whole number, which some tools send as text.
fn whole(given: &Value, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    let number = match given {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| range.contains(number))
}

fn update_twin(shown: Value) -> Result<Work, String> {
    if !shown.is_object() {
        return Err("scheduleUpdateTwin needs updateTwin, a part of a twin".into());
    }
    if !matches!(shown["etag"].as_str(), None | Some("" | "*" | "\"*\"")) {
        return Err("updateTwin.etag has to be *: a job changes many twins".into());
    }
    let section = |name: &str, value: &Value| -> Result<Option<Map<String, Value>>, String> {
        match value {
            Value::Null => Ok(None),
            Value::Object(object) => Ok(Some(object.clone())),
            _ => Err(format!("updateTwin.{name} is not a JSON object")),
        }
    };
    let properties = section("properties", &shown["properties"])?.unwrap_or_default();
    let desired = properties.get("desired").unwrap_or(&Value::Null);
    let tags = section("tags", &shown["tags"])?;
    let desired = section("properties.desired", desired)?;
    for changed in [&tags, &desired].into_iter().flatten() {
        check(changed).map_err(|why| format!("updateTwin: {why}"))?;
    }
    Ok(Work::UpdateTwin { tags, desired, shown })
}

fn device_method(written: Option<&RawValue>) -> Result<Work, String> {
    let written = written.ok_or("scheduleDeviceMethod needs cloudToDeviceMethod")?.get();
    let wrong = |why: serde_json::Error| format!("cloudToDeviceMethod is not as it has to be: {why}");
    let shown: Value = serde_json::from_str(written).map_err(wrong)?;
    let method: WrittenMethod = serde_json::from_str(written).map_err(wrong)?;
    // A payload that is null is one; a payload that is not there is none.
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(written).map_err(wrong)?;
    let seconds = |given: &Value, name: &str, least: u64| match given {
        Value::Null => Ok(None),
        given => whole(given, least..=300)
            .map(Some)
            .ok_or_else(|| format!("cloudToDeviceMethod.{name} has to be {least} to 300")),
    };
    let response = seconds(&method.response_timeout_in_seconds, "responseTimeoutInSeconds", 5)?.or(seconds(
        &method.timeout_in_seconds,
        "timeoutInSeconds",
        5,
    )?);
    let connect = seconds(&method.connect_timeout_in_seconds, "connectTimeoutInSeconds", 0)?;
    let name = method.method_name.unwrap_or_default();
    let payload = members.get("payload").map(|payload| payload.get().to_owned()).unwrap_or_default();
    check_call(&name, &payload).map_err(|why| format!("cloudToDeviceMethod: {why}"))?;
    Ok(Work::DeviceMethod {
        shown,
        name,
        payload,
        response_seconds: response.unwrap_or(30),
        connect_seconds: connect.unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(body: &Value) -> String {
        JobRequest::read("j", body.to_string().as_bytes()).expect_err("refused").to_string()
    }

    #[test]
    fn what_can_not_be_is_refused_by_name() {
        let twin = json!({"tags": {"a": 1}});
        for (body, part) in [
            (json!([]), "is not as it has to be"),
            (json!({"jobId": "k"}), "not the one in the path"),
            (json!({"type": "export"}), "type has to be"),
            (json!({"type": "scheduleUpdateTwin", "updateTwin": twin}), "queryCondition is missing"),
            (json!({"type": "scheduleUpdateTwin", "queryCondition": "a ="}), "queryCondition: "),
            (json!({"type": "scheduleUpdateTwin", "queryCondition": "FROM devices.jobs"}), "is for devices"),
            (json!({"type": "scheduleUpdateTwin", "queryCondition": "*"}), "needs updateTwin"),
            (
                json!({"type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": {"etag": "x"}}),
                "has to be *",
            ),
            (
                json!({"type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": {"tags": {"a.b": 1}}}),
                "the key \"a.b\"",
            ),
            (
                json!({"type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": twin, "startTime": "soon"}),
                "startTime is not a time",
            ),
            (
                json!({"type": "scheduleUpdateTwin", "queryCondition": "*", "updateTwin": twin,
                       "maxExecutionTimeInSeconds": 0}),
                "maxExecutionTimeInSeconds",
            ),
            (json!({"type": "scheduleDeviceMethod", "queryCondition": "*"}), "needs cloudToDeviceMethod"),
            (
                json!({"type": "scheduleDeviceMethod", "queryCondition": "*", "cloudToDeviceMethod": {}}),
                "cannot be the name of a method",
            ),
            (
                json!({"type": "scheduleDeviceMethod", "queryCondition": "*",
                       "cloudToDeviceMethod": {"methodName": "m", "responseTimeoutInSeconds": 1}}),
                "responseTimeoutInSeconds has to be 5 to 300",
            ),
        ] {
            let why = refusal(&body);
            assert!(why.contains(part), "{body}: {why}");
        }
        assert!(JobRequest::read("a/b", b"{}").is_err());
    }

    #[test]
    fn a_payload_stays_as_it_is_written_and_times_need_no_zone() {
        let body =
            br#"{"type":"scheduleDeviceMethod","queryCondition":"*","startTime":"2026-12-05T10:00:00.5",
            "cloudToDeviceMethod":{"methodName":"m","payload":{"b": 1.0, "a":2}, "timeoutInSeconds":"7"}}"#;
        let request = JobRequest::read("j", body).expect("a job");
        let Work::DeviceMethod { payload, response_seconds, .. } = request.work else { panic!("a method") };
        assert_eq!((payload.as_str(), response_seconds), (r#"{"b": 1.0, "a":2}"#, 7));
        let null = br#"{"type":"scheduleDeviceMethod","queryCondition":"*","cloudToDeviceMethod":{"methodName":"m","payload":null}}"#;
        let null = JobRequest::read("j", null).expect("a job").work;
        assert!(matches!(null, Work::DeviceMethod { payload, .. } if payload == "null"));
        assert_eq!(request.start.map(|start| start.timestamp_millis()), Some(1_796_464_800_500));
    }
}
