//! Uploads of files: a device asks for a place, and tells how it ended. The file itself goes to the storage.

use serde::Deserialize;

use crate::{
    hub::{Hub, UploadEnd},
    rest::{
        answer::{self, Answer},
        call::Call,
        hub::HubRefusal,
    },
};

/// What a device asks for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    blob_name: String,
}

/// A place is under the name and the port by which the device has come: there the storage is found too.
pub(super) fn begin(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let asked: Asked = body(call, "{\"blobName\": …}")?;
    Ok(answer::json(200, &hub.begin_upload(device_id, &asked.blob_name, call.host())?))
}

/// Node's devices have the number of the upload in the path, and not in the body.
pub(super) fn end(hub: &Hub, device_id: &str, call: &Call) -> Result<Answer, HubRefusal> {
    let mut end: UploadEnd = body(call, "{\"correlationId\": …, \"isSuccess\": …}")?;
    if let Some(correlation_id) = call.segments.get(4) {
        end.correlation_id.clone_from(correlation_id);
    }
    hub.end_upload(device_id, &end, call.host())?;
    Ok(answer::no_content())
}

fn body<T: for<'de> Deserialize<'de>>(call: &Call, form: &str) -> Result<T, HubRefusal> {
    serde_json::from_slice(&call.body)
        .map_err(|error| HubRefusal::bad_request(format!("the body is not {form}: {error}")))
}
