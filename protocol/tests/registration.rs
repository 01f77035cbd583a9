//! The registration state machine against every kind of answer.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use tracker_protocol::dps::{Event, Outcome, RefusalKind, Registration, Request, Step};

struct Device {
    registration: Registration,
    now: Duration,
    request_id: String,
}

const ASSIGNING: &str = r#"{"operationId":"5.ab.cd","status":"assigning"}"#;

impl Device {
    /// A device that has just published its registration.
    fn registering() -> Self {
        let mut device = Self {
            registration: Registration::new("box-1".parse().unwrap(), None),
            now: secs(0),
            request_id: String::new(),
        };
        let request = device.expect_request(Event::Subscribed);
        assert!(matches!(request, Request::Register { .. }));
        device
    }

    fn step(&mut self, event: Event<'_>) -> Step {
        self.registration.handle(self.now, 0.5, event)
    }

    fn expect_request(&mut self, event: Event<'_>) -> Request {
        let Step::Publish(publish, _) = self.step(event) else { panic!("no request") };
        let request: Request = publish.topic.parse().unwrap();
        let (Request::Register { request_id } | Request::Poll { request_id, .. }) = &request;
        self.request_id.clone_from(request_id);
        request
    }

    fn answer(&mut self, status: u16, retry_after: Option<u64>, body: &str) -> Step {
        let mut topic = format!("$dps/registrations/res/{status}/?$rid={}", self.request_id);
        if let Some(seconds) = retry_after {
            topic += &format!("&retry-after={seconds}");
        }
        self.step(Event::Message { topic: &topic, payload: body.as_bytes() })
    }

    fn outcome(&mut self, status: u16, body: &str) -> Outcome {
        match self.answer(status, None, body) {
            Step::Done(outcome) => outcome,
            other => panic!("not over: {other:?}"),
        }
    }

    /// Feeds a tick just before and at the time given, and returns the request made then.
    fn expect_request_at(&mut self, at: Duration) -> Request {
        self.now = at - Duration::from_millis(1);
        assert_eq!(self.step(Event::Tick), Step::Wait(at));
        self.now = at;
        self.expect_request(Event::Tick)
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn polls_no_sooner_than_asked_and_is_assigned() {
    let mut device = Device::registering();
    assert_eq!(device.answer(202, Some(3), ASSIGNING), Step::Wait(secs(3)));
    let poll = device.expect_request_at(secs(3));
    assert!(matches!(poll, Request::Poll { operation_id, .. } if operation_id == "5.ab.cd"));
    // Without retry-after the default of two seconds stands.
    assert_eq!(device.answer(200, None, ASSIGNING), Step::Wait(secs(5)));
    device.expect_request_at(secs(5));
    let outcome = device.outcome(
        200,
        r#"{"operationId":"5.ab.cd","status":"assigned","registrationState":{"registrationId":"box-1",
            "assignedHub":"cheese.azure-devices.net","deviceId":"box-1","substatus":"initialAssignment","payload":null}}"#,
    );
    let Outcome::Assigned(assignment) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (assignment.hub.as_str(), assignment.device_id.as_str()),
        ("cheese.azure-devices.net", "box-1")
    );
    assert_eq!(assignment.payload, None);
    assert_eq!(device.registration.requests(), 3);
}

#[test]
fn status_200_is_not_success() {
    let disabled = Device::registering().outcome(
        200,
        r#"{"operationId":"","status":"disabled","registrationState":{"registrationId":"box-1","status":"disabled"}}"#,
    );
    let Outcome::Refused(refusal) = disabled else { panic!("{disabled:?}") };
    assert_eq!(refusal.kind, RefusalKind::Disabled);
    assert_eq!(refusal.to_string(), "the enrollment of this device, or its group, is disabled in DPS");

    let failed = Device::registering().outcome(
        200,
        r#"{"operationId":"x","status":"failed","registrationState":{"errorCode":400207,
            "errorMessage":"Custom allocation failed with status code: 400"}}"#,
    );
    let Outcome::Refused(refusal) = failed else { panic!("{failed:?}") };
    assert_eq!(
        refusal.to_string(),
        "the registration failed: look at the allocation of the enrollment and at the hubs linked to the DPS (DPS says: \
         error 400207, Custom allocation failed with status code: 400)"
    );
}

#[test]
fn refusals_carry_azures_words() {
    let cases =
        [(401, RefusalKind::Unauthorized), (404, RefusalKind::NotFound), (400, RefusalKind::BadRequest)];
    for (status, kind) in cases {
        let body =
            format!(r#"{{"errorCode":{status}002,"trackingId":"t","message":"Words.","timestampUtc":"x"}}"#);
        let Outcome::Refused(refusal) = Device::registering().outcome(status, &body) else {
            panic!("{status}")
        };
        assert_eq!(refusal.kind, kind);
        assert!(
            refusal.to_string().ends_with(&format!("(DPS says: error {status}002, Words.)")),
            "{refusal}"
        );
    }
}

#[test]
fn an_error_without_a_json_body_is_still_told() {
    let Outcome::Refused(refusal) = Device::registering().outcome(401, "go away") else { panic!() };
    assert!(refusal.to_string().contains("go away"));
}

#[test]
fn throttling_is_obeyed_to_the_second_for_register_and_for_poll() {
    let mut device = Device::registering();
    let Step::Wait(until) = device.answer(429, Some(20), r#"{"errorCode":429001}"#) else { panic!() };
    assert!(until >= secs(20) && until <= secs(25), "{until:?}");
    assert!(matches!(device.expect_request_at(until), Request::Register { .. }));

    device.answer(202, Some(2), ASSIGNING);
    device.expect_request_at(until + secs(2));
    let Step::Wait(again) = device.answer(503, Some(7), "") else { panic!() };
    assert!(again >= until + secs(9), "{again:?}");
    assert!(matches!(device.expect_request_at(again), Request::Poll { .. }));
}

#[test]
fn the_wait_that_is_left_can_be_told_when_the_connection_is_lost() {
    let mut device = Device::registering();
    assert_eq!(device.registration.wait_left(secs(1)), None, "DPS has asked for nothing");
    device.now = secs(2);
    let Step::Wait(until) = device.answer(429, Some(20), "") else { panic!("no wait") };
    assert_eq!(device.registration.wait_left(secs(5)), Some(until - secs(5)));
    assert_eq!(device.registration.wait_left(until), None);
    device.expect_request_at(until);
    assert_eq!(device.registration.wait_left(until), None, "it was asked again");
}

#[test]
fn a_long_wait_is_spent_without_a_connection() {
    let Step::Done(Outcome::TryLater { retry_after, why }) =
        Device::registering().answer(429, Some(900), r#"{"errorCode":429001,"message":"Slow down"}"#)
    else {
        panic!()
    };
    assert_eq!(retry_after, Some(secs(900)));
    assert_eq!(why, "DPS is throttling (error 429001, Slow down)");
}

#[test]
fn a_service_that_keeps_failing_is_left_alone() {
    let mut device = Device::registering();
    let mut requests = 1;
    let why = loop {
        match device.answer(500, None, "{}") {
            Step::Wait(until) => {
                device.expect_request_at(until);
                requests += 1;
            }
            Step::Done(Outcome::TryLater { why, .. }) => break why,
            other => panic!("{other:?}"),
        }
        assert!(requests < 20, "it hammers");
    };
    assert_eq!(why, "DPS answered 500");
}

#[test]
fn silence_ends_the_attempt() {
    let mut device = Device::registering();
    for again in [10, 20] {
        assert!(matches!(device.expect_request_at(secs(again)), Request::Register { .. }));
    }
    device.now = secs(30);
    let Step::Done(Outcome::TryLater { why, .. }) = device.step(Event::Tick) else { panic!() };
    assert_eq!(why, "DPS did not answer within 30 s");
}

#[test]
fn an_answer_that_does_not_come_is_asked_for_again_and_any_of_them_counts() {
    let mut device = Device::registering();
    // It took 7 s until DPS had accepted the connection on which it was asked.
    device.now = secs(7);
    assert_eq!(device.step(Event::Connected), Step::Wait(secs(17)));
    let first = device.request_id.clone();
    assert!(matches!(device.expect_request_at(secs(17)), Request::Register { .. }));
    assert_ne!(device.request_id, first, "each has an ID of its own");
    device.request_id = first;
    device.now = secs(19);
    assert_eq!(device.answer(202, Some(2), ASSIGNING), Step::Wait(secs(21)), "late is not lost");
    // The same for a poll, which is asked again as it was.
    for at in [21, 31, 41] {
        assert!(
            matches!(device.expect_request_at(secs(at)), Request::Poll { operation_id, .. } if operation_id == "5.ab.cd")
        );
    }
    device.request_id = "1".into();
    assert_eq!(device.answer(401, None, "{}"), Step::Wait(secs(51)), "that was another question");
    device.request_id = "4".into();
    assert_eq!(device.answer(200, Some(3), ASSIGNING), Step::Wait(secs(44)));
}

#[test]
fn a_subscription_that_is_never_acknowledged_ends_the_attempt() {
    let mut registration = Registration::new("box-1".parse().unwrap(), None);
    assert_eq!(registration.handle(secs(1), 0.5, Event::Tick), Step::Wait(secs(31)));
    assert_eq!(registration.handle(secs(30), 0.5, Event::Tick), Step::Wait(secs(31)));
    let end = registration.handle(secs(31), 0.5, Event::Tick);
    let why = "DPS did not acknowledge the subscription".to_owned();
    assert_eq!(end, Step::Done(Outcome::TryLater { retry_after: None, why }));
    // Where it is not waited for, the same is asked a few times, and the end is the same.
    let mut registration = Registration::new("box-1".parse().unwrap(), None);
    let mut event = Event::Subscribing;
    for at in [0, 10, 20] {
        let asked = registration.handle(secs(at), 0.5, std::mem::replace(&mut event, Event::Tick));
        assert!(matches!(asked, Step::Publish(_, until) if until == secs(at + 10)), "{asked:?}");
    }
    assert_eq!(registration.handle(secs(30), 0.5, Event::Tick), end);
}

#[test]
fn a_lost_operation_is_registered_anew() {
    let mut device = Device::registering();
    device.answer(202, Some(1), ASSIGNING);
    device.expect_request_at(secs(1));
    let Step::Wait(until) = device.answer(404, None, r#"{"errorCode":404203}"#) else { panic!() };
    assert!(matches!(device.expect_request_at(until), Request::Register { .. }));
}

#[test]
fn malformed_answers_say_what_and_where() {
    let later = |status, body: &str| match Device::registering().outcome(status, body) {
        Outcome::TryLater { why, .. } => why,
        other => panic!("{other:?}"),
    };
    assert!(later(200, "{").contains("not a valid DPS registration answer: EOF"));
    assert!(later(202, r#"{"status":"assigning"}"#).contains("gave no operation ID"));
    assert!(later(200, r#"{"operationId":"x","status":"assigned"}"#).contains("names no hub (assignedHub)"));
    let mut device = Device::registering();
    let topic = "$dps/registrations/res/200/";
    let Step::Done(Outcome::TryLater { why, .. }) = device.step(Event::Message { topic, payload: b"{}" })
    else {
        panic!()
    };
    assert!(why.contains("no /? after the status"), "{why}");
}

#[test]
fn an_answer_to_another_request_is_passed_over() {
    let mut device = Device::registering();
    device.request_id = "99".into();
    assert_eq!(device.answer(401, None, "{}"), Step::Wait(secs(10)));
}

#[test]
fn no_wait_is_longer_than_a_day_whatever_dps_asks_for() {
    let day = secs(86_400);
    for seconds in
        ["0", "1", "86400", "86401", "1000000000000", "9223372036854775808", "18446744073709551615"]
    {
        for status in [202, 429, 500] {
            let mut device = Device::registering();
            let topic =
                format!("$dps/registrations/res/{status}/?$rid={}&retry-after={seconds}", device.request_id);
            let wait = match device.step(Event::Message { topic: &topic, payload: ASSIGNING.as_bytes() }) {
                Step::Wait(until) => until,
                Step::Done(Outcome::TryLater { retry_after: Some(wait), why }) => {
                    let cut = seconds.len() > 5 || seconds == "86401";
                    assert_eq!(why.contains("a longer wait than a day"), cut, "{seconds}: {why}");
                    wait
                }
                other => panic!("{status}, {seconds}: {other:?}"),
            };
            assert!(wait <= day && wait >= secs(seconds.parse().unwrap_or(u64::MAX)).min(day), "{wait:?}");
        }
    }
    // More digits than any number has are a long wait as well; a wait at the end of time overflows nothing.
    let mut device = Device::registering();
    let topic = format!("$dps/registrations/res/429/?$rid=1&retry-after={}", "9".repeat(40));
    let step = device.step(Event::Message { topic: &topic, payload: b"" });
    assert!(
        matches!(step, Step::Done(Outcome::TryLater { retry_after: Some(wait), .. }) if wait == day),
        "{step:?}"
    );
    let mut device = Device::registering();
    device.now = Duration::MAX;
    assert_eq!(device.answer(429, Some(30), ""), Step::Wait(Duration::MAX));
}

#[test]
fn what_dps_assigns_is_looked_at() {
    let assigned = |hub: &str, device_id: &str| {
        let state = serde_json::json!({"assignedHub": hub, "deviceId": device_id});
        let body = serde_json::json!({"operationId": "x", "status": "assigned", "registrationState": state});
        Device::registering().outcome(200, &body.to_string())
    };
    assert!(matches!(assigned("hub.azure-devices.net", "box:1"), Outcome::Assigned(_)));
    let hubs = [
        "hub\n<3>all is well",
        "hub\u{1b}[2J",
        "hub\u{202e}",
        "../../x",
        "localhost:8883",
        &"x".repeat(64_000),
        &"x.".repeat(100_000),
    ];
    let names = hubs.map(|hub| (hub, "box-1")).into_iter();
    for (hub, device_id) in names.chain([("h.net", "a+b"), ("h.net", "a\nb"), ("h.net", &"x".repeat(129))]) {
        let Outcome::TryLater { retry_after: None, why } = assigned(hub, device_id) else { panic!("{hub}") };
        assert!(why.starts_with("DPS assigned a ") && why.contains("that can't be one"), "{why}");
        assert!(why.chars().count() < 500, "{} characters", why.len());
        assert!(!why.contains(|c: char| c.is_control() || c == '\u{202e}'), "{why:?}");
    }
}

#[test]
fn what_dps_says_is_bounded() {
    let long = "word ".repeat(40_000);
    let told = |status, body: &serde_json::Value| {
        let Step::Done(outcome) = Device::registering().answer(status, Some(900), &body.to_string()) else {
            panic!("not over")
        };
        match outcome {
            Outcome::TryLater { why, .. } => why,
            Outcome::Refused(refusal) => refusal.to_string(),
            Outcome::Assigned(assigned) => format!("{:?}", assigned.substatus),
        }
    };
    let state = serde_json::json!({
        "assignedHub": "h", "deviceId": "d", "substatus": long, "errorCode": 1, "errorMessage": long
    });
    for status in [401, 429, 500] {
        let why = told(status, &serde_json::json!({"errorCode": 429_001, "message": long}));
        assert!(why.len() < 1000, "{} bytes for {status}", why.len());
    }
    for word in ["assigned", "failed", "disabled", "assigning"] {
        let operation = serde_json::json!({"operationId": long, "status": word, "registrationState": state});
        assert!(told(200, &operation).len() < 1000, "{word}");
    }
    assert!(told(200, &serde_json::json!({"operationId": {"x": long}, "status": long})).len() < 1000);
    let wild = serde_json::json!({"operationId": "a/#", "status": "assigning"});
    assert!(told(200, &wild).contains("an operation ID that no topic carries"));
}
