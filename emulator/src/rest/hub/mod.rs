//! A hub by REST (`api-version=2021-04-12` in shape), and our additions under the same host: the telemetry stream, and
//! messages to devices, for which Azure has AMQP alone.

mod bulk;
mod devices;
mod messages;
mod refusal;
mod twins;

use hyper::Method;
use serde_json::{Value, json};

pub(super) use refusal::Refusal;

use super::{
    answer::{self, Answer},
    authorize::Caller,
    call::Call,
    paging::page,
};
use crate::{
    etag::IfMatch,
    hub::{ConnectionState, DeviceStatus, Hub},
    security::access::Right,
};

pub(super) async fn respond(hub: &Hub, caller: &Caller, call: &Call) -> Result<Answer, Refusal> {
    let words = call.words();
    let need = |right: Right| {
        if caller.may(right) { Ok(()) } else { Err(Refusal::unauthorized("the policy does not allow this")) }
    };
    let id = call.segments.get(1).map(String::as_str).unwrap_or_default();
    match (&call.method, words.as_slice()) {
        (&Method::GET, ["telemetry"]) => {
            need(Right::ServiceConnect)?;
            return Ok(messages::telemetry(hub, call));
        }
        (&Method::POST, ["devices", _, "messages", "devicebound"]) => {
            need(Right::ServiceConnect)?;
            return messages::send(hub, id, call);
        }
        _ => {}
    }
    call.check_api_version().map_err(|message| Refusal::new(400_000, "InvalidProtocolVersion", message))?;
    match (&call.method, words.as_slice()) {
        (&Method::GET, ["devices"]) => {
            need(Right::RegistryRead)?;
            devices::list(hub, call)
        }
        (&Method::POST, ["devices"]) => {
            need(Right::RegistryWrite)?;
            bulk::respond(hub, call)
        }
        (&Method::POST, ["devices", "query"]) => {
            need(Right::ServiceConnect)?;
            query(hub, call)
        }
        (&Method::POST, ["devices", "keys", "regenerate"]) => {
            need(Right::RegistryWrite)?;
            devices::regenerate_keys(hub, call)
        }
        (&Method::GET, ["devices", _, "modules"]) => {
            need(Right::RegistryRead)?;
            // There are none, as their making is refused.
            hub.device(id)?;
            Ok(answer::json(200, &json!([])))
        }
        (_, ["devices" | "twins", _, "modules", ..]) => Err(Refusal::not_implemented("module identities")),
        (&Method::DELETE, ["devices", _, "commands"]) => {
            need(Right::ServiceConnect)?;
            let purged = hub.purge_messages(id)?;
            let purged = json!({"deviceId": id, "moduleId": null, "totalMessagesPurged": purged});
            Ok(answer::json(200, &purged))
        }
        (&Method::GET, ["devices", _]) => {
            need(Right::RegistryRead)?;
            Ok(devices::tagged(&hub.device(id)?))
        }
        (&Method::PUT, ["devices", _]) => {
            need(Right::RegistryWrite)?;
            devices::put(hub, id, call)
        }
        (&Method::DELETE, ["devices", _]) => {
            need(Right::RegistryWrite)?;
            hub.delete_if(id, &call.if_match().unwrap_or(IfMatch::Any))?;
            Ok(answer::no_content())
        }
        (&Method::GET, ["twins", _]) => {
            need(Right::ServiceConnect)?;
            Ok(twins::tagged(&hub.twin(id)?))
        }
        (&(Method::PATCH | Method::PUT), ["twins", _]) => {
            need(Right::ServiceConnect)?;
            twins::change(hub, id, call)
        }
        (&Method::POST, ["twins", _, "methods"]) => {
            need(Right::ServiceConnect)?;
            twins::invoke(hub, id, call).await
        }
        (&Method::GET, ["statistics", "devices"]) => {
            need(Right::RegistryRead)?;
            Ok(answer::json(200, &device_statistics(hub)))
        }
        (&Method::GET, ["statistics", "service"]) => {
            need(Right::RegistryRead)?;
            let is_connected = |state| state == ConnectionState::Connected;
            let connected =
                hub.devices().iter().filter(|device| is_connected(device.connection_state)).count();
            Ok(answer::json(200, &json!({ "connectedDeviceCount": connected })))
        }
        (&Method::GET, ["configurations"]) => {
            need(Right::RegistryRead)?;
            // There are none, as their making is refused.
            Ok(answer::json(200, &json!([])))
        }
        (_, ["configurations", ..]) => Err(Refusal::not_implemented("configurations")),
        (_, ["devices", _, "files", ..]) => Err(Refusal::not_implemented("file upload")),
        (_, ["jobs", ..]) => Err(Refusal::not_implemented("jobs")),
        (_, ["digitaltwins", ..]) => Err(Refusal::not_implemented("digital twins")),
        (_, ["messages", ..]) => Err(Refusal::not_implemented("feedback and file notifications")),
        _ => Err(Refusal::no_route(call)),
    }
}

fn query(hub: &Hub, call: &Call) -> Result<Answer, Refusal> {
    let body = call.json().map_err(Refusal::bad_request)?;
    let text = body["query"].as_str().ok_or_else(|| Refusal::bad_request("query has to be a text"))?;
    let rows = hub.query(text)?;
    let item_type = if rows.are_twins { "Twin" } else { "Raw" };
    page(call, rows.rows, item_type).map_err(Refusal::bad_request)
}

fn device_statistics(hub: &Hub) -> Value {
    let devices = hub.devices();
    let enabled = devices.iter().filter(|device| device.status == DeviceStatus::Enabled).count();
    json!({
        "totalDeviceCount": devices.len(),
        "enabledDeviceCount": enabled,
        "disabledDeviceCount": devices.len() - enabled,
    })
}
