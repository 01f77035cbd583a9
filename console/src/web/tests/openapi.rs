//! The description of the API is made of the handlers and their types, and the file that is served is that.

#![allow(clippy::needless_for_each)]

use std::path::Path;

use serde_json::Value;
use utoipa::OpenApi;

use super::super::calls;
use super::super::{devices, enrollment, export, read, scenario, stream, trouble};
use crate::model::{Delta, FailureBody, Lagged};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "The console's API",
        description = "Of the page, for the page and for tests. Every call needs the cookie that the link gives; changes need the page's Origin and content-type: application/json. What is no success has a FailureBody."
    ),
    paths(
        read::session,
        read::fleet,
        stream::live,
        read::tails,
        read::places,
        read::whole_story,
        devices::deprovision_some,
        read::device,
        devices::set_status,
        devices::delete,
        read::series,
        read::track,
        read::story,
        read::alarms,
        read::trips,
        export::csv,
        export::json_lines,
        read::twin,
        devices::update_twin,
        devices::call_method,
        devices::send,
        devices::acknowledge,
        devices::deprovision,
        devices::move_to,
        devices::verify,
        enrollment::groups,
        enrollment::set_group,
        enrollment::delete_group,
        enrollment::individuals,
        enrollment::set_individual,
        enrollment::delete_individual,
        enrollment::certificates,
        enrollment::registrations,
        enrollment::delete_registration,
        trouble::faults,
        trouble::inject,
        trouble::clear,
        trouble::set_time,
        scenario::scenario,
        scenario::steer
    ),
    components(schemas(Delta, Lagged, FailureBody))
)]
struct Description;

fn description() -> String {
    let mut description = serde_json::to_value(Description::openapi()).unwrap();
    // Of the handlers' modules, which are nobody's matter.
    for (_, methods) in description["paths"].as_object_mut().unwrap() {
        for (_, call) in methods.as_object_mut().unwrap() {
            call.as_object_mut().unwrap().remove("tags");
        }
    }
    description["info"].as_object_mut().unwrap().remove("license");
    serde_json::to_string_pretty(&description).unwrap() + "\n"
}

#[test]
fn the_description_that_is_served_is_that_of_this_program() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let description = description();
    if std::env::var_os("UPDATE").is_some() {
        #[expect(clippy::disallowed_methods, reason = "a file of the sources: git has the one before")]
        std::fs::write(&file, &description).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept == description,
        "console/openapi.json is not what the code says: UPDATE=1 cargo test -p tracker-console openapi"
    );
}

#[test]
fn every_call_is_described() {
    let description: Value = serde_json::from_str(&description()).unwrap();
    let described = description["paths"].as_object().unwrap();
    let routed: Vec<_> = calls().into_iter().map(|(path, _)| path).collect();
    for path in &routed {
        assert!(described.contains_key(*path), "{path} is not in the description");
    }
    for path in described.keys() {
        assert!(routed.contains(&path.as_str()), "{path} is described, and nobody answers it");
    }
}
