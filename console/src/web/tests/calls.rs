//! What is asked of the backend, and how bad input and trouble are answered.

use axum::http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Desk;
use super::backend::DEVICE;

fn path(call: &str) -> String {
    format!("/api/devices/{}{call}", utf8_percent_encode(DEVICE, NON_ALPHANUMERIC))
}

#[tokio::test]
async fn a_device_whose_name_is_markup_is_called_like_any_other() {
    let desk = Desk::new(false);
    for (method, call, body) in [
        (Method::PATCH, "", r#"{"status":"disabled"}"#),
        (Method::PATCH, "/twin", r#"{"properties":{"desired":{"telemetryInterval":10}}}"#),
        (Method::POST, "/methods", r#"{"name":"ping","payload":{}}"#),
        (Method::POST, "/messages", r#"{"body":"hello"}"#),
        (Method::POST, "/acknowledge", r#"{"alarm":"temperature","by":"Kim"}"#),
        (Method::POST, "/move", r#"{"hub":"hub-2"}"#),
        (Method::POST, "/verify", ""),
        (Method::POST, "/deprovision", ""),
        (Method::DELETE, "", ""),
    ] {
        let answer = desk.change(method, &path(call), body).await;
        assert_eq!(answer.status, StatusCode::OK, "{call}: {}", answer.json());
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let wanted = [
        "set_status",
        "update_twin",
        "ping",
        "send",
        "acknowledgeAlarm",
        "move_to",
        "verify",
        "deprovision",
        "delete_device",
    ];
    assert_eq!(desk.backend.calls(), wanted);
}

#[tokio::test]
async fn bad_input_is_answered_with_the_member() {
    let desk = Desk::new(false);
    let post = Method::POST;
    for (method, path, body, member) in [
        (&post, "/api/time", r#"{"speed":0}"#, "speed"),
        (&post, "/api/time", r#"{"speed":1e9}"#, "speed"),
        (&post, "/api/time", r#"{"isPaused":"yes"}"#, "isPaused"),
        (&post, "/api/faults", r#"{"kind":"latency","devices":"all"}"#, "latencyMs"),
        (&post, "/api/faults", r#"{"kind":"throttle","devices":"all","perSecond":0}"#, "perSecond"),
        (&post, "/api/faults", r#"{"kind":"blackHole","devices":[]}"#, "devices"),
        (&post, "/api/faults", r#"{"kind":"blackHole","devices":"all","seconds":0}"#, "seconds"),
        (&post, "/api/faults", r#"{"kind":"blackHole","devices":"all","latencyMs":5}"#, "latencyMs"),
        (&post, &path("/methods"), r#"{"name":"","payload":1}"#, "name"),
        (&post, &path("/methods"), r#"{"name":"x","timeoutSeconds":2}"#, "timeoutSeconds"),
        (&post, &path("/acknowledge"), r#"{"alarm":"temperature","by":"  "}"#, "by"),
        (&Method::PATCH, &path("/twin"), r#"{"properties":{"desired":[]}}"#, "properties.desired"),
        (&Method::PATCH, &path(""), r#"{"status":"broken"}"#, "status"),
        (&Method::GET, "/api/fleet?at=noon", "", "at"),
        (&Method::GET, "/api/tails?points=-1", "", "points"),
        (&Method::GET, "/api/story?limit=1&colour=red", "", "colour"),
        (&Method::GET, &path("/series?from=x"), "", "from"),
        (&Method::GET, "/api/live?after=x", "", "after"),
    ] {
        let answer = desk.ask(desk.own(method, path, body)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}");
        let error = &answer.json()["error"];
        assert_eq!(error["member"], member, "{path} {body}: {error}");
        assert!(error["message"].as_str().unwrap().ends_with(['.', '?']), "{error}");
    }
    assert_eq!(desk.backend.calls(), [""; 0]);
    let huge = format!(r#"{{"body":"{}"}}"#, "x".repeat(300_000));
    assert_eq!(
        desk.change(Method::POST, &path("/messages"), &huge).await.status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn what_the_backend_says_is_handed_on() {
    let desk = Desk::new(false);
    let unknown = desk.change(Method::POST, "/api/devices/other/deprovision", "").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (StatusCode::NOT_FOUND, "notFound"));
    let stale = r#"{"properties":{"desired":{}},"etag":"old"}"#;
    assert_eq!(desk.change(Method::PATCH, &path("/twin"), stale).await.status, StatusCode::CONFLICT);
    let refused = desk.change(Method::POST, &path("/acknowledge"), r#"{"alarm":"none","by":"Kim"}"#).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.json()["error"]["message"].as_str().unwrap().contains("no such alarm is raised"));
    assert_eq!(desk.get("/api/nothing").await.code(), "notFound");
    assert_eq!(desk.change(Method::POST, "/api/fleet", "{}").await.code(), "method");

    *desk.backend.is_away.lock().unwrap() = true;
    let away = desk.change(Method::POST, &path("/deprovision"), "").await;
    assert_eq!((away.status, away.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "away"));
    assert_eq!(desk.get("/api/session").await.json()["away"], "The emulator does not answer.");
    assert_eq!(desk.get("/api/fleet").await.status, StatusCode::OK, "what is known is shown all the same");
}

#[tokio::test]
async fn faults_come_and_go() {
    let desk = Desk::new(false);
    let wish = r#"{"kind":"blackHole","devices":["a"],"seconds":5}"#;
    assert_eq!(desk.change(Method::POST, "/api/faults", wish).await.json()["id"], 7);
    let faults = desk.get("/api/faults").await.json();
    assert_eq!(
        (&faults["faults"][0]["kind"], &faults["faults"][0]["devices"][0]),
        (&"blackHole".into(), &"a".into())
    );
    assert_eq!(desk.change(Method::DELETE, "/api/faults/x", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.change(Method::DELETE, "/api/faults/7", "").await.status, StatusCode::OK);
    assert_eq!(desk.get("/api/faults").await.json()["faults"].as_array().unwrap().len(), 0);
}
#[tokio::test]
async fn several_are_deprovisioned_and_the_others_gone_on_with() {
    let desk = Desk::new(false);
    let some = serde_json::json!({"devices": ["nobody", DEVICE]}).to_string();
    let outcome = desk.change(Method::POST, "/api/deprovision", &some).await.json();
    assert_eq!((&outcome["count"], &outcome["failures"][0]["device"]), (&1.into(), &"nobody".into()));
    let all = desk.change(Method::POST, "/api/deprovision", r#"{"devices":"all"}"#).await.json();
    assert_eq!(all["count"], 1);
}
