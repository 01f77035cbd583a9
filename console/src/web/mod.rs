//! The page and its calls, over HTTP.
//!
//! ```text
//!  connection ─▶ listen ─▶ guard ──┬─▶ assets                    the page
//!                          (Host,  ├─▶ read, export              what is known: fleet, history
//!                          cookie, ├─▶ stream                    what changes
//!                          Origin) └─▶ devices, enrollment, …    what is asked of the backend
//! ```

mod access;
mod assets;
mod devices;
mod enrollment;
mod export;
mod guard;
mod input;
mod listen;
mod read;
mod refusal;
mod scenario;
mod site;
mod stream;
mod trouble;

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::routing::{MethodRouter, delete, get, patch, post};

use crate::backend::Backend;
use crate::ingest::Ingest;
pub use listen::{ListenError, ListenOptions, Server, TlsIdentity, USUAL_PORT};
use refusal::Refusal;
use site::Site;

/// The description of the API, as `tests` make it from the types.
const OPENAPI: &str = include_str!("../../openapi.json");

/// Serves the page of what `ingest` knows.
pub async fn serve(
    options: ListenOptions,
    backend: Arc<dyn Backend>,
    ingest: Ingest,
) -> Result<Server, ListenError> {
    Server::start(options, routes(Arc::new(Site::new(backend, ingest)))).await
}

fn routes(site: Arc<Site>) -> Router {
    let mut router = Router::new()
        .route("/", get(assets::index))
        .route("/{name}", get(assets::file))
        .route("/api/openapi.json", get(openapi));
    for (path, method) in calls() {
        router = router.route(path, method);
    }
    let nothing = |uri: Uri| async move { Refusal::not_found(format!("There is no {:?} here.", uri.path())) };
    let other = || async {
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", "This call does not have that method.")
    };
    router.fallback(nothing).method_not_allowed_fallback(other).with_state(site)
}

/// All calls of the API.
fn calls() -> Vec<(&'static str, MethodRouter<Arc<Site>>)> {
    vec![
        ("/api/session", get(read::session)),
        ("/api/fleet", get(read::fleet)),
        ("/api/live", get(stream::live)),
        ("/api/tails", get(read::tails)),
        ("/api/places", get(read::places)),
        ("/api/story", get(read::whole_story)),
        ("/api/deprovision", post(devices::deprovision_some)),
        ("/api/devices/{id}", get(read::device).patch(devices::set_status).delete(devices::delete)),
        ("/api/devices/{id}/series", get(read::series)),
        ("/api/devices/{id}/track", get(read::track)),
        ("/api/devices/{id}/story", get(read::story)),
        ("/api/devices/{id}/alarms", get(read::alarms)),
        ("/api/devices/{id}/trips", get(read::trips)),
        ("/api/devices/{id}/export.csv", get(export::csv)),
        ("/api/devices/{id}/export.jsonl", get(export::json_lines)),
        ("/api/devices/{id}/twin", get(read::twin).patch(devices::update_twin)),
        ("/api/devices/{id}/methods", post(devices::call_method)),
        ("/api/devices/{id}/messages", post(devices::send)),
        ("/api/devices/{id}/acknowledge", post(devices::acknowledge)),
        ("/api/devices/{id}/deprovision", post(devices::deprovision)),
        ("/api/devices/{id}/move", post(devices::move_to)),
        ("/api/devices/{id}/verify", post(devices::verify)),
        ("/api/enrollment-groups", get(enrollment::groups)),
        ("/api/enrollment-groups/{id}", patch(enrollment::set_group).delete(enrollment::delete_group)),
        ("/api/enrollments", get(enrollment::individuals)),
        ("/api/enrollments/{id}", patch(enrollment::set_individual).delete(enrollment::delete_individual)),
        ("/api/certificates", get(enrollment::certificates)),
        ("/api/registrations", get(enrollment::registrations)),
        ("/api/registrations/{id}", delete(enrollment::delete_registration)),
        ("/api/faults", get(trouble::faults).post(trouble::inject)),
        ("/api/faults/{id}", delete(trouble::clear)),
        ("/api/time", post(trouble::set_time)),
        ("/api/scenario", get(scenario::scenario).post(scenario::steer)),
    ]
}

async fn openapi() -> impl axum::response::IntoResponse {
    ([("content-type", "application/json")], OPENAPI)
}

#[cfg(test)]
mod tests;
