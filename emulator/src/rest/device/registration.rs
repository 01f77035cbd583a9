//! Registration at DPS over HTTPS: the same requests, answers and credentials as over MQTT.

use hyper::Method;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    dps::{self, Applicant, Dps, Moment, TpmProof},
    events::EventKind,
    rest::{
        answer::{self, Answer},
        call::Call,
        dps::DpsRefusal,
        route,
    },
    security::sas::without_port,
    session::{PeerCertificates, shown},
    uri::encoded,
};

/// A whole message of a device to DPS.
const BODY_LIMIT: usize = 96 * 1024;

/// What a device asks.
enum Request<'a> {
    Register,
    Operation(&'a str),
    /// How its registration stands.
    LookUp,
}

/// The answer to a call of a device at DPS; nothing for any other.
pub(super) fn respond(services: &Dps, call: &Call) -> Option<Answer> {
    let request = request(call)?;
    // What begins as a call of a service is none of a device, whatever an enrollment or a device is called.
    let is_service = crate::rest::dps::knows(call) || crate::rest::hub::knows(call);
    if is_service || services.hub_at(without_port(call.host())).is_some() {
        return None;
    }
    let now = services.clock().now();
    Some(match check(services, call) {
        Ok(()) => answer(services, &request, call),
        Err(refusal) => refusal.answer(now),
    })
}

fn request(call: &Call) -> Option<Request<'_>> {
    let is = |method, pattern: &str| {
        call.method == method
            && pattern.split('/').count() == call.segments.len()
            && route::begins(pattern, call)
    };
    if is(Method::PUT, "{idScope}/registrations/{id}/register") {
        return Some(Request::Register);
    }
    if is(Method::GET, "{idScope}/registrations/{id}/operations/{operationId}") {
        return call.segments.get(4).map(|operation_id| Request::Operation(operation_id));
    }
    is(Method::POST, "{idScope}/registrations/{id}").then_some(Request::LookUp)
}

fn check(services: &Dps, call: &Call) -> Result<(), DpsRefusal> {
    call.check_api_version().map_err(DpsRefusal::bad_request)?;
    services.check_scope(call.first_word()).map_err(|why| {
        services.events().tell(EventKind::ConnectionRefused {
            service: "DPS".into(),
            client_id: shown(call.segments.get(2).map(String::as_str).unwrap_or_default()),
            code: None,
            reason: shown(&why),
        });
        DpsRefusal::unauthorized("there is no such ID scope")
    })?;
    if call.body.len() > BODY_LIMIT {
        return Err(DpsRefusal {
            code: 413_001,
            message: format!("the body has more than {BODY_LIMIT} bytes"),
        });
    }
    Ok(())
}

fn answer(services: &Dps, request: &Request<'_>, call: &Call) -> Answer {
    let registration_id = call.segments.get(2).cloned().unwrap_or_default();
    let token = call.header("authorization").filter(|token| !token.trim().is_empty());
    let applicant = Applicant {
        registration_id,
        api_version: call.api_version().to_owned(),
        certificates: PeerCertificates::read(&call.certificates),
        token: token.map(|token| token.as_bytes().to_vec()),
        tpm: TpmProof::Answer,
    };
    let moment = Moment { now: Instant::now(), is_throttled: false };
    let given = match request {
        Request::Register => applicant.register(services, &call.body, moment),
        Request::Operation(id) => applicant.poll_anew(services, id, &call.body, moment),
        Request::LookUp => applicant.look_up(services, &call.body, moment),
    };
    let dps::Answer { status, retry_after, body, error } = given;
    let location = (status == 202).then(|| location(&body, request, call)).flatten();
    let mut answer = answer::json_text(status, body);
    if let Some(location) = location {
        answer = answer::with_header(answer, "location", &location);
    }
    if let Some(retry_after) = retry_after {
        answer = answer::with_header(answer, "retry-after", &retry_after.as_secs().to_string());
    }
    if let Some(error) = error {
        answer = answer::with_header(answer, "x-ms-error-code", &error.error_code.to_string());
    }
    answer
}

/// Where the operation is to be asked for that a registration has begun.
fn location(body: &str, request: &Request<'_>, call: &Call) -> Option<String> {
    let begun: Value = serde_json::from_str(body).ok()?;
    let operation_id = begun["operationId"].as_str().filter(|_| matches!(request, Request::Register))?;
    let (id_scope, registration_id) = (encoded(call.first_word()), encoded(call.segments.get(2)?));
    Some(format!(
        "https://{}/{id_scope}/registrations/{registration_id}/operations/{operation_id}?api-version={}",
        call.host(),
        call.api_version()
    ))
}
