//! Export and import of the registry: a blob with a line of JSON for each device (`ExportImportDevice`).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{HubRefusal, bulk::apply, registry_configurations};
use crate::{
    hub::{ContainerAt, Device, Hub, JobOrder, RegistryJobKind, Twin, container_at},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
    storage::{BlobName, ContainerName, StorageError},
};

/// What devices are written to and read from, unless the job says otherwise.
const DEVICES: &str = "devices.txt";
/// What configurations are.
const CONFIGURATIONS: &str = "configurations.txt";
/// What could not be imported.
const ERRORS: &str = "importErrors.log";
/// The largest file that is imported.
const MAX_IMPORT: u64 = 256 * 1024 * 1024;
/// Devices between two looks at whether the job is to go on.
const STEP: usize = 50;
/// Edge devices one above the other, and the modules of the lowest.
const LAYERS: usize = 6;
/// How long the URI of a container is good that is made here, in hours.
const CONTAINER_HOURS: i64 = 24;

/// Makes a container of the storage, if it is not there, and gives a URI that permits all of it for a day. An addition of ours.
pub(super) fn make_container(hub: &Hub, name: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let now = hub.now();
    let name = ContainerName::parse(name).map_err(refused)?;
    let until = now + chrono::TimeDelta::hours(CONTAINER_HOURS);
    let signature = hub.open_container(&name, until)?;
    let uri = format!("https://{}/{}{signature}", call.host(), name.as_str());
    Ok(answer::json(200, &json!({ "name": name.as_str(), "uri": uri, "expires": until })))
}

pub(super) fn list(hub: &Hub) -> Answer {
    answer::json(200, &hub.registry_jobs())
}

pub(super) fn get(hub: &Hub, job_id: &str) -> Result<Answer, HubRefusal> {
    Ok(answer::json(200, &hub.registry_job(job_id)?))
}

pub(super) fn cancel(hub: &Hub, job_id: &str) -> Result<Answer, HubRefusal> {
    Ok(answer::json(200, &hub.cancel_registry_job(job_id)?))
}

/// Begins a job, which goes on by itself.
pub(super) fn create(hub: &Hub, call: &Call) -> Result<Answer, HubRefusal> {
    let body = call.json().map_err(HubRefusal::bad_request)?;
    let order = order(hub, &body, hub.now())?;
    let job = hub.begin_registry_job(&order)?;
    let (hub, job_id) = (hub.clone(), job.job_id.clone());
    tokio::task::spawn_blocking(move || {
        let result = match order.kind {
            RegistryJobKind::Export => export(&hub, &job_id, &order),
            RegistryJobKind::Import => import(&hub, &job_id, &order),
        };
        hub.end_registry_job(&job_id, result);
    });
    Ok(answer::json(200, &job))
}

fn order(hub: &Hub, body: &Value, now: DateTime<Utc>) -> Result<JobOrder, HubRefusal> {
    let kind = match body["type"].as_str().unwrap_or_default() {
        kind if kind.eq_ignore_ascii_case("export") => RegistryJobKind::Export,
        kind if kind.eq_ignore_ascii_case("import") => RegistryJobKind::Import,
        _ => return Err(HubRefusal::bad_request("type has to be export or import")),
    };
    if body["storageAuthenticationType"]
        .as_str()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("identityBased"))
    {
        return Err(HubRefusal::not_implemented(
            "identityBased access to storage: give URIs with signatures",
        ));
    }
    let container = |member: &str, needed: &str| -> Result<ContainerAt, HubRefusal> {
        let uri = body[member].as_str().filter(|uri| !uri.is_empty());
        let uri =
            uri.ok_or_else(|| HubRefusal::bad_request(format!("{member} has to be the URI of a container")))?;
        container_at(hub.storage(), uri, needed, now).map_err(|error| {
            HubRefusal::new(400_000, "BlobContainerValidationError", format!("{member}: {error}"))
        })
    };
    let blob_or = |member: &str, usual: &str| {
        let name = body[member].as_str().filter(|name| !name.is_empty()).unwrap_or(usual).to_owned();
        let checked = BlobName::new(ContainerName::of_uploads("x"), &name);
        checked.map(|_| name).map_err(|error| HubRefusal::bad_request(format!("{member}: {}", error.message)))
    };
    let blob = |member: &str| blob_or(member, DEVICES);
    let with_configurations = body["includeConfigurations"].as_bool() == Some(true);
    let configurations_blob =
        with_configurations.then(|| blob_or("configurationsBlobName", CONFIGURATIONS)).transpose()?;
    Ok(JobOrder {
        kind,
        input: match kind {
            RegistryJobKind::Import => Some(container("inputBlobContainerUri", "r")?),
            RegistryJobKind::Export => None,
        },
        input_blob: blob("inputBlobName")?,
        output: container("outputBlobContainerUri", "w")?,
        output_blob: blob("outputBlobName")?,
        exclude_keys: body["excludeKeysInExport"].as_bool().unwrap_or(false),
        configurations_blob,
    })
}

/// Writes all devices. `Err` says why not.
fn export(hub: &Hub, job_id: &str, order: &JobOrder) -> Result<(), String> {
    let twins = hub.twins();
    let count = twins.len().max(1);
    let mut text = String::new();
    for (index, twin) in twins.iter().enumerate() {
        if index % STEP == 0 && !hub.registry_job_progress(job_id, percent(index, count)) {
            return Ok(());
        }
        // One that was deleted meanwhile is left out.
        if let Ok(device) = hub.device(&twin.device_id) {
            text += &line(&device, twin, order.exclude_keys).to_string();
            text.push('\n');
        }
    }
    for twin in hub.module_twins() {
        let module_id = twin.module_id.clone().unwrap_or_default();
        if let Ok(module) = hub.module(&twin.device_id, &module_id) {
            let mut line = json!({ "id": twin.device_id, "moduleId": module_id, "eTag": module.etag });
            line["authentication"] = without_keys(json!(module.authentication), order.exclude_keys);
            line["twinETag"] = twin.etag.into();
            line["tags"] = json!(twin.tags);
            line["properties"] = json!(twin.properties);
            text += &line.to_string();
            text.push('\n');
        }
    }
    if let Some(name) = &order.configurations_blob {
        write(hub, &order.output, name, &registry_configurations::written(hub))?;
    }
    write(hub, &order.output, &order.output_blob, &text)
}

fn write(hub: &Hub, container: &ContainerAt, name: &str, text: &str) -> Result<(), String> {
    let blob = BlobName::new(container.name.clone(), name).map_err(|error| error.message)?;
    hub.storage().write(&blob, text.as_bytes()).map_err(|error| error.message)
}

fn read(hub: &Hub, container: &ContainerAt, name: &str) -> Result<String, String> {
    let blob = BlobName::new(container.name.clone(), name).map_err(|error| error.message)?;
    let content =
        hub.storage().read(&blob, MAX_IMPORT).map_err(|error| format!("{name}: {}", error.message))?;
    String::from_utf8(content).map_err(|_| format!("{name} is not UTF-8"))
}

fn line(device: &Device, twin: &Twin, exclude_keys: bool) -> Value {
    let authentication = without_keys(json!(device.authentication), exclude_keys);
    let mut line = json!({
        "id": device.device_id,
        "eTag": device.etag,
        "status": device.status,
        "statusReason": device.status_reason,
        "authentication": authentication,
        "capabilities": device.capabilities,
        "twinETag": twin.etag,
        "tags": twin.tags,
        "properties": twin.properties,
    });
    if let Some(scope) = &device.device_scope {
        line["deviceScope"] = scope.as_str().into();
        line["parentScopes"] = json!(device.parent_scopes);
    }
    line
}

fn without_keys(mut authentication: Value, exclude_keys: bool) -> Value {
    if exclude_keys {
        authentication["symmetricKey"] = json!({ "primaryKey": null, "secondaryKey": null });
    }
    authentication
}

/// Does what each line says; what can't be done is written to the output.
fn import(hub: &Hub, job_id: &str, order: &JobOrder) -> Result<(), String> {
    let input = order.input.as_ref().ok_or("there is nothing to import")?;
    let text = read(hub, input, &order.input_blob)?;
    let configurations = order.configurations_blob.as_ref().map(|name| read(hub, input, name)).transpose()?;
    let text = text.trim_start_matches('\u{feff}');
    let count = text.lines().count().max(1);
    let mut failed = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if index % STEP == 0 && !hub.registry_job_progress(job_id, percent(index, count)) {
            break;
        }
        if let Err(error) = enter(hub, line, index + 1) {
            failed.push((index, line, error));
        }
    }
    later(hub, &mut failed);
    let configurations = configurations.map(|text| registry_configurations::enter(hub, &text));
    let failed = failed.into_iter().map(|(.., error)| error).chain(configurations.into_iter().flatten());
    let errors: String = failed.map(|error| error.to_string() + "\n").collect();
    if errors.is_empty() { Ok(()) } else { write(hub, &order.output, ERRORS, &errors) }
}

/// Tries those anew that are below others, which may have come behind them, and modules of such devices.
fn later(hub: &Hub, failed: &mut Vec<(usize, &str, Value)>) {
    for _ in 0..LAYERS {
        let before = failed.len();
        failed.retain_mut(|(index, line, error)| {
            let is_below = line.contains("\"parentScopes\"") || line.contains("\"moduleId\"");
            match is_below.then(|| enter(hub, line, *index + 1)) {
                Some(Ok(())) => false,
                Some(Err(now)) => {
                    *error = now;
                    true
                }
                None => true,
            }
        });
        if failed.len() == before {
            return;
        }
    }
}

fn enter(hub: &Hub, line: &str, number: usize) -> Result<(), Value> {
    let wrong = |id: &str, code: &str, status: String, mode: &str| json!({ "line": number, "deviceId": id, "errorCode": code, "errorStatus": status, "operation": mode });
    let entry: Value = serde_json::from_str(line)
        .map_err(|error| wrong("", "ArgumentInvalid", format!("no JSON at column {}", error.column()), ""))?;
    let id = entry["id"].as_str().unwrap_or_default();
    // As Azure has it where a line says nothing.
    let mode = entry["importMode"].as_str().unwrap_or("createOrUpdate");
    apply(hub, &entry, id, mode).map_err(|refusal| wrong(id, refusal.name, refusal.message, mode))
}

fn percent(index: usize, count: usize) -> u8 {
    u8::try_from(index * 100 / count).unwrap_or(99)
}

fn refused(error: StorageError) -> HubRefusal {
    HubRefusal::from(crate::hub::HubError::from(error))
}
