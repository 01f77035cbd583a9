//! The properties of a message that a device sends: headers of the call, or members of an entry in a batch.

use hyper::header::HeaderValue;
use tracker_protocol::PropertyBag;

use crate::{
    rest::{
        call::{APPLICATION, Call},
        hub::HubRefusal,
    },
    session::shown,
};

/// System properties: as they are called here, and as they are called in a topic.
const SYSTEM: [(&str, &str); 9] = [
    ("iothub-messageid", PropertyBag::MESSAGE_ID),
    ("iothub-correlationid", PropertyBag::CORRELATION_ID),
    ("iothub-userid", "$.uid"),
    ("iothub-contenttype", PropertyBag::CONTENT_TYPE),
    ("iothub-contentencoding", PropertyBag::CONTENT_ENCODING),
    ("iothub-expiry", "$.exp"),
    ("iothub-creation-time-utc", "iothub-creation-time-utc"),
    ("iothub-interface-id", "$.ifid"),
    ("dt-subject", "$.sub"),
];

/// What is passed over: the destination is in the path, and nobody acknowledges telemetry.
const PASSED_OVER: [&str; 2] = ["iothub-to", "iothub-ack"];

/// The properties among the headers of a call.
pub(super) fn of_headers(call: &Call) -> Result<PropertyBag, HubRefusal> {
    let mut bag = PropertyBag::new();
    for (name, value) in &call.headers {
        if let Some(key) = system(name.as_str()) {
            bag.insert(key, Some(text(name.as_str(), value)?));
        }
    }
    for (name, value) in &call.application_properties {
        check_own(name)?;
        bag.insert(name, Some(text(name, value)?));
    }
    Ok(bag)
}

fn text(name: &str, value: &HeaderValue) -> Result<String, HubRefusal> {
    let text = std::str::from_utf8(value.as_bytes());
    text.map(str::to_owned)
        .map_err(|_| HubRefusal::bad_request(format!("the header of {} is not UTF-8", shown(name))))
}

/// Puts a property of an entry in a batch into the bag. A name without the prefix is one all the same.
pub(super) fn put(bag: &mut PropertyBag, name: &str, value: &str) -> Result<(), HubRefusal> {
    let lower = name.to_ascii_lowercase();
    if PASSED_OVER.contains(&lower.as_str()) {
        return Ok(());
    }
    let key = if let Some(key) = system(&lower) {
        key
    } else {
        let own = if lower.starts_with(APPLICATION) { name.get(APPLICATION.len()..) } else { Some(name) };
        let own = own.unwrap_or_default();
        check_own(own)?;
        own
    };
    bag.insert(key, Some(value.to_owned()));
    Ok(())
}

fn check_own(name: &str) -> Result<(), HubRefusal> {
    if name.is_empty() {
        return Err(HubRefusal::bad_request("an application property has no name"));
    }
    if name.starts_with("$.") {
        return Err(HubRefusal::bad_request(format!(
            "{} is a system property; it has a name of its own",
            shown(name)
        )));
    }
    Ok(())
}

fn system(name: &str) -> Option<&'static str> {
    SYSTEM.iter().find(|(known, _)| *known == name).map(|(_, key)| *key)
}
