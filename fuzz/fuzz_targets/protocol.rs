//! Any topic, user name and body: nothing panics, and what parses prints to something that parses to the same value.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tracker_protocol::dps::{DpsUsername, Event, Registration, Request, Response};
use tracker_protocol::hub::{CloudTopic, DeviceTopic, HubUsername, TwinClient, TwinEvent};
use tracker_protocol::{PropertyBag, RegistrationId};

fuzz_target!(|input: (String, Vec<u8>, u16, u64)| {
    let (text, body, status, version) = input;
    round_trip::<PropertyBag>(&text);
    round_trip::<DpsUsername>(&text);
    round_trip::<HubUsername>(&text);
    round_trip::<Request>(&text);
    round_trip::<Response>(&text);
    round_trip::<DeviceTopic>(&text);
    round_trip::<CloudTopic>(&text);
    round_trip::<RegistrationId>(&text);

    let Ok(id) = "device".parse() else { return };
    let mut registration = Registration::new(id, None);
    let now = Duration::ZERO;
    let _ = registration.handle(now, 0.5, Event::Subscribed);
    let topic = format!("$dps/registrations/res/{status}/?$rid=1{text}");
    let _ = registration.handle(now, 0.5, Event::Message { topic: &topic, payload: &body });

    let mut twin = TwinClient::new();
    twin.handle(now, TwinEvent::Subscribed);
    twin.handle(now, TwinEvent::Response { status, request_id: "1", payload: &body });
    twin.handle(now, TwinEvent::Desired { version, payload: &body });
});

fn round_trip<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let printed = value.to_string();
        assert_eq!(printed.parse::<T>().ok().as_ref(), Some(&value), "{printed}");
    }
}
