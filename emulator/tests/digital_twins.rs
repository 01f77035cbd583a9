//! Digital twins, as Python's `DigitalTwinClient` and az ask for them.

use serde_json::{Value, json};

use crate::common::{
    Client, Dial, Lab,
    service::{Reply, Service},
};

const VERSION: &str = "api-version=2021-04-12";
const MODEL: &str = "dtmi:com:example:TemperatureController;1";

/// A device of this model, which hears of changes and calls.
async fn online(lab: &Lab) -> Client {
    let credentials = lab.credentials("d1");
    lab.register("d1", &credentials).await;
    let dial = lab.to_hub("d1", &credentials);
    let user_name = dial
        .user_name
        .clone()
        .map(|name| format!("{name}&model-id=dtmi%3Acom%3Aexample%3ATemperatureController%3B1"));
    let mut device = Dial { user_name, ..dial }.connect().await.expect("the hub lets in");
    for filter in ["$iothub/methods/POST/#", "$iothub/twin/PATCH/properties/desired/#", "$iothub/twin/res/#"]
    {
        device.subscribe(filter).await;
    }
    device
}

async fn patch(service: &Service, operations: &Value) -> Reply {
    let target = format!("/digitaltwins/d1?{VERSION}");
    service.call("PATCH", &target, &[("If-Match", "*")], &operations.to_string()).await
}

#[tokio::test]
async fn a_digital_twin_shows_both_sides_and_is_changed_by_json_patch() {
    let lab = Lab::start().await;
    let service = Service::hub(&lab.emulator);
    let mut device = online(&lab).await;
    let reported = json!({
        "serialNumber": "A-1",
        "telemetryInterval": {"value": 5, "ac": 200, "av": 1, "ad": "as wished"},
        "thermostat1": {"__t": "c", "maxTemp": 25.5},
    });
    device.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", reported.to_string()).await;
    device.message().await;

    let target = format!("/digitaltwins/d1?{VERSION}");
    let shown = service.get(&target).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    let twin = &shown.body;
    assert_eq!((&twin["$dtId"], &twin["$metadata"]["$model"]), (&json!("d1"), &json!(MODEL)));
    assert_eq!((&twin["serialNumber"], &twin["telemetryInterval"]), (&json!("A-1"), &json!(5)));
    let mut told = twin["$metadata"]["telemetryInterval"].clone();
    assert!(told["lastUpdateTime"].take().as_str().is_some_and(|time| time.ends_with('Z')), "{twin}");
    let wanted = json!({
        "desiredValue": 5, "desiredVersion": 1, "ackVersion": 1, "ackCode": 200, "ackDescription": "as wished",
        "lastUpdateTime": null,
    });
    assert_eq!(told, wanted);
    // Wanted, and not reported: it has no value yet.
    assert!(
        twin.get("firmware").is_none() && twin["$metadata"]["firmware"]["desiredValue"] == "1.0.0",
        "{twin}"
    );
    assert_eq!(twin["thermostat1"]["maxTemp"], 25.5);
    assert!(twin["thermostat1"]["$metadata"]["maxTemp"]["lastUpdateTime"].is_string(), "{twin}");

    let changed = patch(
        &service,
        &json!([
            {"op": "add", "path": "/thermostat1/targetTemperature", "value": 21.5},
            {"op": "replace", "path": "/telemetryInterval", "value": 60},
            {"op": "remove", "path": "/firmware"},
            {"op": "add", "path": "/thermostat2", "value": {"$metadata": {}, "targetTemperature": 4}},
        ]),
    )
    .await;
    assert_eq!((changed.status, &changed.body), (202, &Value::Null));
    let etag = changed.header("etag").expect("an entity tag").to_owned();
    assert!(changed.header("location").is_some_and(|place| place.ends_with("/digitaltwins/d1")));
    let (_, pushed) = device.json_message().await;
    let expected = json!({
        "thermostat1": {"__t": "c", "targetTemperature": 21.5}, "telemetryInterval": 60, "firmware": null,
        "thermostat2": {"__t": "c", "targetTemperature": 4}, "$version": 2,
    });
    assert_eq!(pushed, expected);
    let twin = service.get(&target).await;
    assert_eq!(twin.header("etag"), Some(etag.as_str()));
    let target_temperature = &twin.body["thermostat1"]["$metadata"]["targetTemperature"];
    assert_eq!(
        (&target_temperature["desiredValue"], &target_temperature["desiredVersion"]),
        (&json!(21.5), &json!(2))
    );

    // An object is wanted as a whole.
    for value in [json!({"a": 1, "b": 2}), json!({"b": 3})] {
        let set = patch(&service, &json!([{"op": "add", "path": "/limits", "value": value}])).await;
        assert_eq!(set.status, 202, "{}", set.body);
    }
    let twin = service.get(&format!("/twins/d1?{VERSION}")).await.body;
    assert_eq!(twin["properties"]["desired"]["limits"], json!({"b": 3}));
    let stale = service
        .call("PATCH", &target, &[("If-Match", &etag)], "[{\"op\":\"remove\",\"path\":\"/limits\"}]")
        .await;
    assert_eq!((stale.status, stale.header("iothub-errorcode")), (412, Some("PreconditionFailed")));
}

#[tokio::test]
async fn what_is_no_change_of_a_digital_twin_is_refused_by_name() {
    let lab = Lab::start().await;
    let service = Service::hub(&lab.emulator);
    online(&lab).await.disconnect().await;
    for (operations, part) in [
        (json!({}), "a list of operations"),
        (json!([]), "1 to 1000 operations"),
        (json!([{"op": "move", "path": "/a", "from": "/b"}]), "op has to be add, replace or remove"),
        (json!([{"op": "add", "path": "a", "value": 1}]), "does not begin with /"),
        (json!([{"op": "add", "path": "/a", "value": null}]), "remove takes a property out"),
        (json!([{"op": "add", "path": "/a/b/c", "value": 1}]), "/property or /component/property"),
        (json!([{"op": "add", "path": "/$metadata/a", "value": 1}]), "is no name"),
        (json!([{"op": "add", "path": "/nowhere/b", "value": 1}]), "has no component nowhere"),
        (json!([{"op": "replace", "path": "/nothing", "value": 1}]), "d1 has no nothing"),
        (json!([{"op": "add", "path": "/a b", "value": 1}]), "the key"),
        (json!([{"op": "add", "path": "/a", "value": "x".repeat(5000)}]), "longer than 4 KB"),
    ] {
        let refused = patch(&service, &operations).await;
        let text = refused.body["Message"].as_str().unwrap_or_default();
        assert!(refused.status == 400 && text.contains(part), "{operations}: {} {text}", refused.status);
    }
    let nobody = service.get(&format!("/digitaltwins/nobody?{VERSION}")).await;
    assert_eq!((nobody.status, nobody.header("iothub-errorcode")), (404, Some("DeviceNotFound")));
    assert_eq!(service.get(&format!("/digitaltwins/d1%2Fmodules%2Fm?{VERSION}")).await.status, 404);
}

#[tokio::test]
async fn commands_are_methods_of_the_device_or_of_a_component() {
    let lab = Lab::start().await;
    let service = Service::hub(&lab.emulator);
    let mut device = online(&lab).await;
    for (path, name, body, answer) in [
        ("commands/reboot", "reboot", "5", r#"{"took":5}"#),
        (
            "components/thermostat1/commands/getReport",
            "thermostat1*getReport",
            "\"2026-01-01T00:00:00Z\"",
            "",
        ),
    ] {
        let target = format!(
            "/digitaltwins/d1/{path}?connectTimeoutInSeconds=5&responseTimeoutInSeconds=20&{VERSION}"
        );
        let (reply, ()) = tokio::join!(service.call("POST", &target, &[], body), async {
            let (topic, payload) = device.message().await;
            let rest = topic.strip_prefix(&format!("$iothub/methods/POST/{name}/?$rid=")).expect("the name");
            assert_eq!(payload, body.as_bytes());
            device.publish(&format!("$iothub/methods/res/207/?$rid={rest}"), answer).await;
        });
        assert_eq!(
            (reply.status, reply.header("x-ms-command-statuscode")),
            (200, Some("207")),
            "{}",
            reply.body
        );
        assert!(reply.header("x-ms-request-id").is_some_and(|id| !id.is_empty()));
        assert_eq!(reply.body, serde_json::from_str::<Value>(answer).unwrap_or_default());
    }
    for bad in ["responseTimeoutInSeconds=1", "connectTimeoutInSeconds=soon"] {
        let target = format!("/digitaltwins/d1/commands/reboot?{bad}&{VERSION}");
        assert_eq!(service.call("POST", &target, &[], "1").await.status, 400, "{bad}");
    }
    let target = format!("/digitaltwins/d1/commands/reboot?{VERSION}");
    assert_eq!(service.call("POST", &target, &[], "{a: 1}").await.status, 400);
    device.disconnect().await;
    let nobody =
        service.call("POST", &format!("/digitaltwins/nobody/commands/reboot?{VERSION}"), &[], "").await;
    assert_eq!((nobody.status, nobody.header("iothub-errorcode")), (404, Some("DeviceNotFound")));
}
