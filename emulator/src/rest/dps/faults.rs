//! Faults by REST, an addition of ours.
//!
//! | call | body | answer |
//! | --- | --- | --- |
//! | `GET /faults` | | 200 `[fault with "id"]` |
//! | `POST /faults` | fault | 200 fault with `"id"` |
//! | `DELETE /faults` | | 204, none is in force any more |
//! | `DELETE /faults/{id}` | | 204 |
//!
//! A fault: `{"service":"dps" | "hubs" | "{host name of a hub}", "device":"…", "times":3, "fault":"…", …}`; without
//! `device` it strikes all, without `times` until it is cleared. See [`FaultKind`] for the kinds and their members.

use hyper::Method;
use serde_json::json;

use super::Refusal;
use crate::{
    faults::{Fault, FaultId, Faults},
    rest::{
        answer::{self, Answer},
        call::Call,
    },
};

pub(super) fn respond(faults: &Faults, call: &Call) -> Result<Answer, Refusal> {
    let words = call.words();
    match (&call.method, words.as_slice()) {
        (&Method::GET, [_]) => {
            let shown: Vec<_> = faults.list().iter().map(|(id, fault)| show(*id, fault)).collect();
            Ok(answer::json(200, &shown))
        }
        (&Method::POST, [_]) => {
            let fault: Fault = serde_json::from_slice(&call.body)
                .map_err(|error| Refusal::bad_request(format!("the body is not a fault: {error}")))?;
            fault.check().map_err(Refusal::bad_request)?;
            let id = faults.inject(fault.clone());
            Ok(answer::json(200, &show(id, &fault)))
        }
        (&Method::DELETE, [_]) => {
            faults.clear_all();
            Ok(answer::no_content())
        }
        (&Method::DELETE, [_, id]) => {
            if id.parse().is_ok_and(|id| faults.clear(FaultId::from_number(id))) {
                return Ok(answer::no_content());
            }
            Err(Refusal { code: 404_000, message: format!("no fault \"{id}\" is in force") })
        }
        _ => Err(Refusal::no_route(call)),
    }
}

fn show(id: FaultId, fault: &Fault) -> serde_json::Value {
    let mut shown = json!(fault);
    shown["id"] = id.number().into();
    shown
}
