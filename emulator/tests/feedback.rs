//! What the service is told of its messages to devices.

use std::sync::Arc;

use crate::common::{
    Lab, PATIENCE,
    service::{Reply, Service},
};
use chrono::{DateTime, TimeDelta};
use serde_json::json;
use tracker_emulator::{Acknowledgement, CloudToDeviceMessage, Emulator, Hub, ManualClock};

const FEEDBACK: &str = "/messages/serviceBound/feedback";
const VERSION: &str = "api-version=2021-04-12";

fn asking(id: &str, ack: Acknowledgement) -> CloudToDeviceMessage {
    CloudToDeviceMessage { message_id: Some(id.into()), ack, ..CloudToDeviceMessage::default() }
}

async fn receive(service: &Service) -> Reply {
    service.get(&format!("{FEEDBACK}?{VERSION}")).await
}

async fn settle(service: &Service, method: &str, reply: &Reply, rest: &str) -> u16 {
    let lock = reply.header("etag").expect("a lock").trim_matches('"');
    service.call(method, &format!("{FEEDBACK}/{lock}{rest}?{VERSION}"), &[], "").await.status
}

fn told(reply: &Reply) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let records = reply.body.as_array().expect("records").iter();
    records.map(|record| (text(&record["originalMessageId"]), text(&record["statusCode"]))).collect()
}

fn pair(id: &str, outcome: &str) -> (String, String) {
    (id.to_owned(), outcome.to_owned())
}

fn hub_of(lab: &Lab) -> Hub {
    lab.emulator.hub("hub-1").expect("the hub")
}

#[tokio::test]
async fn an_acknowledgement_by_mqtt_is_told_to_the_service_until_it_has_it() {
    let lab = Lab::start().await;
    let service = Service::hub(&lab.emulator);
    assert_eq!(receive(&service).await.status, 204);
    let mut device = lab.online("d1").await;
    device.subscribe("devices/d1/messages/devicebound/#").await;
    let headers = [("iothub-messageid", "m-1"), ("iothub-ack", "Full")];
    let target = format!("/devices/d1/messages/deviceBound?{VERSION}");
    assert_eq!(service.call("POST", &target, &headers, "hello").await.status, 204);
    let (topic, _) = device.message().await;
    assert!(topic.contains("iothub-ack=full"), "{topic}");
    hub_of(&lab).send("d1", asking("m-2", Acknowledgement::Negative)).expect("room");
    device.message().await;
    let waits = async {
        loop {
            let reply = receive(&service).await;
            if reply.status == 200 {
                return reply;
            }
            // The client acknowledges while it runs.
            let _ = tokio::time::timeout(std::time::Duration::from_millis(20), device.message()).await;
        }
    };
    let first = tokio::time::timeout(PATIENCE, waits).await.expect("it is told");
    let generation = hub_of(&lab).device("d1").expect("the device").generation_id;
    let record = &first.body[0];
    assert_eq!(first.body.as_array().map(Vec::len), Some(1), "{}", first.text);
    assert_eq!(
        (&record["originalMessageId"], &record["statusCode"], &record["description"]),
        (&json!("m-1"), &json!("Success"), &json!("Success"))
    );
    assert_eq!((&record["deviceId"], &record["deviceGenerationId"]), (&json!("d1"), &json!(generation)));
    assert_eq!(first.header("content-type"), Some("application/vnd.microsoft.iothub.feedback.json"));
    assert_eq!(receive(&service).await.status, 204, "it is under a lock");
    assert_eq!(settle(&service, "POST", &first, "/abandon").await, 204);
    let second = receive(&service).await;
    assert_eq!((second.header("iothub-deliverycount"), &second.body), (Some("1"), &first.body));
    assert_eq!(settle(&service, "DELETE", &first, "").await, 412, "that lock is over");
    assert_eq!(settle(&service, "DELETE", &second, "").await, 204);
    assert_eq!(settle(&service, "DELETE", &second, "").await, 412, "twice");
    assert_eq!(receive(&service).await.status, 204);
}

#[tokio::test]
async fn what_never_arrives_is_told_too_and_nothing_that_was_not_asked_for() {
    let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).expect("a time")));
    let emulator =
        Emulator::builder().clock(Arc::<ManualClock>::clone(&clock)).start().await.expect("it starts");
    let lab = Lab::with(emulator);
    let service = Service::hub(&lab.emulator);
    let hub = hub_of(&lab);
    for id in ["d1", "d2"] {
        let body = json!({"deviceId": id}).to_string();
        assert_eq!(service.call("PUT", &format!("/devices/{id}?{VERSION}"), &[], &body).await.status, 200);
    }
    hub.send("d1", asking("expires", Acknowledgement::Negative)).expect("room");
    hub.send("d1", asking("silent", Acknowledgement::Positive)).expect("room");
    clock.advance(TimeDelta::hours(1));
    hub.send("d2", asking("purged", Acknowledgement::Full)).expect("room");
    hub.send("d2", asking("nothing", Acknowledgement::None)).expect("room");
    assert_eq!(hub.purge_messages("d2").expect("purged"), 2);
    let mut all = Vec::new();
    loop {
        let reply = receive(&service).await;
        if reply.status == 204 {
            break;
        }
        all.extend(told(&reply));
        assert_eq!(settle(&service, "DELETE", &reply, "").await, 204);
    }
    all.sort();
    assert_eq!(all, [pair("expires", "Expired"), pair("purged", "Purged")]);
    assert_eq!(hub.device("d1").expect("the device").cloud_to_device_message_count, 0);
}

#[tokio::test]
async fn what_was_asked_for_and_what_is_not_told_yet_outlive_a_restart() {
    let state = tempfile::tempdir().expect("a directory");
    let start = || Emulator::builder().state_directory(state.path());
    let lab = Lab::with(start().start().await.expect("it starts"));
    let service = Service::hub(&lab.emulator);
    let body = json!({"deviceId": "d1"}).to_string();
    assert_eq!(service.call("PUT", &format!("/devices/d1?{VERSION}"), &[], &body).await.status, 200);
    let hub = hub_of(&lab);
    hub.send("d1", asking("m-1", Acknowledgement::Full)).expect("room");
    hub.purge_messages("d1").expect("purged");
    hub.send("d1", asking("m-2", Acknowledgement::Full)).expect("room");
    assert_eq!(receive(&service).await.status, 200, "a lock ends with the emulator");
    lab.emulator.shutdown().await;

    let emulator = start().start().await.expect("it starts again");
    let service = Service::hub(&emulator);
    emulator.hub("hub-1").expect("the hub").purge_messages("d1").expect("purged");
    let reply = receive(&service).await;
    assert_eq!(told(&reply), [pair("m-1", "Purged"), pair("m-2", "Purged")]);
    emulator.shutdown().await;
}

#[tokio::test]
async fn who_may_not_connect_as_a_service_gets_no_feedback() {
    let lab = Lab::start().await;
    let reader = Service::of(&lab.emulator, "hub-1", "registryRead");
    assert_eq!(receive(&reader).await.status, 401);
    let service = Service::hub(&lab.emulator);
    let target = format!("/devices/d1/messages/deviceBound?{VERSION}");
    let odd = service.call("POST", &target, &[("iothub-ack", "maybe")], "x").await;
    assert_eq!(odd.status, 400, "{}", odd.text);
    for (method, rest) in [("DELETE", "/no-lock"), ("POST", "/%00/abandon")] {
        let answer = service.call(method, &format!("{FEEDBACK}{rest}?{VERSION}"), &[], "").await;
        assert_eq!((answer.status, answer.header("iothub-errorcode")), (412, Some("DeviceMessageLockLost")));
    }
}
