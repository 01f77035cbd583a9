//! Whatever is printed parses back to the same value; whatever arrives never panics.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value};
use tracker_protocol::dps::{DpsUsername, Event, Registration, Request, Response};
use tracker_protocol::hub::{
    CloudTopic, DeviceTopic, HubUsername, TwinClient, TwinEvent, merge, replacement,
};
use tracker_protocol::{PropertyBag, RegistrationId};

/// One segment of a topic or path.
fn word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:-]{1,20}"
}

fn bag() -> impl Strategy<Value = PropertyBag> {
    prop::collection::vec(("\\PC{1,12}", prop::option::of("\\PC{0,16}")), 0..6).prop_map(|pairs| {
        let mut bag = PropertyBag::new();
        for (key, value) in pairs {
            bag.insert(&key, value);
        }
        bag
    })
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        word().prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-d]", json(), 0..4).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn property_bags(bag in bag()) {
        let text = bag.to_string();
        prop_assert!(!text.contains(['+', ' ', '/', '#']), "{}", text);
        prop_assert_eq!(text.parse::<PropertyBag>().unwrap(), bag);
    }

    #[test]
    fn dps_user_names(id_scope in word(), registration_id in word(), api_version in word(),
                      client_version in prop::option::of("\\PC{0,20}")) {
        let name = DpsUsername { id_scope, registration_id, api_version, client_version };
        prop_assert_eq!(name.to_string().parse::<DpsUsername>().unwrap(), name);
    }

    #[test]
    fn hub_user_names(hub in word(), device_id in word(), module_id in prop::option::of(word()),
                      api_version in prop::option::of(word()), client_type in prop::option::of("\\PC{0,20}"),
                      model_id in prop::option::of("\\PC{0,20}")) {
        let name = HubUsername { hub, device_id, module_id, api_version, client_type, model_id };
        prop_assert_eq!(name.to_string().parse::<HubUsername>().unwrap(), name);
    }

    #[test]
    fn dps_topics(request_id in word(), operation_id in word(), status in any::<u16>(),
                  seconds in prop::option::of(0u64..1_000_000)) {
        let requests =
            [Request::Register { request_id: request_id.clone() }, Request::Poll { request_id: request_id.clone(), operation_id }];
        for request in requests {
            prop_assert_eq!(request.to_string().parse::<Request>().unwrap(), request);
        }
        let response = Response { status, request_id, retry_after: seconds.map(Duration::from_secs) };
        prop_assert_eq!(response.to_string().parse::<Response>().unwrap(), response);
    }

    #[test]
    fn hub_topics(device_id in word(), properties in bag(), request_id in word(), status in any::<i32>(),
                  code in any::<u16>(), version in any::<u64>(), name in word()) {
        let up = [
            DeviceTopic::Telemetry { device_id: device_id.clone(), properties: properties.clone() },
            DeviceTopic::TwinGet { request_id: request_id.clone() },
            DeviceTopic::ReportedPatch { request_id: request_id.clone() },
            DeviceTopic::MethodResponse { status, request_id: request_id.clone() },
            DeviceTopic::IssueCertificate { request_id: request_id.clone() },
        ];
        for topic in up {
            prop_assert_eq!(topic.to_string().parse::<DeviceTopic>().unwrap(), topic);
        }
        let down = [
            CloudTopic::TwinResponse { status: code, request_id: request_id.clone(), version: Some(version) },
            CloudTopic::DesiredPatch { version },
            CloudTopic::MethodRequest { name, request_id: request_id.clone() },
            CloudTopic::CredentialResponse { status: code, request_id },
            CloudTopic::DeviceBound { device_id, properties },
        ];
        for topic in down {
            prop_assert_eq!(topic.to_string().parse::<CloudTopic>().unwrap(), topic);
        }
    }

    #[test]
    fn a_replacement_leads_from_old_to_new(old in object(), new in object()) {
        let mut merged = old.clone();
        merge(&mut merged, &replacement(&old, &new));
        prop_assert_eq!(merged, new);
    }

    #[test]
    fn nothing_that_arrives_panics(text in "\\PC{0,80}", tail in "\\PC{0,40}", body in prop::collection::vec(any::<u8>(), 0..80),
                                   status in any::<u16>(), version in any::<u64>()) {
        for prefix in ["", "$dps/registrations/res/", "$dps/registrations/res/200/?$rid=1&", "$iothub/twin/res/",
                       "$iothub/methods/POST/", "devices/x/messages/devicebound/", "devices/x/messages/events/"] {
            let topic = format!("{prefix}{text}{tail}");
            let _ = topic.parse::<CloudTopic>();
            let _ = topic.parse::<DeviceTopic>();
            let _ = topic.parse::<Request>();
            let _ = topic.parse::<HubUsername>();
            let _ = topic.parse::<DpsUsername>();
            let _ = topic.parse::<RegistrationId>();
            let mut registration = Registration::new("d".parse().unwrap(), None);
            let _ = registration.handle(Duration::ZERO, 0.5, Event::Subscribed);
            let _ = registration.handle(Duration::ZERO, 0.5, Event::Message { topic: &topic, payload: &body });
        }
        let mut twin = TwinClient::new();
        twin.handle(Duration::ZERO, TwinEvent::Subscribed);
        twin.handle(Duration::ZERO, TwinEvent::Response { status, request_id: "1", payload: &body });
        twin.handle(Duration::ZERO, TwinEvent::Desired { version, payload: &body });
    }
}
