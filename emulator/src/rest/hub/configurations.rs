//! Configurations: automatic management of devices, and deployments to edge devices.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /configurations[?top=N]` | | 200 array, with results counted now |
//! | `PUT /configurations/{id}` | configuration | 200 configuration; updates with `If-Match` |
//! | `GET`, `DELETE /configurations/{id}` | | 200 configuration, 204 |
//! | `POST /configurations/testQueries` | `{"targetCondition","customMetricQueries"}` | 200, what is wrong with them |
//! | `POST /devices/{id}/applyConfigurationContent` | content | 204 |

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::HubRefusal;
use crate::{
    etag::IfMatch,
    hub::{Configuration, ConfigurationContent, Hub, HubError},
    rest::{
        answer::{self, Answer},
        call::Call,
        paging::MAX_PAGE,
    },
};

/// Queries in one trial.
const MAX_TRIED: usize = 100;

pub(super) async fn list(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let top = call.top(MAX_PAGE).map_err(HubRefusal::bad_request)?;
    let shown = counted(hub, move |hub| Ok(hub.configurations(top))).await?;
    Ok(answer::json(200, &shown))
}

pub(super) async fn get(hub: &Hub, id: &str) -> Result<Answer, HubRefusal> {
    let id = id.to_owned();
    Ok(tagged(&counted(hub, move |hub| hub.configuration(&id)).await?))
}

/// Creates without `If-Match`, updates with it.
pub(super) async fn put(hub: &Hub, id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let named = &body["id"];
    if !named.is_null() && named.as_str() != Some(id) {
        return Err(HubRefusal::bad_request("id in the body is not the one in the path"));
    }
    let configuration = read_configuration(body, id)?;
    let condition = call.if_match();
    let made = counted(hub, move |hub| hub.put_configuration(configuration, condition.as_ref())).await?;
    Ok(tagged(&made))
}

/// A configuration of this ID from its body.
pub(super) fn read_configuration(body: Value, id: &str) -> Result<Configuration, HubRefusal> {
    // One member after the other, so that what is wrong is named.
    for (name, value) in body.as_object().into_iter().flatten() {
        read::<Configuration>(json!({ name: value }), name)?;
    }
    let mut configuration: Configuration = read(body, "the configuration")?;
    id.clone_into(&mut configuration.id);
    Ok(configuration)
}

pub(super) fn delete(hub: &Hub, id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    hub.delete_configuration(id, &call.if_match().unwrap_or(IfMatch::Any))?;
    Ok(answer::no_content())
}

pub(super) fn try_queries(call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let condition = match &body["targetCondition"] {
        Value::Null => None,
        Value::String(condition) => Some(condition.as_str()),
        _ => return Err(HubRefusal::bad_request("targetCondition has to be a text")),
    };
    let queries: BTreeMap<String, String> = match &body["customMetricQueries"] {
        Value::Null => BTreeMap::new(),
        queries => read(queries.clone(), "customMetricQueries")?,
    };
    if queries.len() > MAX_TRIED {
        return Err(HubRefusal::bad_request(format!(
            "customMetricQueries has more than {MAX_TRIED} members"
        )));
    }
    Ok(answer::json(200, &Hub::try_configuration_queries(condition, &queries)))
}

pub(super) fn apply(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let content: ConfigurationContent = read(body, "the content")?;
    hub.apply_content(device_id, &content)?;
    Ok(answer::no_content())
}

fn read<T: DeserializeOwned>(body: Value, what: &str) -> Result<T, HubRefusal> {
    serde_json::from_value(body)
        .map_err(|error| HubRefusal::bad_request(format!("{what} is not as it has to be: {error}")))
}

/// Metrics are queries over everything: they are counted where nobody else waits for them.
async fn counted<T: Send + 'static>(
    hub: &Hub,
    call: impl FnOnce(&Hub) -> Result<T, HubError> + Send + 'static,
) -> Result<T, HubRefusal> {
    let hub = hub.clone();
    let counted = tokio::task::spawn_blocking(move || call(&hub)).await;
    let counted =
        counted.map_err(|_| HubRefusal::new(500_001, "ServerError", "the metrics were not counted"))?;
    Ok(counted?)
}

fn tagged(configuration: &Configuration) -> Answer {
    let answer = answer::json(200, configuration);
    answer::with_etag(answer, configuration.etag.as_deref().unwrap_or_default())
}
